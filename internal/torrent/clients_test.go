package torrent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wenlan/internal/copies"
)

// The tests here run the programs that people have, in a network of their own: they
// refuse loopback addresses as peers. The test starts itself again in a new network
// namespace, in which 10.77.0.1 is the library and 10.77.0.2 the client.

const (
	insideEnv   = "WENLAN_TEST_NAMESPACE"
	libraryHost = "10.77.0.1"
	clientHost  = "10.77.0.2"
)

// namespace runs this test again inside a namespace, and returns false; inside it
// returns true.
func namespace(t *testing.T, programs ...string) bool {
	t.Helper()
	if os.Getenv(insideEnv) != "" {
		return true
	}
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	for _, p := range append(programs, "unshare", "ip") {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatalf("%s is not installed", p)
			}
			t.Skipf("%s is not installed", p)
		}
	}
	how := []string{"-n"}
	if os.Getuid() != 0 {
		how = []string{"-U", "-r", "-n"}
	}
	if out, err := exec.Command("unshare", append(how, "ip", "link", "set", "lo", "up")...).CombinedOutput(); err != nil {
		t.Skipf("this machine permits no network namespace: %v %s", err, out)
	}
	script := "ip link set lo up && ip addr add " + libraryHost + "/24 dev lo && ip addr add " + clientHost + "/24 dev lo && exec \"$@\""
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", append(how, "sh", "-c", script, "sh", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v=true")...)
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("in the namespace: %v\n%s", err, out)
		return false
	}
	for line := range strings.Lines(string(out)) {
		if _, said, ok := strings.Cut(line, ".go:"); ok {
			t.Log(strings.TrimSpace(said))
		}
	}
	return false
}

// site serves the routes at an address of the library's and says which were asked for.
func (l *stocked) site(t *testing.T, s *Service, shut string) (base string) {
	t.Helper()
	mux := http.NewServeMux()
	s.Routes(mux)
	ln, err := net.Listen("tcp", libraryHost+":0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if shut != "" && strings.HasPrefix(r.URL.Path, shut) {
			http.Error(w, "shut", http.StatusNotFound)
			return
		}
		mux.ServeHTTP(w, r)
	})}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close() })
	return "http://" + ln.Addr().String()
}

// download fetches a .torrent file of the site.
func download(t *testing.T, base string, shelf Shelf) string {
	t.Helper()
	res, err := http.Get(base + "/shelves/" + shelf.Infohash.String() + ".torrent")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != 200 {
		t.Fatal(res.Status, err)
	}
	name := filepath.Join(t.TempDir(), "shelf.torrent")
	if err := os.WriteFile(name, raw, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// whole checks every file of the shelf by its hash.
func (l *stocked) whole(t *testing.T, dir string) {
	t.Helper()
	for _, f := range l.m.Files {
		raw, err := os.ReadFile(filepath.Join(dir, l.shelf.Name(), f.SHA256))
		if err != nil {
			t.Error(err)
			continue
		}
		if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:]) != f.SHA256 {
			t.Errorf("%s is wrong", f.SHA256)
		}
	}
}

// aria2c downloads a torrent file or a magnet link.
func aria2c(t *testing.T, what string, more ...string) string {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := append([]string{"--dir=" + dir, "--interface=" + clientHost, "--seed-time=0", "--enable-dht=false", "--enable-dht6=false",
		"--enable-peer-exchange=false", "--bt-enable-lpd=false", "--file-allocation=none", "--summary-interval=0", "--no-conf",
		"--console-log-level=warn", "--bt-stop-timeout=30"}, more...)
	out, err := exec.CommandContext(ctx, "aria2c", append(args, what)...).CombinedOutput()
	if err != nil {
		t.Fatalf("aria2c: %v\n%s", err, out)
	}
	return dir
}

// transmission downloads a torrent file with transmission-cli, which seeds on until
// it is stopped; it says through a pipe that it has all.
func transmission(t *testing.T, what string) string {
	t.Helper()
	home, dir := t.TempDir(), t.TempDir()
	settings := fmt.Sprintf(`{"bind-address-ipv4":%q,"dht-enabled":false,"utp-enabled":false,"lpd-enabled":false,"pex-enabled":false,"port-forwarding-enabled":false,"rename-partial-files":false}`, clientHost)
	pipe, script := filepath.Join(home, "done"), filepath.Join(home, "done.sh")
	for name, text := range map[string]string{"settings.json": settings, "done.sh": "#!/bin/sh\necho done > " + pipe + "\n"} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("mkfifo", pipe).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "transmission-cli", "-g", home, "-w", dir, "-M", "-p", "51413", "-f", script, what)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(pipe, os.O_RDWR, 0) // does not wait for the other end
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	have := make(chan struct{})
	go func() {
		var b [4]byte
		_, _ = io.ReadFull(f, b[:])
		close(have)
	}()
	select {
	case <-have:
		_ = cmd.Process.Kill()
		<-ended
	case err := <-ended:
		text := out.String()
		t.Errorf("transmission-cli: %v\n%s", err, text[max(0, len(text)-2000):])
	}
	f.Close()
	return dir
}

// sizes have one, several and odd pieces, and two files of one length, whose padding
// is of one length, too.
var sizes = []int{1, 100, 100, 3*PieceSmall + 17, PieceSmall, 2*PieceSmall - 1, 5 << 20, 700_001, 65_536}

// TestPeersAlone: with all web seeds shut, everything comes from the seeder.
func TestPeersAlone(t *testing.T) {
	if !namespace(t, "aria2c", "transmission-cli") {
		return
	}
	st := stock(t, sizes...)
	s := st.start(Config{Listen: libraryHost + ":0"})
	base := st.site(t, s, "/shelves/seed/")
	file := download(t, base, st.shelf)
	start := time.Now()
	st.whole(t, aria2c(t, file))
	t.Log("aria2c, peers alone:", time.Since(start))
	start = time.Now()
	st.whole(t, aria2c(t, copies.Shelf{Infohash: st.shelf.Infohash.String(), Body: st.shelf.Body.SHA256, Bytes: st.shelf.Bytes, State: copies.Seeded}.Magnet(base), "--bt-save-metadata=false"))
	t.Log("aria2c, magnet link:", time.Since(start))
	if sent := s.seeder.Sent(); sent < 2*st.m.Bytes() {
		t.Errorf("only %d bytes came from the seeder", sent)
	}
	start = time.Now()
	st.whole(t, transmission(t, file))
	t.Log("transmission-cli, peers alone:", time.Since(start))
}

// TestWebSeedsAlone: nobody listens for BitTorrent.
func TestWebSeedsAlone(t *testing.T) {
	if !namespace(t, "aria2c", "transmission-cli") {
		return
	}
	st := stock(t, sizes...)
	s := st.start(Config{})
	file := download(t, st.site(t, s, ""), st.shelf)
	start := time.Now()
	st.whole(t, aria2c(t, file))
	t.Log("aria2c, web seeds alone:", time.Since(start))
	start = time.Now()
	st.whole(t, transmission(t, file))
	t.Log("transmission-cli, web seeds alone:", time.Since(start))
}
