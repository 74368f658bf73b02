package torrent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/record"
)

// stocked is a library with files on the disk and one shelf of them all.
type stocked struct {
	*library
	blobs *blob.Local
	dir   string
	refs  []blob.Ref
	m     *Manifest
	shelf Shelf
}

// stock makes a library with files of these lengths, in bytes, and shelves them.
func stock(t testing.TB, sizes ...int) *stocked {
	t.Helper()
	ctx := context.Background()
	dir := t.TempDir()
	l := &stocked{library: newLibrary(t, dir, 0), dir: filepath.Join(dir, "blobs")}
	var err error
	if l.blobs, err = blob.OpenLocal(blob.LocalConfig{Roots: []string{l.dir}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.blobs.Close() })
	rnd := rand.NewChaCha8([32]byte{1})
	for i, n := range sizes {
		data := make([]byte, n)
		_, _ = rnd.Read(data)
		ref, err := l.blobs.Put(ctx, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		l.refs = append(l.refs, ref)
		l.reg.Accession(record.Record{Title: "A book", Kind: record.Book},
			[]record.File{{SHA256: ref.SHA256, Bytes: ref.Bytes, MediaType: "text/plain", Name: fmt.Sprintf("%d.txt", i), Role: record.RoleText}}, free)
	}
	if err := l.blobs.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	if l.m, err = Build(ctx, l.blobs, l.refs, BuildOptions{Left: func(r blob.Ref, err error) { t.Error(r, err) }}); err != nil {
		t.Fatal(err)
	}
	l.shelf = l.put(l.m, "")
	return l
}

// put appends a shelf.
func (l *stocked) put(m *Manifest, replaces string) Shelf {
	l.t.Helper()
	e, raw, err := m.Entry(replaces)
	if err != nil {
		l.t.Fatal(err)
	}
	l.bodies[e.Body.SHA256] = raw
	l.reg.Append(e)
	l.catch()
	s, err := l.ByBody(context.Background(), e.Body.SHA256)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

func (l *stocked) path(sha string) string { return filepath.Join(l.dir, sha[:2], sha[2:4], sha) }

// start runs a service until the test ends.
func (l *stocked) start(cfg Config) *Service {
	l.t.Helper()
	cfg.Shelves, cfg.Blobs = l.Shelves, l.blobs
	s := New(cfg)
	if err := s.Start(); err != nil {
		l.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = s.Run(ctx) })
	l.t.Cleanup(func() { stop(); wg.Wait(); s.Close() })
	return s
}

// leecher is the plainest client.
type leecher struct {
	t    testing.TB
	conn net.Conn
	fast bool
	have []byte // bit field
	meta int    // metadata_size
}

// join connects to the seeder and waits to be unchoked.
func join(t testing.TB, s *Service, h Infohash, fast bool) *leecher {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.seeder.Port()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	l := &leecher{t: t, conn: conn, fast: fast}
	hello := []byte(protocol)
	bits := [8]byte{5: 0x10}
	if fast {
		bits[7] = 4
	}
	hello = append(append(append(hello, bits[:]...), h[:]...), "-XX0000-abcdefghijkl"...)
	if _, err := conn.Write(hello); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, handshakeLen)
	if _, err := io.ReadFull(conn, back); err != nil {
		t.Fatal("no handshake:", err)
	}
	if !bytes.Equal(back[28:48], h[:]) {
		t.Fatal("another torrent")
	}
	l.send(appendMessage(nil, msgInterested))
	for {
		id, payload := l.read()
		switch id {
		case msgBitfield:
			l.have = payload
		case msgExtended:
			v, _, err := benDecode(payload[1:])
			if err != nil {
				t.Fatal(err)
			}
			l.meta = int(v.(map[string]any)["metadata_size"].(int64))
		case msgUnchoke:
			return l
		}
	}
}

func (l *leecher) send(b []byte) {
	l.t.Helper()
	if _, err := l.conn.Write(b); err != nil {
		l.t.Fatal(err)
	}
}

