package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"wenlan/bench/measure"
)

// counter passes TCP connections on to a server and counts what goes either way.
type counter struct {
	listener net.Listener
	to       string
	up, down atomic.Int64
	requests atomic.Int64
}

// count listens before a server: clients are given its address in place of the
// server's.
func count(s *measure.Server) (*counter, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &counter{listener: l, to: strings.TrimPrefix(s.Base, "http://")}
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go c.pass(client)
		}
	}()
	return c, nil
}

func (c *counter) base() string { return "http://" + c.listener.Addr().String() }

// bytes are those of both ways so far.
func (c *counter) bytes() int64 { return c.up.Load() + c.down.Load() }

func (c *counter) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		defer server.Close()
		buf := make([]byte, 64<<10)
		for {
			n, err := client.Read(buf)
			// A request is written at once: it begins a read.
			if i := bytes.IndexByte(buf[:n], ' '); i > 0 && bytes.Contains(buf[i:n], []byte(" HTTP/1.1\r\n")) {
				c.requests.Add(1)
			}
			c.up.Add(int64(n))
			if _, werr := server.Write(buf[:n]); err != nil || werr != nil {
				return
			}
		}
	}()
	buf := make([]byte, 256<<10)
	for {
		n, err := server.Read(buf)
		c.down.Add(int64(n))
		if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// wire counts the bytes of a mirror, of a delta and of a poll.
func wire(ctx context.Context, b *bench) error {
	kept, err := b.library(ctx)
	if err != nil {
		return err
	}
	// The delta adds files: to a copy, which shares nothing with the kept one.
	data := filepath.Join(b.tmp, "origin")
	if err := copyTree(ctx, kept, data); err != nil {
		return err
	}
	origin, err := b.serve(ctx, data, "serve", "--listen", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer origin.Stop()
	way, err := count(origin)
	if err != nil {
		return err
	}
	defer way.listener.Close()
	content, err := folderBytes(filepath.Join(data, "register"), filepath.Join(data, "blobs"))
	if err != nil {
		return err
	}
	measure.Heading("Bytes of TCP both ways, requests and headers included")
	dst := filepath.Join(b.tmp, "mirror")
	if _, err := b.mirrorOnce(ctx, dst, way.base()); err != nil {
		return err
	}
	ratioRow("a whole mirror", way.bytes(), content, way.requests.Load())

	before, requests := way.bytes(), way.requests.Load()
	if _, err := b.mirrorOnce(ctx, dst, way.base()); err != nil {
		return err
	}
	fmt.Printf("  %-28s  %d bytes, %d requests\n", "the same again, no change", way.bytes()-before, way.requests.Load()-requests)

	books := filepath.Join(b.tmp, "more")
	if err := os.MkdirAll(books, 0o755); err != nil {
		return err
	}
	if err := writeBooks(books, 1_000_000, 100, 0); err != nil {
		return err
	}
	if err := b.add(ctx, data, books); err != nil {
		return err
	}
	now, err := folderBytes(filepath.Join(data, "register"), filepath.Join(data, "blobs"))
	if err != nil {
		return err
	}
	before, requests = way.bytes(), way.requests.Load()
	if _, err := b.mirrorOnce(ctx, dst, way.base()); err != nil {
		return err
	}
	ratioRow("100 more files", way.bytes()-before, now-content, way.requests.Load()-requests)

	// A mirror that runs, asked to poll more often than it would.
	const poll, polls = 2 * time.Second, 8
	m, err := b.serve(ctx, dst, "mirror", way.base(), "--listen", "127.0.0.1:0", "--poll", poll.String())
	if err != nil {
		return err
	}
	defer m.Stop()
	if err := sleep(ctx, 2*poll); err != nil { // what it asks at its start
		return err
	}
	before, requests = way.bytes(), way.requests.Load()
	if err := sleep(ctx, polls*poll); err != nil {
		return err
	}
	n := max(way.requests.Load()-requests, 1)
	each := (way.bytes() - before) / n
	fmt.Printf("  %-28s  %d bytes a request, %d requests in %d polls%s\n", "an unchanged origin", each, n, polls,
		measure.Verdict("2000 bytes a poll", (way.bytes()-before)/polls < 2000))
	return nil
}

func ratioRow(what string, wire, content, requests int64) {
	ratio := float64(wire) / float64(content)
	fmt.Printf("  %-28s  %d bytes for %d of content, %d requests  ratio %.4f%s\n", what, wire, content, requests, ratio, measure.Verdict("at most 1.03", ratio <= 1.03))
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
