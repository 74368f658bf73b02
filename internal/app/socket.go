package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"wenlan/internal/errs"
)

// The protocol of the socket: POST /do with a Request on one line, and behind it,
// while the answer is read already, the standard input of an import that asks for it;
// the answer is one Event a line. The last line is an Error event, or {} when all went well; an answer
// that ends without either was cut off. Closing the connection cancels the work.

// maxRequest bounds a request on the socket, in bytes.
const maxRequest = 64 << 20

// maxSocketPath is what sun_path of sockaddr_un takes on Linux, less the final NUL.
const maxSocketPath = 107

func socketPath(cfg Config) string { return cfg.path("wenlan.sock") }

// dialSocket connects to a socket whose path may be too long for the kernel: it
// is then reached through its folder's file descriptor.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	var d net.Dialer
	if len(path) <= maxSocketPath {
		return d.DialContext(ctx, "unix", path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return d.DialContext(ctx, "unix", procPath(dir, path))
}

// listenSocket makes the owner's socket, mode 0600. The owner holds the lock, so
// a socket that is there is left from a process that ended badly.
func listenSocket(path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	name := path
	if len(path) > maxSocketPath {
		name = procPath(dir, path)
	}
	old := umask(0o177) // the socket is never there with another mode
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	umask(old)
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false)
	return &socketListener{ln, path}, nil
}

type socketListener struct {
	net.Listener
	path string
}

func (l *socketListener) Close() error {
	_ = os.Remove(l.path) // the next owner removes it otherwise
	return l.Listener.Close()
}

// callOwner hands the request to the process that owns the folder. served is
// false when there is none.
func callOwner(ctx context.Context, cfg Config, req Request, emit func(Event)) (served bool, err error) {
	path := socketPath(cfg)
	if _, err := os.Stat(path); err != nil {
		return false, nil
	}
	conn, err := dialSocket(ctx, path)
	if err != nil {
		return false, nil // left from a process that ended badly; the lock decides
	}
	conn.Close()
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dialSocket(ctx, path) },
	}}
	raw, err := json.Marshal(req)
	if err != nil {
		return true, err
	}
	var body io.Reader = bytes.NewReader(raw)
	if req.Import != nil && req.Import.Stdin != nil {
		body = io.MultiReader(body, strings.NewReader("\n"), req.Import.Stdin)
	}
	post, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://wenlan/do", body)
	if err != nil {
		return true, err
	}
	post.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(post)
	if err != nil {
		if ctx.Err() != nil {
			return true, ctx.Err()
		}
		return true, errs.New(errs.Locked, "the process that owns %s does not answer: %w", cfg.Data, err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxRequest)
	for lines.Scan() {
		var ev Event
		if err := json.Unmarshal(lines.Bytes(), &ev); err != nil {
			return true, errs.New(errs.Internal, "the owner of %s speaks another version of this program: %w", cfg.Data, err)
		}
		switch {
		case ev.Error != nil:
			return true, ev.Error.err()
		case ev == Event{}:
			return true, nil
		}
		emit(ev)
	}
	if ctx.Err() != nil {
		return true, ctx.Err()
	}
	return true, errs.WithHint(errs.New(errs.Unavailable, "the process that owns %s stopped before the work was done", cfg.Data), "run the same command again: it goes on where it was")
}

// readRequest reads a line, or all there is.
func readRequest(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if len(line)+len(part) > maxRequest {
			return nil, errs.New(errs.TooLarge, "the request is longer than %d bytes", maxRequest)
		}
		line = append(line, part...)
		switch {
		case err == nil || errors.Is(err, io.EOF):
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// serveSocket answers requests until ctx ends; work under way is then cancelled
// and waited for.
func (l *Library) serveSocket(ctx context.Context, ln net.Listener, log *slog.Logger) error {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /do", func(w http.ResponseWriter, r *http.Request) {
		work, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		rc := http.NewResponseController(w)
		var mu sync.Mutex
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		last, quick := time.Now(), false
		say := func(ev Event) {
			mu.Lock()
			defer mu.Unlock()
			if err := enc.Encode(ev); err != nil {
				cancel()
				return
			}
			// An import says much at once, and Imported at the end of it.
			if ev.Progress == nil && (ev.Outcome == nil || !quick) || time.Since(last) > 100*time.Millisecond {
				last = time.Now()
				_ = rc.Flush() // a caller that has gone away cancels the request
			}
		}
		var req Request
		body := bufio.NewReader(r.Body)
		line, err := readRequest(body)
		if err == nil {
			err = json.Unmarshal(line, &req)
		}
		if err == nil && req.Import != nil {
			quick = true
			if slices.Contains(req.Import.Paths, Stdin) {
				req.Import.Stdin = body
				err = rc.EnableFullDuplex()
			}
		}
		if err != nil {
			say(Event{Error: errorEvent(errs.New(errs.Invalid, "not a request: %w", err))})
			return
		}
		w.Header().Set("Content-Type", "application/x-ndjson")
		err = l.do(work, req, say)
		var rest *closing
		if errors.As(err, &rest) {
			if err = errs.New(errs.Internal, "%w", rest); l.reopen != nil {
				say(Event{Reopening: &rest.said})
				defer l.reopen(rest)
				err = nil
			}
		}
		if err != nil {
			if errs.KindOf(err) == errs.Internal && work.Err() == nil {
				log.ErrorContext(ctx, "a request failed", "err", err)
			}
			say(Event{Error: errorEvent(err)})
			return
		}
		say(Event{})
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
		defer cancel()
		_ = srv.Shutdown(grace) // whatever still runs is cut off by the process's end
	})
	defer stop()
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
