package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"wenlan/bench/measure"
)

// mirrorOnce copies from an address into a fresh folder, or goes on in one.
func (b *bench) mirrorOnce(ctx context.Context, data, address string, flags ...string) (measure.Cost, error) {
	c, _, err := measure.Timed(b.wenlan(ctx, data, append([]string{"--quiet", "mirror", address, "--once"}, flags...)...))
	return c, err
}

// copies mirrors the library, and copies it by rsync.
func copies(ctx context.Context, b *bench) error {
	data, err := b.library(ctx)
	if err != nil {
		return err
	}
	names, bytes, err := blobs(data)
	if err != nil {
		return err
	}
	cache := "warm"
	if b.cold {
		cache = "cold"
	}
	measure.Heading("Copying %d files, %.2f GB, into a fresh folder and to the disk; the source's pages %s", len(names), float64(bytes)/1e9, cache)
	origin, err := b.serve(ctx, data, "serve", "--listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer origin.Stop()
	daemon, err := b.rsyncDaemon(ctx, data)
	if err != nil {
		return err
	}
	defer daemon.Stop()
	rate, cpuTime := [2]measure.Side{{Name: "wenlan mirror"}, {Name: "rsync -a"}}, [2]measure.Side{{Name: "wenlan mirror"}, {Name: "rsync -a"}}
	for range b.runs {
		for which, server := range []*measure.Server{origin, daemon} {
			dst := filepath.Join(b.tmp, "copy")
			if err := b.prepare(data); err != nil {
				return err
			}
			if err := syncDisk(ctx, b.tmp); err != nil { // what the last run left is not this one's
				return err
			}
			before, begin := server.CPU(), time.Now()
			var c measure.Cost
			if which == 0 {
				c, err = b.mirrorOnce(ctx, dst, origin.Base)
			} else {
				c, _, err = measure.Timed(exec.CommandContext(ctx, "rsync", "-a", "--exclude=/views", "--exclude=/keys", "--exclude=/wenlan.*", daemon.Base, dst))
			}
			if err == nil {
				err = syncDisk(ctx, b.tmp)
			}
			if err != nil {
				return err
			}
			took := time.Since(begin).Seconds()
			rate[which].Runs = append(rate[which].Runs, float64(bytes)/1e6/took)
			cpuTime[which].Runs = append(cpuTime[which].Runs, c.CPU+server.CPU()-before)
			if have, n, err := blobs(dst); err != nil || len(have) != len(names) || n != bytes {
				return fmt.Errorf("%s copied %d files of %d, %d bytes of %d (%v)", rate[which].Name, len(have), len(names), n, bytes, err)
			}
			if err := os.RemoveAll(dst); err != nil {
				return err
			}
		}
	}
	measure.Row("rate", "MB/s", false, measure.Goal{Ratio: 0.8}, rate[:]...)
	measure.Row("processor time, both ends", "s", true, measure.Goal{}, cpuTime[:]...)
	return nil
}

// prepare reads what is copied into the page cache, or drops it from there.
func (b *bench) prepare(data string) error {
	for _, dir := range []string{"register", "blobs"} {
		do := warm
		if b.cold {
			do = forget
		}
		if err := do(filepath.Join(data, dir)); err != nil {
			return err
		}
	}
	return nil
}

// rsyncDaemon serves a folder; its base is the address to copy from.
func (b *bench) rsyncDaemon(ctx context.Context, dir string) (*measure.Server, error) {
	port, err := measure.FreePort()
	if err != nil {
		return nil, err
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "uid = root\ngid = root\n"
	}
	conf := filepath.Join(b.tmp, "rsyncd.conf")
	text := user + "use chroot = no\nreverse lookup = no\n[library]\npath = " + dir + "\nread only = yes\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, "rsync", "--daemon", "--no-detach", "--address=127.0.0.1", "--port="+strconv.Itoa(port), "--config="+conf)
	return measure.Start(ctx, cmd, fmt.Sprintf("rsync://127.0.0.1:%d/library/", port), "")
}

// hashing reads every file of the library against its hash.
func hashing(ctx context.Context, b *bench) error {
	data, err := b.library(ctx)
	if err != nil {
		return err
	}
	names, bytes, err := blobs(data)
	if err != nil {
		return err
	}
	measure.Heading("Hashing %d files, %.2f GB, from the page cache, two readers on each side", len(names), float64(bytes)/1e9)
	list := filepath.Join(b.tmp, "names")
	f, err := os.Create(list)
	if err != nil {
		return err
	}
	for _, n := range names {
		fmt.Fprintf(f, "%s\x00", n)
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := warm(filepath.Join(data, "blobs")); err != nil {
		return err
	}
	peers := []string{"sha256sum"}
	if _, err := exec.LookPath("openssl"); err == nil {
		peers = append(peers, "openssl dgst -sha256 -r")
	}
	rate, cpuTime := []measure.Side{{Name: "wenlan verify"}}, []measure.Side{{Name: "wenlan verify"}}
	for _, p := range peers {
		rate, cpuTime = append(rate, measure.Side{Name: p}), append(cpuTime, measure.Side{Name: p})
	}
	for range b.runs {
		for i := range rate {
			cmd := b.wenlan(ctx, data, "--quiet", "verify")
			if i > 0 {
				cmd = exec.CommandContext(ctx, "sh", "-c", "xargs -0 -P 2 -n 50 "+peers[i-1]+" <"+list)
			}
			c, _, err := measure.Timed(cmd)
			if err != nil {
				return err
			}
			rate[i].Runs = append(rate[i].Runs, float64(bytes)/1e6/c.Wall)
			cpuTime[i].Runs = append(cpuTime[i].Runs, c.CPU)
		}
	}
	for i := 1; i < len(rate); i++ {
		var goal measure.Goal
		if i == 1 {
			goal.Ratio = 0.9
		}
		measure.Row("rate", "MB/s", false, goal, rate[0], rate[i])
		measure.Row("processor time", "s", true, measure.Goal{}, cpuTime[0], cpuTime[i])
	}
	return nil
}
