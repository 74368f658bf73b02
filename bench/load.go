package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// hits is what one run of the load generator saw.
type hits struct {
	rate   float64 // complete answers a second
	p50    time.Duration
	p99    time.Duration
	bytes  int64   // of bodies
	mbRate float64 // MB a second
}

// load asks for the paths in turn over keep-alive connections until the time is
// up, with one request under way on each; with once it stops when each path was
// asked once. Every answer must be 200. It writes
// and reads HTTP/1.1 itself, because a general client costs more than the
// servers that are measured, on the same two cores.
func load(ctx context.Context, base string, paths []string, once bool, connections int, d time.Duration) (hits, error) {
	u, err := url.Parse(base)
	if err != nil {
		return hits{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var (
		mu    sync.Mutex
		all   []time.Duration
		bytes int64
		fail  error
		wg    sync.WaitGroup
	)
	begin := time.Now()
	for c := range connections {
		wg.Go(func() {
			took, n, err := drive(ctx, u.Host, paths, once, c, connections)
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
			bytes += n
			if err != nil && fail == nil {
				fail = err
				cancel()
			}
		})
	}
	wg.Wait()
	elapsed := time.Since(begin).Seconds()
	if fail != nil {
		return hits{}, fail
	}
	if len(all) == 0 {
		return hits{}, errors.New("no answer in time")
	}
	slices.Sort(all)
	return hits{
		rate:   float64(len(all)) / elapsed,
		p50:    all[len(all)/2],
		p99:    all[len(all)*99/100],
		bytes:  bytes,
		mbRate: float64(bytes) / 1e6 / elapsed,
	}, nil
}

// drive is one connection of load: it asks for every step-th path. A server may
// close the connection; then it dials anew.
func drive(ctx context.Context, host string, paths []string, once bool, from, step int) (took []time.Duration, total int64, err error) {
	var conn net.Conn
	var r *bufio.Reader
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	for i := from; ctx.Err() == nil && !(once && i >= len(paths)); i += step {
		if conn == nil {
			if conn, err = net.Dial("tcp", host); err != nil {
				return took, total, err
			}
			r = bufio.NewReaderSize(conn, 256<<10)
		}
		path := paths[i%len(paths)]
		begin := time.Now()
		if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: wenlan-bench\r\nAccept: */*\r\n\r\n", path, host); err != nil {
			return took, total, err
		}
		status, n, closes, err := readAnswer(r)
		if err != nil {
			return took, total, fmt.Errorf("GET %s: %w", path, err)
		}
		if status != 200 {
			return took, total, fmt.Errorf("GET %s: status %d", path, status)
		}
		took = append(took, time.Since(begin))
		total += n
		if closes {
			conn.Close()
			conn = nil
		}
	}
	return took, total, nil
}

// readAnswer reads one HTTP/1.1 response and drops its body (RFC 9112, section 6).
func readAnswer(r *bufio.Reader) (status int, body int64, closes bool, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, 0, false, err
	}
	if len(line) < 12 || string(line[:5]) != "HTTP/" {
		return 0, 0, false, fmt.Errorf("not an HTTP answer: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, false, err
	}
	length, chunked := int64(-1), false
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, 0, false, err
		}
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			break
		}
		k, v, _ := strings.Cut(text, ":")
		v = strings.TrimSpace(v)
		switch strings.ToLower(k) {
		case "content-length":
			if length, err = strconv.ParseInt(v, 10, 64); err != nil {
				return 0, 0, false, err
			}
		case "transfer-encoding":
			chunked = strings.EqualFold(v, "chunked")
		case "connection":
			closes = strings.EqualFold(v, "close")
		}
	}
	switch {
	case chunked:
		body, err = dropChunks(r)
	case length >= 0:
		body, err = drop(r, length)
	default:
		body, err = io.Copy(io.Discard, r)
		closes = true
	}
	return status, body, closes, err
}

// drop reads n bytes and forgets them.
func drop(r *bufio.Reader, n int64) (int64, error) {
	var done int64
	for done < n {
		step, err := r.Discard(int(min(n-done, 1<<30)))
		done += int64(step)
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// dropChunks reads a chunked body (RFC 9112, section 7.1) without trailers.
func dropChunks(r *bufio.Reader) (int64, error) {
	var total int64
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return total, err
		}
		hex, _, _ := strings.Cut(strings.TrimSpace(string(line)), ";")
		n, err := strconv.ParseInt(hex, 16, 64)
		if err != nil {
			return total, err
		}
		got, err := drop(r, n)
		total += got
		if err != nil {
			return total, err
		}
		if _, err := drop(r, 2); err != nil {
			return total, err
		}
		if n == 0 {
			return total, nil
		}
	}
}
