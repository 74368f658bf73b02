package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// site is a data folder and the process that serves it.
type site struct {
	program
	name string
	url  string
	args []string // of the command that serves it
	cmd  *exec.Cmd
	log  *lockedBuffer
}

// lockedBuffer is what a process says, which is read while it runs.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// freePort is a port that nobody listens on just now.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return port
}

func newSite(t *testing.T, name string) *site {
	port := freePort(t)
	return &site{program: program{t, filepath.Join(t.TempDir(), name)}, name: name, url: "http://127.0.0.1:" + port}
}

// start serves the folder, and returns once it answers.
func (s *site) start(args ...string) {
	s.t.Helper()
	s.args, s.log = args, &lockedBuffer{}
	s.cmd = s.command(append(args, "--listen", strings.TrimPrefix(s.url, "http://"), "--url", s.url)...)
	s.cmd.Env = append(s.cmd.Env, "WENLAN_POLL=500ms", "WENLAN_LOG_LEVEL=info")
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	cmd, log := s.cmd, s.log
	s.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGCONT)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if s.t.Failed() {
			text := log.String()
			s.t.Logf("%s said:\n%s", s.name, text[max(0, len(text)-6000):])
		}
	})
	wait(s.t, s.name+" answers", 20*time.Second, func() bool {
		_, err := fetch(s.url+"/healthz", time.Second)
		return err == nil
	})
}

func (s *site) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// fails runs a command that must exit with code, and returns what it says.
func (s *site) fails(code int, args ...string) string {
	s.t.Helper()
	out, err := s.command(args...).CombinedOutput()
	exit, ok := err.(*exec.ExitError)
	if !ok || exit.ExitCode() != code {
		s.t.Fatalf("wenlan %s: %v, want exit code %d\n%s", strings.Join(args, " "), err, code, out)
	}
	return string(out)
}

type siteStatus struct {
	Library string
	Size    int64
	Root    string
	Safe    int64
	Mirror  *struct {
		Files, Wanted, Target int64
	}
	Alarm *struct{ Kind, Message string }
}

func (s *site) status() (st siteStatus) {
	raw, err := fetch(s.url+"/api/v1/status", 2*time.Second)
	if err == nil {
		err = json.Unmarshal(raw, &st)
	}
	if err != nil {
		return siteStatus{}
	}
	return st
}

func fetch(url string, patience time.Duration) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, raw)
	}
	return raw, err
}

// wait waits for what a process will do.
func wait(t *testing.T, what string, patience time.Duration, done func() bool) {
	t.Helper()
	begin := time.Now()
	for !done() {
		if time.Since(begin) > patience {
			t.Fatalf("after %v not yet: %s", patience, what)
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Logf("%s: after %v", what, time.Since(begin).Round(10*time.Millisecond))
}

// book writes a text and adds it; the number of its record is returned, and
// whether it was safe when the command ended.
func (s *site) book(title string) (n int64, safe bool) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), title+".txt")
	if err := os.WriteFile(file, fmt.Appendf(nil, "%s\n\nOnce there was a library with many copies of itself. This is the story of %s.\n", title, title), 0o644); err != nil {
		s.t.Fatal(err)
	}
	n = -1
	for _, l := range lines[struct {
		Status string
		Record int64
		Safe   bool
	}](s.t, s.run("add", "--json", "--basis", "public-domain", "--evidence", "written for a test", file)) {
		if l.Status == "added" {
			n = l.Record
		}
		safe = safe || l.Safe
	}
	if n < 0 {
		s.t.Fatalf("%s was not added", title)
	}
	return n, safe
}

// has says whether a site shows a record and gives its file.
func (s *site) has(n int64, title string) bool {
	raw, err := fetch(fmt.Sprintf("%s/records/%d/files/%s.txt", s.url, n, title), 2*time.Second)
	return err == nil && bytes.Contains(raw, []byte(title))
}

// mirrorKey is the key of a mirror, as a charter names it.
func (s *site) key(name string) string {
	s.t.Helper()
	for _, k := range lines[struct{ Key, Public string }](s.t, s.run("charter", "keys", "--json")) {
		if k.Key == name {
			return k.Public
		}
	}
	s.t.Fatalf("%s has no key %s", s.name, name)
	return ""
}

