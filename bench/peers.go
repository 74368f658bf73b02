package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"wenlan/bench/measure"
)

// need says whether a peer's program is there, installing its package when it
// may; else it says what is missing.
func (b *bench) need(program, pkg string) bool {
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	if b.install && os.Geteuid() == 0 {
		fmt.Printf("installing %s …\n", pkg)
		for _, args := range [][]string{{"update", "-q"}, {"install", "-y", "-q", "--no-install-recommends", pkg}} {
			cmd := exec.Command("apt-get", args...)
			cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
			if out, err := cmd.CombinedOutput(); err != nil {
				fmt.Printf("apt-get %s: %v\n%s\n", strings.Join(args, " "), err, measure.Tail(out, 5))
			}
		}
		if _, err := exec.LookPath(program); err == nil {
			return true
		}
	}
	fmt.Printf("missing: %s (Debian package %s): it is left out\n", program, pkg)
	return false
}

// command is a program that dies with ctx, with the environment that keeps
// calibre from touching the user's own configuration.
func (b *bench) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(),
		"CALIBRE_CONFIG_DIRECTORY="+filepath.Join(b.dir, "calibre-config"),
		"QT_QPA_PLATFORM=offscreen")
	return cmd
}

// wenlan is a command of the binary under test on a data folder.
func (b *bench) wenlan(ctx context.Context, data string, args ...string) *exec.Cmd {
	cmd := b.command(ctx, b.bin, append([]string{"--data", data}, args...)...)
	cmd.Env = append(cmd.Env, "WENLAN_DATA="+data)
	return cmd
}

// fill takes files into a fresh Wenlan library and gives the seconds it took.
func (b *bench) fill(ctx context.Context, data, folder string) (float64, error) {
	c, _, err := measure.Timed(b.wenlan(ctx, data, "--quiet", "add", folder, "--basis", "public-domain"))
	return c.Wall, err
}

// serveWenlan starts the server on a free port and waits for its home page.
func (b *bench) serveWenlan(ctx context.Context, data string) (*measure.Server, error) {
	return measure.Start(ctx, b.wenlan(ctx, data, "serve", "--listen", "127.0.0.1:0"), "", "/")
}

// recordPaths lists the addresses of the records of a library.
func (b *bench) recordPaths(ctx context.Context, data string) (paths []string, err error) {
	out, err := b.wenlan(ctx, data, "--json", "list").Output()
	if err != nil {
		return nil, fmt.Errorf("wenlan list: %w", err)
	}
	for line := range strings.Lines(string(out)) {
		var l struct {
			Record *int64 `json:"record"`
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			return nil, fmt.Errorf("wenlan list: %w", err)
		}
		if l.Record != nil {
			paths = append(paths, "/records/"+strconv.FormatInt(*l.Record, 10))
		}
	}
	if len(paths) == 0 {
		return nil, errors.New("wenlan list: no records")
	}
	return paths, nil
}

// filePath is the address of the first file of a record.
func (b *bench) filePath(ctx context.Context, data, recordPath string) (string, error) {
	out, err := b.wenlan(ctx, data, "--json", "show", filepath.Base(recordPath)).Output()
	if err != nil {
		return "", fmt.Errorf("wenlan show: %w", err)
	}
	var rec struct {
		Files []struct {
			Name string `json:"name"`
			Role string `json:"role"`
		} `json:"files"`
	}
	if err := json.Unmarshal(out, &rec); err != nil {
		return "", fmt.Errorf("wenlan show: %w", err)
	}
	for _, f := range rec.Files {
		if f.Role == "text" {
			return recordPath + "/files/" + url.PathEscape(f.Name), nil
		}
	}
	return "", fmt.Errorf("wenlan show: %s has no text file", recordPath)
}

// fillCalibre takes files into a fresh calibre library. As root, calibre's
// rendering of covers fails at once, which makes it faster; so be it.
func (b *bench) fillCalibre(ctx context.Context, library, folder string) (float64, error) {
	c, _, err := measure.Timed(b.command(ctx, "calibredb", "add", "--with-library", library, "-r", "-d", folder))
	return c.Wall, err
}

// calibreRecords makes a calibre library of n records through its own library
// code, because calibredb would need most of an hour.
func (b *bench) calibreRecords(ctx context.Context, library string, n int) error {
	script := filepath.Join(b.dir, "records.py")
	const code = `import sys
from calibre.db.legacy import LibraryDatabase
from calibre.ebooks.metadata.book.base import Metadata
db = LibraryDatabase(sys.argv[-2]).new_api
with db.backend.conn:  # one transaction
    for i in range(int(sys.argv[-1])):
        m = Metadata('Title %d of the river and the mountain' % i, ['Author %d' % (i % 997)])
        m.languages = ['eng']
        db.create_book_entry(m)
`
	if err := os.WriteFile(script, []byte(code), 0o644); err != nil {
		return err
	}
	_, _, err := measure.Timed(b.command(ctx, "calibre-debug", script, "--", library, strconv.Itoa(n)))
	return err
}

// serveCalibre starts calibre-server and waits for its list page.
func (b *bench) serveCalibre(ctx context.Context, library string) (*measure.Server, error) {
	port, err := measure.FreePort()
	if err != nil {
		return nil, err
	}
	cmd := b.command(ctx, "calibre-server", "--listen-on", "127.0.0.1", "--port", strconv.Itoa(port), library)
	return measure.Start(ctx, cmd, fmt.Sprintf("http://127.0.0.1:%d", port), calibreList)
}

// The pages of calibre-server that are made on the server, 25 books each; for a
// single book it has only JSON.
const calibreList = "/mobile?num=25"

// serveNginx starts nginx over a folder, with sendfile, and waits for a file.
func (b *bench) serveNginx(ctx context.Context, root, probe string) (*measure.Server, error) {
	port, err := measure.FreePort()
	if err != nil {
		return nil, err
	}
	prefix := filepath.Join(b.dir, "nginx")
	if err := os.MkdirAll(filepath.Join(prefix, "tmp"), 0o755); err != nil {
		return nil, err
	}
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;"
	}
	conf := fmt.Sprintf(`%s
daemon off;
worker_processes auto;
pid %s/pid;
error_log %s/error.log;
events { worker_connections 256; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
  client_body_temp_path %[2]s/tmp; proxy_temp_path %[2]s/tmp; fastcgi_temp_path %[2]s/tmp; uwsgi_temp_path %[2]s/tmp; scgi_temp_path %[2]s/tmp;
  server { listen 127.0.0.1:%[4]d; root %[5]s; }
}
`, user, prefix, prefix, port, root)
	file := filepath.Join(prefix, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		return nil, err
	}
	cmd := b.command(ctx, "nginx", "-p", prefix, "-e", filepath.Join(prefix, "error.log"), "-c", file)
	return measure.Start(ctx, cmd, fmt.Sprintf("http://127.0.0.1:%d", port), probe)
}
