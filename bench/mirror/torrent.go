package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"wenlan/bench/measure"
)

// shelved is what `wenlan shelf close --json` says of a shelf.
type shelved struct {
	Files    int    `json:"files"`
	Bytes    int64  `json:"bytes"`
	Infohash string `json:"infohash"`
	Name     string `json:"name"`
}

// closeShelf puts all files of a library on a shelf.
func (b *bench) closeShelf(ctx context.Context, data string) (shelved, measure.Cost, error) {
	var s shelved
	c, out, err := measure.Timed(b.wenlan(ctx, data, "--quiet", "--json", "shelf", "close"))
	if err != nil {
		return s, c, err
	}
	if err := json.Unmarshal(bytes.TrimSpace(out), &s); err != nil {
		return s, c, fmt.Errorf("wenlan shelf close: %w: %s", err, measure.Tail(out, 3))
	}
	return s, c, nil
}

// torrents makes the torrent of a shelf: of files that were just taken in, and of
// ones that are older and so are held to their SHA-256 once more.
func torrents(ctx context.Context, b *bench) error {
	fresh, err := b.taken(ctx)
	if err != nil {
		return err
	}
	defer os.RemoveAll(fresh)
	names, size, err := blobs(fresh)
	if err != nil {
		return err
	}
	measure.Heading("The torrent of %d files, %.2f GB, from the page cache, pieces of 1 MiB, two threads", len(names), float64(size)/1e9)
	sides := []measure.Side{{Name: "wenlan shelf close"}, {Name: "checked"}, {Name: "mktorrent"}}
	cpuTime := slices.Clone(sides)
	for range b.runs {
		for which := range sides {
			if err := warm(filepath.Join(fresh, "blobs")); err != nil {
				return err
			}
			var c measure.Cost
			if which < 2 {
				c, err = b.timeShelf(ctx, fresh, which == 1, len(names), size)
			} else {
				out := filepath.Join(b.tmp, "peer.torrent")
				c, _, err = measure.Timed(exec.CommandContext(ctx, "mktorrent", "-l", "20", "-t", "2", "-a", "http://127.0.0.1/announce", "-o", out, filepath.Join(fresh, "blobs")))
				if err == nil {
					err = os.Remove(out)
				}
			}
			if err != nil {
				return err
			}
			sides[which].Runs = append(sides[which].Runs, float64(size)/1e6/c.Wall)
			cpuTime[which].Runs = append(cpuTime[which].Runs, c.CPU)
		}
	}
	measure.Row("rate", "MB/s", false, measure.Goal{Ratio: 0.8}, sides[0], sides[2])
	measure.Row("rate, files older", "MB/s", false, measure.Goal{}, sides[1], sides[2])
	measure.Row("processor time", "s", true, measure.Goal{}, cpuTime[0], cpuTime[2])
	measure.Row("processor time, older", "s", true, measure.Goal{}, cpuTime[1], cpuTime[2])
	return nil
}

// timeShelf closes a shelf of a copy of a library, whose files may be made to look
// older than they are.
func (b *bench) timeShelf(ctx context.Context, fresh string, older bool, files int, size int64) (measure.Cost, error) {
	data := filepath.Join(b.tmp, "shelving")
	if err := copyTree(ctx, fresh, data); err != nil {
		return measure.Cost{}, err
	}
	defer os.RemoveAll(data)
	if older {
		names, _, err := blobs(data)
		if err != nil {
			return measure.Cost{}, err
		}
		for _, n := range names {
			if err := os.Chtimes(n, time.Unix(0, 0), time.Unix(0, 0)); err != nil {
				return measure.Cost{}, err
			}
		}
	}
	s, c, err := b.closeShelf(ctx, data)
	if err == nil && (s.Files != files || s.Bytes != size) {
		err = fmt.Errorf("the shelf has %d files of %d", s.Files, files)
	}
	return c, err
}