// TestSuccession loses an origin with its folder while somebody reads. Two of three
// trustees give the library to one of five mirrors, all others follow it, nothing
// safe is lost, and the old origin comes back from a backup and does no harm.
func TestSuccession(t *testing.T) {
	if testing.Short() {
		t.Skip("six processes")
	}
	dir := t.TempDir()
	origin := newSite(t, "origin")
	var mirrors []*site
	for i := range 5 {
		mirrors = append(mirrors, newSite(t, fmt.Sprintf("mirror%d", i+1)))
	}
	key := func(name string) string { return filepath.Join(dir, name+".key") }
	origin.run("init", "--name", "Copies", "--url", origin.url, "--contact", "mailto:a@example.org", "--trustee-key", key("founder"))
	var urls []string
	for _, m := range mirrors {
		urls = append(urls, m.url)
	}
	settings, err := os.OpenFile(filepath.Join(origin.data, "wenlan.toml"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(settings, "witnesses = ['%s']\n", strings.Join(urls[:3], "', '"))
	if err := settings.Close(); err != nil {
		t.Fatal(err)
	}
	origin.start("serve")
	library := origin.status().Library
	first, _ := origin.book("First")

	// Five mirrors, which know the origin, and each other by what they announce.
	for _, m := range mirrors {
		m.start("mirror", origin.url+"#"+library)
	}
	// Three trustees, of whom two must sign; three witnesses, of whom two are the quorum.
	anna := strings.TrimSpace(string(origin.run("charter", "keygen", key("anna"))))
	bo := strings.TrimSpace(string(origin.run("charter", "keygen", key("bo"))))
	note := filepath.Join(dir, "two.note")
	origin.run("charter", "draft", "-o", note, "--trustee", anna, "--trustee", bo, "--threshold", "2", "--quorum", "2",
		"--witness", mirrors[0].key("mirror"), "--witness", mirrors[1].key("mirror"), "--witness", mirrors[2].key("mirror"))
	origin.run("charter", "sign", note, "--key", key("founder"), "--yes")
	origin.run("charter", "sign", note, "--key", key("anna"), "--yes")
	origin.run("charter", "publish", note)
	wait(t, "two witnesses have cosigned", 20*time.Second, func() bool { return origin.status().Safe >= 3 })
	second, safe := origin.book("Second")
	if !safe {
		t.Error("the second book is not safe, with three witnesses at hand")
	}
	wait(t, "all mirrors have the second book", 20*time.Second, func() bool {
		return !slices.ContainsFunc(mirrors, func(m *site) bool { return !m.has(second, "Second") })
	})
	safeSize := origin.status().Safe

	// Somebody reads, now here, now there, wherever the book is to be had.
	reading, stop := context.WithCancel(context.Background())
	var reader sync.WaitGroup
	var reads atomic.Int64
	defer reader.Wait()
	defer stop()
	reader.Go(func() {
		all := append([]*site{origin}, mirrors...)
		for i := 0; reading.Err() == nil; i++ {
			read := false
			for try := range len(all) {
				if s := all[(i+try)%len(all)]; s.has(first, "First") {
					read = true
					break
				}
			}
			if !read && reading.Err() == nil {
				t.Error("a reader finds no copy of the book")
				return
			}
			reads.Add(1)
			time.Sleep(time.Millisecond) // readers take their time
		}
	})

	// No mirror sees the third book: it is acknowledged, and not safe. Then the origin
	// is lost with all that it has, but for a backup.
	for _, m := range mirrors[:4] {
		m.signal(syscall.SIGSTOP)
	}
	mirrors[4].signal(syscall.SIGKILL) // so that the reader need not wait for it
	third, safe := origin.book("Third")
	if safe {
		t.Error("the third book is said to be safe")
	}
	backup := filepath.Join(dir, "backup")
	if out, err := exec.Command("cp", "-a", origin.data, backup).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	origin.signal(syscall.SIGKILL)
	_ = origin.cmd.Wait()
	if err := os.RemoveAll(origin.data); err != nil {
		t.Fatal(err)
	}
	for _, m := range mirrors[:4] {
		m.signal(syscall.SIGCONT)
	}
	_ = mirrors[4].cmd.Wait()
	mirrors[4].start("serve") // a mirror's folder goes on being one
	before := reads.Load()
	wait(t, "the reader goes on", 10*time.Second, func() bool { return reads.Load() > before+5 })

	// One signature is not enough, two are.
	heir := mirrors[0]
	note = filepath.Join(dir, "three.note")
	if said := string(heir.run("charter", "draft", "--succeed", "--address", heir.url, "-o", note)); !strings.Contains(said, "2 of 2 witnesses") {
		t.Errorf("the heir is to be a witness of itself: %s", said)
	}
	heir.run("charter", "sign", note, "--key", key("anna"), "--yes")
	if said := heir.fails(3, "succeed", note); !strings.Contains(said, "1 more of the trustees") {
		t.Errorf("with one signature: %s", said)
	}
	if said := heir.fails(3, "add", filepath.Join(dir, "anna.key")); !strings.Contains(said, "mirror") {
		t.Errorf("a mirror takes in a file: %s", said)
	}
	if said := heir.fails(3, "charter", "publish", note, "--to", mirrors[3].url); !strings.Contains(said, "1 more of the trustees") {
		t.Errorf("with one signature, to a mirror: %s", said)
	}
	for _, m := range mirrors {
		if said := string(m.run("charter", "show", "--json")); !strings.Contains(said, `"version":2`) {
			t.Errorf("%s has taken a charter that does not count: %s", m.name, said)
		}
	}
	heir.run("charter", "sign", note, "--key", key("bo"), "--yes")
	if said := mirrors[1].fails(3, "succeed", note); !strings.Contains(said, "no key here") {
		t.Errorf("another mirror: %s", said)
	}
	heir.run("succeed", note)
	begin := time.Now()
	wait(t, "the witnesses have told the new origin where they are", 20*time.Second, func() bool {
		list, err := fetch(heir.url+"/mirrors.json", 2*time.Second)
		return err == nil && bytes.Contains(list, []byte(urls[1])) && bytes.Contains(list, []byte(urls[2]))
	})
	fourth, safe := heir.book("Fourth")
	if !safe {
		t.Error("the new origin's first book is not safe, with two witnesses at hand")
	}
	wait(t, "all other mirrors have the fourth book", time.Minute, func() bool {
		return !slices.ContainsFunc(mirrors, func(m *site) bool { return !m.has(fourth, "Fourth") })
	})
	t.Logf("the fourth book was everywhere after %v; %d reads", time.Since(begin), reads.Load())
	for _, m := range mirrors {
		st := m.status()
		if st.Size < safeSize || st.Root != heir.status().Root {
			t.Errorf("%s has %d entries, root %s", m.name, st.Size, st.Root)
		}
		if !m.has(first, "First") || !m.has(second, "Second") || m.has(third, "Third") {
			t.Errorf("%s: a safe book is lost, or one is there that the library does not have", m.name)
		}
	}

	if said := heir.fails(3, "charter", "publish", filepath.Join(dir, "two.note"), "--to", mirrors[3].url); !strings.Contains(said, "has been followed") {
		t.Errorf("a charter that was replayed: %s", said)
	}

	// The old origin comes back from its backup, and finds that it is one no more.
	back := &site{program: program{t, backup}, name: "the old origin", url: origin.url}
	for n := range safeSize {
		if n != first && n != second {
			continue
		}
		was := back.run("show", "--json", strconv.FormatInt(n, 10))
		for _, m := range mirrors {
			if is := m.run("show", "--json", strconv.FormatInt(n, 10)); !bytes.Equal(was, is) {
				t.Errorf("%s: record %d, which was safe, is\n%s and was\n%s", m.name, n, is, was)
			}
		}
	}
	back.start("serve")
	wait(t, "the old origin follows the new one", 30*time.Second, func() bool {
		st := back.status()
		return st.Mirror != nil && st.Root == heir.status().Root
	})
	if said := back.fails(3, "add", key("anna")); !strings.Contains(said, "mirror") {
		t.Errorf("the old origin takes in a file: %s", said)
	}
	wait(t, "the old origin has the fourth book", 20*time.Second, func() bool { return back.has(fourth, "Fourth") })
	if back.has(third, "Third") {
		t.Error("the old origin serves what the library does not have")
	}
	for _, m := range mirrors {
		if st := m.status(); st.Root != heir.status().Root {
			t.Errorf("%s has left the new origin: %+v", m.name, st)
		}
	}

	// What only the old origin had acknowledged is reported there, as what it is, and
	// the new one takes it in when its librarian says so.
	if said := string(heir.run("branches")); !strings.Contains(said, "no branch here") {
		t.Errorf("the new origin: %s", said)
	}
	if said := string(back.run("branches")); !strings.Contains(said, "1 entry from number 4 on, acknowledged and never safe") {
		t.Errorf("the old origin: %s", said)
	}
	if said := string(back.run("branches", "show", "1")); !strings.Contains(said, "Third") {
		t.Errorf("the branch: %s", said)
	}
	carried := filepath.Join(dir, "carried")
	back.run("branches", "save", "1", carried)
	type entry struct {
		Status string
		Entry  int64
	}
	again := lines[entry](t, heir.run("branches", "accede", carried, "--json"))
	if len(again) == 0 || again[0].Status != "acceded" {
		t.Fatalf("the branch is not taken in: %+v", again)
	}
	wait(t, "the third book is everywhere", time.Minute, func() bool {
		return !slices.ContainsFunc(append(mirrors, back), func(s *site) bool { return !s.has(again[0].Entry, "Third") })
	})
	if twice := lines[entry](t, heir.run("branches", "accede", carried, "--json")); len(twice) > 0 && twice[0].Status == "acceded" {
		t.Errorf("the branch is taken in twice: %+v", twice)
	}
	for _, s := range append(mirrors, back) {
		s.run("verify")
	}
}