func (l *leecher) read() (byte, []byte) {
	l.t.Helper()
	id, payload, err := l.next()
	if err != nil {
		l.t.Fatal(err)
	}
	return id, payload
}

func (l *leecher) next() (byte, []byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(l.conn, head[:]); err != nil {
		return 0, nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(l.conn, b); err != nil || len(b) == 0 {
		return 0xff, nil, err
	}
	return b[0], b[1:], nil
}

// block asks for a block; ok is false when it was rejected.
func (l *leecher) block(piece, begin, length int) (data []byte, ok bool) {
	l.t.Helper()
	var b [12]byte
	binary.BigEndian.PutUint32(b[:], uint32(piece))
	binary.BigEndian.PutUint32(b[4:], uint32(begin))
	binary.BigEndian.PutUint32(b[8:], uint32(length))
	l.send(appendMessage(nil, msgRequest, b[:]...))
	for {
		id, payload := l.read()
		switch id {
		case msgPiece:
			if !bytes.Equal(payload[:8], b[:8]) {
				l.t.Fatal("another block")
			}
			return payload[8:], true
		case msgReject:
			return nil, false
		}
	}
}

// file reads a whole file of the shelf, and its padding.
func (l *leecher) file(st *stocked, i int) []byte {
	l.t.Helper()
	at := newLoaded(st.shelf, st.m, time.Now())
	var out []byte
	for p := at.starts[i]; p < at.end(i); p++ {
		for off := 0; off < int(st.m.PieceLength); off += maxBlock {
			b, ok := l.block(p, off, maxBlock)
			if !ok {
				l.t.Fatalf("piece %d is refused", p)
			}
			out = append(out, b...)
		}
	}
	return out
}

func TestSeeding(t *testing.T) {
	st := stock(t, 1, 3<<20, PieceSmall, PieceSmall+1, 500_000)
	s := st.start(Config{Listen: "127.0.0.1:0"})
	for _, fast := range []bool{true, false} {
		l := join(t, s, st.shelf.Infohash, fast)
		for i, f := range st.m.Files {
			data := l.file(st, i)
			sum := sha256.Sum256(data[:f.Bytes])
			if hex.EncodeToString(sum[:]) != f.SHA256 || len(bytes.Trim(data[f.Bytes:], "\x00")) > 0 {
				t.Errorf("file %d is wrong", i)
			}
		}
		// The metadata, as a magnet link wants it.
		l.send(appendMessage(nil, msgExtended, []byte("\x00d1:md11:ut_metadatai7eee")...))
		var info []byte
		for i := 0; len(info) < l.meta; i++ {
			l.send(appendMessage(nil, msgExtended, fmt.Appendf(nil, "\x01d8:msg_typei0e5:piecei%dee", i)...))
			_, payload := l.read()
			v, n, err := benDecode(payload[1:])
			if err != nil || payload[0] != 7 || v.(map[string]any)["msg_type"] != int64(1) {
				t.Fatal(v, err)
			}
			info = append(info, payload[1+n:]...)
		}
		if !bytes.Equal(info, st.m.Info(st.shelf.Body.SHA256)) {
			t.Error("the metadata is wrong")
		}
	}
	if s.seeder.Sent() < 2*st.m.Bytes() {
		t.Error("sent", s.seeder.Sent())
	}
}

// logged counts warnings.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(p))
	return len(p), nil
}

func (l *logged) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.lines)
}