// seeding gives a shelf to aria2c by BitTorrent alone, and files to curl.
func seeding(ctx context.Context, b *bench) error {
	kept, err := b.library(ctx)
	if err != nil {
		return err
	}
	data := filepath.Join(b.tmp, "seeding")
	if err := copyTree(ctx, kept, data); err != nil {
		return err
	}
	s, _, err := b.closeShelf(ctx, data)
	if err != nil {
		return err
	}
	port, err := measure.FreePort()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(data, "wenlan.toml"), fmt.Appendf(nil, "torrents = \"127.0.0.1:%d\"\n", port), 0o644); err != nil {
		return err
	}
	origin, err := b.serve(ctx, data, "serve", "--listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer origin.Stop()
	raw, err := get(ctx, origin.Base+"/shelves/"+s.Infohash+".torrent")
	if err != nil {
		return err
	}
	peersOnly, seedsOnly := filepath.Join(b.tmp, "peers.torrent"), filepath.Join(b.tmp, "seeds.torrent")
	if err := os.WriteFile(peersOnly, without(raw, "url-list"), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(seedsOnly, without(raw, "announce"), 0o644); err != nil {
		return err
	}
	padded, err := paddedBytes(raw)
	if err != nil {
		return err
	}
	big, err := largest(data)
	if err != nil {
		return err
	}
	measure.Heading("Giving away a shelf of %d files, %.2f GB, with the padding %.2f GB, from the page cache", s.Files, float64(s.Bytes)/1e9, float64(padded)/1e9)
	var sent measure.Side
	bt, web, file, small, cpuTime := measure.Side{Name: "aria2c, BitTorrent"}, measure.Side{Name: "aria2c, web seed"}, measure.Side{Name: "curl"}, measure.Side{Name: "curl"}, measure.Side{Name: "server"}
	dst := filepath.Join(b.tmp, "download")
	for range b.runs {
		if err := warm(filepath.Join(data, "blobs")); err != nil {
			return err
		}
		for _, way := range []struct {
			torrent string
			to      *measure.Side
		}{{peersOnly, &bt}, {seedsOnly, &web}} {
			before := origin.CPU()
			c, _, err := measure.Timed(exec.CommandContext(ctx, "aria2c", "--no-conf", "--quiet", "--seed-time=0", "--file-allocation=none", "--enable-dht=false", "--enable-dht6=false",
				"--enable-peer-exchange=false", "--bt-enable-lpd=false", "--bt-tracker-interval=1", "--bt-request-peer-speed-limit=1000M", "--max-connection-per-server=4", "--split=4", "--dir", dst, way.torrent))
			if err != nil {
				return err
			}
			way.to.Runs = append(way.to.Runs, float64(s.Bytes)/1e6/c.Wall)
			if way.to == &bt {
				sent.Runs = append(sent.Runs, float64(padded)/1e6/c.Wall)
				cpuTime.Runs = append(cpuTime.Runs, (origin.CPU()-before)/float64(s.Bytes)*1e9)
				if err := b.sameFiles(data, filepath.Join(dst, s.Name)); err != nil {
					return err
				}
			}
			if err := os.RemoveAll(dst); err != nil {
				return err
			}
		}
		c, n, err := b.curl(ctx, origin.Base, big, 1_000_000_000, os.DevNull)
		if err != nil {
			return err
		}
		file.Runs = append(file.Runs, float64(n)/1e6/c.Wall)
		if c, n, err = b.curl(ctx, origin.Base, big, 1_000_000_000, filepath.Join(b.tmp, "file")); err != nil {
			return err
		}
		small.Runs = append(small.Runs, float64(n)/1e6/c.Wall)
	}
	sent.Name = bt.Name
	measure.Row("sent, to curl >/dev/null", "MB/s", false, measure.Goal{Ratio: 0.15}, sent, file)
	measure.Row("files, to curl >/dev/null", "MB/s", false, measure.Goal{}, bt, file)
	measure.Row("files, to curl to the disk", "MB/s", false, measure.Goal{}, bt, small)
	measure.Row("web seed, to curl >/dev/null", "MB/s", false, measure.Goal{}, web, file)
	measure.Row("server's processor time", "s/GB", true, measure.Goal{}, cpuTime)
	return nil
}

// curl gets a file by its hash again and again on one connection, until it has had
// so many bytes.
func (b *bench) curl(ctx context.Context, base, path string, bytes int64, out string) (measure.Cost, int64, error) {
	info, err := os.Stat(path)
	if err != nil {
		return measure.Cost{}, 0, err
	}
	args, n := []string{"--silent", "--fail"}, int64(0)
	for n < bytes {
		args = append(args, "-o", out, base+"/blobs/sha256/"+filepath.Base(path))
		n += info.Size()
	}
	c, _, err := measure.Timed(exec.CommandContext(ctx, "curl", args...))
	return c, n, err
}

// largest is the path of the library's largest file.
func largest(data string) (path string, err error) {
	names, _, err := blobs(data)
	var most int64
	for _, n := range names {
		if info, err := os.Stat(n); err == nil && info.Size() > most {
			path, most = n, info.Size()
		}
	}
	return path, err
}

// sameFiles says whether every file of a library that should be in a folder is
// there with its length and, by sha256sum, its hash, which is its name.
func (b *bench) sameFiles(data, dir string) error {
	names, _, err := blobs(data)
	if err != nil {
		return err
	}
	var sums bytes.Buffer
	for _, n := range names {
		if _, err := os.Stat(filepath.Join(dir, filepath.Base(n))); err != nil {
			continue // the list of the shelf itself is not on it
		}
		fmt.Fprintf(&sums, "%s  %[1]s\n", filepath.Base(n))
	}
	if lines := bytes.Count(sums.Bytes(), []byte("\n")); lines < len(names)-1 {
		return fmt.Errorf("only %d of %d files came", lines, len(names)-1)
	}
	cmd := exec.Command("sha256sum", "--check", "--quiet", "--strict")
	cmd.Dir, cmd.Stdin = dir, &sums
	_, _, err = measure.Timed(cmd)
	return err
}

// paddedBytes is what a client transfers of a torrent, padding included: aria2c asks
// for that, too. It is the number of its pieces, of 1 MiB.
func paddedBytes(torrent []byte) (int64, error) {
	_, rest, _ := bytes.Cut(torrent, []byte("6:pieces"))
	digits, _, _ := bytes.Cut(rest, []byte{':'})
	n, err := strconv.ParseInt(string(digits), 10, 64)
	return n / 20 << 20, err
}

// without takes a key off a metainfo file's dictionary (BEP 3), whose first key is
// announce and whose last may be url-list.
func without(torrent []byte, key string) []byte {
	name := fmt.Appendf(nil, "%d:%s", len(key), key)
	if key == "url-list" {
		if at := bytes.LastIndex(torrent, name); at > 0 {
			return append(bytes.Clone(torrent[:at]), 'e')
		}
		return torrent
	}
	next := bytes.Index(torrent, []byte("4:info")) // all before it: announce, announce-list, comment, creation date
	if next < 0 {
		return torrent
	}
	return append([]byte{'d'}, torrent[next:]...)
}
