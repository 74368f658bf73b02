package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

// mirrorOnce copies from an address into a fresh folder, or goes on in one.
func (b *bench) mirrorOnce(ctx context.Context, data, address string, flags ...string) (cost, error) {
	c, _, err := timed(b.wenlan(ctx, data, append([]string{"--quiet", "mirror", address, "--once"}, flags...)...))
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
	heading("Copying %d files, %.2f GB, into a fresh folder and to the disk; the source's pages %s", len(names), float64(bytes)/1e9, cache)
	origin, err := b.serve(ctx, data, "serve", "--listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer origin.stop()
	daemon, err := b.rsyncDaemon(ctx, data)
	if err != nil {
		return err
	}
	defer daemon.stop()
	rate, cpuTime := [2]side{{name: "wenlan mirror"}, {name: "rsync -a"}}, [2]side{{name: "wenlan mirror"}, {name: "rsync -a"}}
	for range b.runs {
		for which, server := range []*server{origin, daemon} {
			dst := filepath.Join(b.tmp, "copy")
			if err := b.prepare(data); err != nil {
				return err
			}
			if err := syncDisk(ctx, b.tmp); err != nil { // what the last run left is not this one's
				return err
			}
			before, begin := cpu(server.cmd.Process.Pid), time.Now()
			var c cost
			if which == 0 {
				c, err = b.mirrorOnce(ctx, dst, origin.base)
			} else {
				c, _, err = timed(exec.CommandContext(ctx, "rsync", "-a", "--exclude=/views", "--exclude=/keys", "--exclude=/wenlan.*", daemon.base, dst))
			}
			if err == nil {
				err = syncDisk(ctx, b.tmp)
			}
			if err != nil {
				return err
			}
			took := time.Since(begin).Seconds()
			rate[which].runs = append(rate[which].runs, float64(bytes)/1e6/took)
			cpuTime[which].runs = append(cpuTime[which].runs, c.cpu+cpu(server.cmd.Process.Pid)-before)
			if have, n, err := blobs(dst); err != nil || len(have) != len(names) || n != bytes {
				return fmt.Errorf("%s copied %d files of %d, %d bytes of %d (%v)", rate[which].name, len(have), len(names), n, bytes, err)
			}
			if err := os.RemoveAll(dst); err != nil {
				return err
			}
		}
	}
	row("rate", "MB/s", false, 0.8, rate[:]...)
	row("processor time, both ends", "s", true, 0, cpuTime[:]...)
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
func (b *bench) rsyncDaemon(ctx context.Context, dir string) (*server, error) {
	port, err := freePort()
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
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s := &server{
		cmd:  exec.CommandContext(ctx, "rsync", "--daemon", "--no-detach", "--address=127.0.0.1", "--port="+strconv.Itoa(port), "--config="+conf),
		base: "rsync://" + address + "/library/",
		done: make(chan struct{}),
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.cmd.Wait()
		close(s.done)
	}()
	for begin := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return s, nil
		}
		if time.Since(begin) > 10*time.Second {
			s.stop()
			return nil, fmt.Errorf("the rsync daemon does not answer: %w", err)
		}
	}
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
	heading("Hashing %d files, %.2f GB, from the page cache, two readers on each side", len(names), float64(bytes)/1e9)
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
	if absent([]string{"openssl"}) == "" {
		peers = append(peers, "openssl dgst -sha256 -r")
	}
	rate, cpuTime := []side{{name: "wenlan verify"}}, []side{{name: "wenlan verify"}}
	for _, p := range peers {
		rate, cpuTime = append(rate, side{name: p}), append(cpuTime, side{name: p})
	}
	for range b.runs {
		for i := range rate {
			cmd := b.wenlan(ctx, data, "--quiet", "verify")
			if i > 0 {
				cmd = exec.CommandContext(ctx, "sh", "-c", "xargs -0 -P 2 -n 50 "+peers[i-1]+" <"+list)
			}
			c, _, err := timed(cmd)
			if err != nil {
				return err
			}
			rate[i].runs = append(rate[i].runs, float64(bytes)/1e6/c.wall)
			cpuTime[i].runs = append(cpuTime[i].runs, c.cpu)
		}
	}
	for i := 1; i < len(rate); i++ {
		goal := 0.0
		if i == 1 {
			goal = 0.9
		}
		row("rate", "MB/s", false, goal, rate[0], rate[i])
		row("processor time", "s", true, 0, cpuTime[0], cpuTime[i])
	}
	return nil
}