// TestRot: a file that rots or vanishes while it is seeded is never sent wrong, its
// pieces are withdrawn, the others stay, and the log says so once.
func TestRot(t *testing.T) {
	st := stock(t, 3*PieceSmall, 2*PieceSmall, 1000, 2000)
	var out logged
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn}))
	now := time.Now()
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	s := st.start(Config{Listen: "127.0.0.1:0", Log: log, CacheBytes: 1, Now: clock})
	l := join(t, s, st.shelf.Infohash, true)
	at := newLoaded(st.shelf, st.m, now)
	file := func(bytes int64) int {
		return slices.IndexFunc(st.m.Files, func(f File) bool { return f.Bytes == bytes })
	}
	rots, goes, cut := file(3*PieceSmall), file(2*PieceSmall), file(2000)
	l.file(st, rots)
	good, err := os.ReadFile(st.path(st.m.Files[rots].SHA256))
	if err != nil {
		t.Fatal(err)
	}
	bad := bytes.Clone(good)
	bad[PieceSmall+7] ^= 1
	if err := os.WriteFile(st.path(st.m.Files[rots].SHA256), bad, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(st.path(st.m.Files[goes].SHA256)); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(st.path(st.m.Files[cut].SHA256), 1999); err != nil {
		t.Fatal(err)
	}
	ask := func(l *leecher, piece int, want bool) {
		t.Helper()
		if _, ok := l.block(piece, 0, 16<<10); ok != want {
			t.Errorf("piece %d: %v", piece, ok)
		}
	}
	for range 3 {
		ask(l, at.starts[rots], true)
		ask(l, at.starts[rots]+1, false)
		ask(l, at.starts[rots]+2, true)
		ask(l, at.starts[goes], false)
		ask(l, at.starts[goes]+1, false)
		ask(l, at.starts[cut], false)
		ask(l, at.starts[file(1000)], true)
	}
	if out.count() != 3 {
		t.Errorf("%d warnings: %q", out.count(), out.lines)
	}
	// A newcomer is not told of them.
	two := join(t, s, st.shelf.Infohash, true)
	for _, p := range []int{at.starts[rots] + 1, at.starts[goes], at.starts[cut]} {
		if two.have == nil || two.have[p/8]&(0x80>>(p%8)) != 0 {
			t.Errorf("piece %d is offered", p)
		}
	}
	// One without the Fast extension is let go rather than left waiting.
	three := join(t, s, st.shelf.Infohash, false)
	three.send(appendMessage(nil, msgRequest, 0, 0, 0, byte(at.starts[goes]), 0, 0, 0, 0, 0, 0, 64, 0))
	if _, _, err := three.next(); err == nil {
		t.Error("it waits")
	}
	// What came back is given again, after a while.
	if err := os.WriteFile(st.path(st.m.Files[rots].SHA256), good, 0o644); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	now = now.Add(again + time.Second)
	mu.Unlock()
	ask(join(t, s, st.shelf.Infohash, true), at.starts[rots]+1, true)
}

// TestStop: a withdrawal ends the seeding of the shelf, in BitTorrent, at the web
// seed, in the tracker and in the torrent file, and a shelf that replaces it goes on.
func TestStop(t *testing.T) {
	st := stock(t, 1000, 2000, PieceSmall+5)
	s := st.start(Config{Listen: "127.0.0.1:0"})
	mux := http.NewServeMux()
	s.Routes(mux)
	get := func(path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path, nil)
		r.RemoteAddr = "192.0.2.1:1234"
		mux.ServeHTTP(w, r)
		return w
	}
	announce := "/tracker/announce?peer_id=-XX0000-abcdefghijkl&port=0&left=1&info_hash=" + escape(st.shelf.Infohash)
	seed := "/shelves/seed/" + st.shelf.Name() + "/" + st.m.Files[0].SHA256
	torrent := "/shelves/" + st.shelf.Infohash.String() + ".torrent"
	for _, path := range []string{seed, torrent, announce} {
		if w := get(path); w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	l := join(t, s, st.shelf.Infohash, true)
	l.file(st, 0)
	st.reg.Append(record.Entry{Type: record.TypeWithdrawal, Blob: st.refs[1].SHA256, Ground: "a court said so"})
	st.catch()
	for { // the connection ends by itself
		if _, _, err := l.next(); err != nil {
			break
		}
	}
	for _, path := range []string{seed, torrent} {
		if w := get(path); w.Code != 451 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
	if w := get(announce); !strings.Contains(w.Body.String(), "failure reason") {
		t.Errorf("tracker: %s", w.Body)
	}
	if _, err := s.store.get(t.Context(), st.shelf.Infohash); !errs.Is(err, errs.Withdrawn) {
		t.Error(err)
	}
	rest := st.m.Without(func(sha string) bool { return sha == st.refs[1].SHA256 })
	next := st.put(rest, st.shelf.Body.SHA256)
	if old, err := st.ByNumber(t.Context(), 1); err != nil || old.State() != StateReplaced || next.Replaces != 1 {
		t.Errorf("%v %v, %v", old.State(), err, next.Replaces)
	}
	st.m, st.shelf = rest, next
	join(t, s, next.Infohash, true).file(st, 0)
}

func escape(h Infohash) string {
	var b strings.Builder
	for _, c := range h {
		fmt.Fprintf(&b, "%%%02x", c)
	}
	return b.String()
}

// TestWebSeed: files and padding by their paths, ranges, and nothing else.
func TestWebSeed(t *testing.T) {
	st := stock(t, 1000, PieceSmall)
	denied := ""
	s := st.start(Config{URL: "https://a.example", Mirrors: func(n int64) []string { return []string{"https://b.example/", "https://a.example"} },
		Denied: func(_ context.Context, sha string) bool { return sha == denied }})
	mux := http.NewServeMux()
	s.Routes(mux)
	small := slices.IndexFunc(st.m.Files, func(f File) bool { return f.Bytes == 1000 })
	root := "/shelves/seed/" + st.shelf.Name() + "/"
	get := func(path, span string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", path, nil)
		if span != "" {
			r.Header.Set("Range", span)
		}
		mux.ServeHTTP(w, r)
		return w
	}
	w := get(root+st.m.Files[small].SHA256, "bytes=10-19")
	want, _ := os.ReadFile(st.path(st.m.Files[small].SHA256))
	if w.Code != 206 || !bytes.Equal(w.Body.Bytes(), want[10:20]) {
		t.Error(w.Code, w.Body)
	}
	w = get(root+fmt.Sprintf(".pad/%d", small), "bytes=0-99")
	if w.Code != 206 || !bytes.Equal(w.Body.Bytes(), make([]byte, 100)) || w.Header().Get("Content-Range") != "bytes 0-99/1047576" {
		t.Error(w.Code, w.Header())
	}
	for _, path := range []string{
		root, root + "..", root + "%2e%2e/x", root + strings.Repeat("0", 64), root + ".pad/9", root + ".pad/-1", root + ".pad/01", root + ".pad/",
		root + fmt.Sprintf(".pad/%d", 1-small), "/shelves/seed/wenlan-x/y", "/shelves/seed/" + st.shelf.Name()[1:] + "/" + st.m.Files[0].SHA256,
		"/shelves/" + strings.ToUpper(st.shelf.Infohash.String()) + ".torrent", "/shelves/x.torrent", "/shelves/" + st.shelf.Infohash.String(),
	} {
		if w := get(path, ""); w.Code != 404 && w.Code != 307 && w.Code != 301 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	denied = st.m.Files[small].SHA256
	if w := get(root+denied, ""); w.Code != 451 {
		t.Errorf("what the keeper refuses: %d", w.Code)
	}
	w = get("/shelves/"+st.shelf.Infohash.String()+".torrent", "")
	v, n, err := benDecode(w.Body.Bytes())
	if err != nil || n != w.Body.Len() {
		t.Fatal(err)
	}
	d := v.(map[string]any)
	if string(d["announce"].([]byte)) != "https://a.example/tracker/announce" || len(d["announce-list"].([]any)) != 2 ||
		len(d["url-list"].([]any)) != 2 || string(d["url-list"].([]any)[1].([]byte)) != "https://b.example/shelves/seed/" {
		t.Errorf("%q", d)
	}
}

func TestTracker(t *testing.T) {
	st := stock(t, 1000)
	s := st.start(Config{})
	mux := http.NewServeMux()
	s.Routes(mux)
	ask := func(from, query string) map[string]any {
		t.Helper()
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/tracker/announce?"+query, nil)
		r.RemoteAddr = from
		mux.ServeHTTP(w, r)
		v, _, err := benDecode(w.Body.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", w.Body, err)
		}
		return v.(map[string]any)
	}
	base := "peer_id=-XX0000-abcdefghijkl&compact=1&info_hash=" + escape(st.shelf.Infohash)
	ask("192.0.2.1:40000", base+"&port=1001&left=5&event=started")
	ask("192.0.2.2:40000", base+"&port=1002&left=0")
	d := ask("[2001:db8::1]:40000", base+"&port=1003&left=5&ip=10.0.0.1")
	if d["complete"] != int64(1) || d["incomplete"] != int64(2) || len(d["peers"].([]byte)) != 12 || d["peers6"] != nil {
		t.Errorf("%q", d)
	}
	d = ask("192.0.2.2:40000", base+"&port=1002&left=0") // one who has it all is told only who has not
	if len(d["peers"].([]byte)) != 6 || len(d["peers6"].([]byte)) != 18 {
		t.Errorf("%q", d)
	}
	ask("192.0.2.1:40000", base+"&port=1001&left=5&event=stopped")
	d = ask("192.0.2.2:40000", base+"&port=1002&left=0&event=stopped")
	if d["complete"] != int64(0) || d["incomplete"] != int64(1) {
		t.Errorf("%q", d)
	}
	for _, bad := range []string{"", "info_hash=x&port=1&peer_id=x", base, base + "&port=70000", base + "&port=-1",
		strings.Replace(base, "info_hash=", "info_hash=%00", 1) + "&port=1",
		"port=1&left=0&peer_id=-XX0000-abcdefghijkl&info_hash=" + strings.Repeat("x", 20), "%zz"} {
		if d := ask("192.0.2.2:40000", bad); d["failure reason"] == nil {
			t.Errorf("%s: %q", bad, d)
		}
	}
	// Tables are bounded: one address cannot fill them.
	for i := range 100 {
		ask("192.0.2.7:1", base+fmt.Sprintf("&port=%d&left=5", 2000+i))
	}
	if d := ask("192.0.2.8:1", base+"&port=5&left=5"); d["incomplete"] != int64(1+maxSwarmHost+1) {
		t.Errorf("%q", d)
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("GET", "/tracker/scrape?info_hash="+escape(st.shelf.Infohash), nil))
	if v, _, err := benDecode(w.Body.Bytes()); err != nil || len(v.(map[string]any)["files"].(map[string]any)) != 1 {
		t.Errorf("%q %v", v, err)
	}
}

// TestTrackerForgets: who is silent is forgotten.
func TestTrackerForgets(t *testing.T) {
	now := time.Unix(0, 0)
	tr := newTracker(func() time.Time { return now })
	a := netip.MustParseAddrPort("192.0.2.1:1")
	tr.announce(Infohash{1}, a, true, "", 50)
	now = now.Add(forgetAfter + sweepEvery)
	tr.announce(Infohash{2}, a, true, "", 50)
	if len(tr.swarms) != 1 || tr.total != 1 {
		t.Errorf("%d torrents, %d clients", len(tr.swarms), tr.total)
	}
}

// TestLoadedIsBounded: torrents are loaded when asked for and the oldest go.
func TestLoadedIsBounded(t *testing.T) {
	st := stock(t, 100)
	shelves := []Shelf{st.shelf}
	for i := range 9 {
		ref, err := st.blobs.Put(t.Context(), strings.NewReader(fmt.Sprint("book ", i)))
		if err != nil {
			t.Fatal(err)
		}
		st.reg.Accession(record.Record{Title: "A book", Kind: record.Book}, []record.File{{SHA256: ref.SHA256, Bytes: ref.Bytes, MediaType: "text/plain", Name: "a.txt", Role: record.RoleText}}, free)
		m, err := Build(t.Context(), st.blobs, []blob.Ref{ref}, BuildOptions{})
		if err != nil {
			t.Fatal(err)
		}
		shelves = append(shelves, st.put(m, ""))
	}
	s := st.start(Config{Listen: "127.0.0.1:0", MaxLoaded: 3})
	for range 2 {
		for _, shelf := range shelves {
			if _, err := s.store.get(t.Context(), shelf.Infohash); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := s.store.order.Len(); n != 3 {
		t.Errorf("%d torrents are loaded", n)
	}
	if _, err := s.store.get(t.Context(), Infohash{1}); !errs.Is(err, errs.NotFound) {
		t.Error(err)
	}
}

// TestBuild: a file that is absent or damaged is left out, and named.
func TestBuild(t *testing.T) {
	st := stock(t, 1000, 2000, 3000, 3*PieceSmall)
	if err := os.Remove(st.path(st.refs[0].SHA256)); err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{1, 3} {
		raw, err := os.ReadFile(st.path(st.refs[i].SHA256))
		if err != nil {
			t.Fatal(err)
		}
		raw[len(raw)-1] ^= 1
		if err := os.WriteFile(st.path(st.refs[i].SHA256), raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	left := map[string]error{}
	m, err := Build(t.Context(), st.blobs, st.refs, BuildOptions{Left: func(r blob.Ref, err error) { left[r.SHA256] = err }})
	if err != nil || len(m.Files) != 1 || m.Files[0].SHA256 != st.refs[2].SHA256 || len(left) != 3 {
		t.Errorf("%v %v %v", m, err, left)
	}
	if !errs.Is(left[st.refs[0].SHA256], errs.NotFound) || !errs.Is(left[st.refs[1].SHA256], errs.Corrupt) {
		t.Error(left)
	}
	// What was checked lately is not checked again, but its length is.
	lately := func(r blob.Ref, written time.Time) bool { return time.Since(written) < time.Hour }
	if m, err := Build(t.Context(), st.blobs, st.refs[1:2], BuildOptions{Checked: lately}); err != nil || len(m.Files) != 1 {
		t.Error(m, err)
	}
	never := func(blob.Ref, time.Time) bool { return false }
	if m, err := Build(t.Context(), st.blobs, st.refs[1:2], BuildOptions{Checked: never}); m != nil || err != nil {
		t.Error(m, err)
	}
	if m, err := Build(t.Context(), st.blobs, st.refs[:1], BuildOptions{}); m != nil || err != nil {
		t.Error(m, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Build(ctx, st.blobs, st.refs, BuildOptions{}); err == nil {
		t.Error("not stopped")
	}
}

// TestMemory: as many full shelves as are loaded at a time take little; what is not
// loaded is not in memory at all.
func TestMemory(t *testing.T) {
	m := &Manifest{PieceLength: PieceLarge}
	for i := range MaxFiles {
		m.Files = append(m.Files, File{SHA256: fmt.Sprintf("%064x", i), Bytes: MaxBytes / MaxFiles, Pieces: make([]byte, 20*pieces(MaxBytes/MaxFiles, PieceLarge))})
	}
	raw, err := m.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const n = 40
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var all []*loaded
	for range n {
		m, err := ParseManifest(raw)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, newLoaded(Shelf{Body: record.Body{SHA256: sum(1)}}, m, time.Now()))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (after.HeapAlloc - before.HeapAlloc) / n
	t.Logf("a full shelf with %d pieces takes %d KiB", all[0].pieces, each>>10)
	if 200*each > 256<<20 {
		t.Errorf("200 of them take %d MiB", 200*each>>20)
	}
}
