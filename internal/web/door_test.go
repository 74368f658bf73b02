package web

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"wenlan/internal/record"
)

// door is a record in some state, and what its doors must answer.
type door struct {
	name   string
	number int64
	file   record.File
	status int // of the file
	record int // of the record page
	drawn  bool
}

// doors makes a record for each state that a door can be in.
func doors(t *testing.T, l *library) []door {
	t.Helper()
	future, past := now.Add(48*time.Hour).Format(time.DateOnly), now.Add(-48*time.Hour).Format(time.DateOnly)
	open := openRights()
	with := func(change func(*record.Rights)) *record.Rights {
		r := *open
		change(&r)
		return &r
	}
	var list []door
	add := func(name string, rights *record.Rights, status, page int, after ...func(n int64, f record.File) record.Entry) {
		f := l.epub(name)
		cover := l.store("cover.png", "image/png", record.RoleCover, append(picture(t), name...))
		n := l.add(record.Record{Title: name, Kind: record.Book}, rights, f, cover)
		for _, fn := range after {
			l.append(fn(n, f))
		}
		list = append(list, door{name, n, f, status, page, status != http.StatusOK})
	}
	withdraw := func(territories ...string) func(int64, record.File) record.Entry {
		return func(n int64, f record.File) record.Entry {
			return record.Entry{Type: record.TypeWithdrawal, Of: &n, Ground: "claim of the estate", Case: "7/26", Critical: true, Territories: territories}
		}
	}
	withdrawBlob := func(n int64, f record.File) record.Entry {
		return record.Entry{Type: record.TypeWithdrawal, Blob: f.SHA256, Ground: "claim", Critical: true}
	}
	restore := func(n int64, f record.File) record.Entry {
		return record.Entry{Type: record.TypeRestoration, Of: &n, Ground: "settled", Critical: true}
	}
	erase := func(n int64, f record.File) record.Entry {
		return record.Entry{Type: record.TypeErasure, Entries: []int64{n}, Ground: "order", Critical: true}
	}
	const ok, no = http.StatusOK, http.StatusForbidden
	add("open", open, ok, ok)
	add("bare assertion", &record.Rights{Basis: record.PublicDomain, Access: record.Open}, ok, ok)
	add("subsidised", with(func(r *record.Rights) { r.Basis, r.Access = record.Permission, record.Subsidised }), ok, ok)
	add("no rights", nil, no, ok)
	add("access none", &record.Rights{Access: record.None}, no, ok)
	add("lent", with(func(r *record.Rights) { r.Basis, r.Access = record.Permission, record.Lend }), no, ok)
	add("sold", with(func(r *record.Rights) { r.Basis, r.Access = record.Permission, record.Sale }), no, ok)
	add("opens later", with(func(r *record.Rights) { r.Basis, r.Access, r.Opens = record.Permission, record.Lend, future }), no, ok)
	add("opened", with(func(r *record.Rights) { r.Basis, r.Access, r.Opens = record.Permission, record.Lend, past }), ok, ok)
	add("other place", with(func(r *record.Rights) { r.Territories = []string{"CN"} }), no, ok)
	add("this place", with(func(r *record.Rights) { r.Territories = []string{"DE", "CN"} }), ok, ok)
	add("withdrawn", open, http.StatusUnavailableForLegalReasons, ok, withdraw())
	add("withdrawn here", open, http.StatusUnavailableForLegalReasons, ok, withdraw("DE"))
	add("withdrawn elsewhere", open, ok, ok, withdraw("FR"))
	add("file withdrawn", open, http.StatusUnavailableForLegalReasons, ok, withdrawBlob)
	add("restored", open, ok, ok, withdraw(), restore)
	add("erased", open, http.StatusGone, http.StatusGone, erase)
	return list
}

func filesOf(d door) string {
	return recordPath(d.number) + "/files/" + url.PathEscape(d.file.Name)
}

// TestDoors tries every door of every state in every way: a shut one never gives
// bytes and never leads elsewhere.
func TestDoors(t *testing.T) {
	l := newLibrary(t, func(c *Config) { c.Place = func(*http.Request) string { return "DE" } })
	for _, d := range doors(t, l) {
		t.Run(d.name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD"} {
				for _, header := range [][]string{
					nil,
					{"Range", "bytes=0-9"}, {"Range", "bytes=-5"}, {"Range", "bytes=0-1,3-4"}, {"Range", "bytes=999999-"},
					{"If-None-Match", `"` + d.file.SHA256 + `"`}, {"If-None-Match", "*"},
					{"Range", "bytes=0-9", "If-Range", `"` + d.file.SHA256 + `"`},
				} {
					for _, path := range []string{filesOf(d), filesOf(d) + "?sha256=" + d.file.SHA256, filesOf(d) + "?ui=zh-Hans"} {
						res := l.get(method, path, header...)
						body, _ := io.ReadAll(res.Body)
						if d.status != http.StatusOK {
							if res.StatusCode != d.status {
								t.Errorf("%s %s %v: status %d, want %d", method, path, header, res.StatusCode, d.status)
							}
							if strings.Contains(string(body), "the text of") || res.Header.Get("ETag") != "" || res.Header.Get("Location") != "" || res.Header.Get("Accept-Ranges") != "" {
								t.Errorf("%s %s %v gives something away: %v %.80s", method, path, header, res.Header, body)
							}
							continue
						}
						if res.StatusCode >= 300 && res.StatusCode != http.StatusNotModified && res.StatusCode != http.StatusRequestedRangeNotSatisfiable {
							t.Errorf("%s %s %v: status %d", method, path, header, res.StatusCode)
						}
						if method == "HEAD" && len(body) > 0 && res.StatusCode != http.StatusRequestedRangeNotSatisfiable { // which a server cuts off
							t.Errorf("HEAD %s has a body", path)
						}
					}
				}
			}
			if res := l.get("GET", recordPath(d.number)); res.StatusCode != d.record {
				t.Errorf("record page: status %d, want %d", res.StatusCode, d.record)
			}
			res := l.get("GET", recordPath(d.number)+"/cover")
			switch kind := res.Header.Get("Content-Type"); {
			case d.status == http.StatusGone:
				if res.StatusCode != http.StatusGone {
					t.Errorf("cover: status %d, want 410", res.StatusCode)
				}
			case d.drawn && kind != "image/svg+xml", !d.drawn && kind != "image/png":
				t.Errorf("cover: %s, drawn should be %v", kind, d.drawn)
			}
			if d.status != http.StatusOK && d.record == http.StatusOK {
				none(t, l.page(recordPath(d.number), 200), `a[href$=".epub"], a[href$="/read"]`)
			}
		})
	}
}

func TestDownload(t *testing.T) {
	l := newLibrary(t)
	f := l.epub("紅樓 夢; 100%")
	n := l.add(record.Record{Title: "紅樓夢"}, openRights(), f)
	path := recordPath(n) + "/files/" + url.PathEscape(f.Name)
	res := l.get("GET", path)
	body, _ := io.ReadAll(res.Body)
	if int64(len(body)) != f.Bytes || res.Header.Get("ETag") != `"`+f.SHA256+`"` || res.Header.Get("Content-Type") != f.MediaType {
		t.Errorf("%d bytes, %v", len(body), res.Header)
	}
	holds(t, res.Header.Get("Content-Disposition"), "attachment;", "filename*=UTF-8''%E7%B4%85")
	holds(t, res.Header.Get("Content-Security-Policy"), "sandbox", "default-src 'none'")
	part := l.get("GET", path, "Range", "bytes=4-7", "If-Range", `"`+f.SHA256+`"`)
	if b, _ := io.ReadAll(part.Body); part.StatusCode != 206 || string(b) != "text" {
		t.Errorf("a range: %d %q", part.StatusCode, b)
	}
	if same := l.get("GET", path, "If-None-Match", `"`+f.SHA256+`"`); same.StatusCode != 304 {
		t.Errorf("known bytes: %d", same.StatusCode)
	}
	// The file is in the register and not on the disk.
	must(t, l.blobs.Delete(t.Context(), f.SHA256))
	if gone := l.get("GET", path); gone.StatusCode != 503 || gone.Header.Get("Content-Disposition") != "" {
		t.Errorf("missing bytes: %d %v", gone.StatusCode, gone.Header)
	}
	holds(t, l.log.String(), f.SHA256)
}

// TestSameName keeps files of one name apart.
func TestSameName(t *testing.T) {
	l := newLibrary(t)
	a := l.store("book.epub", "application/epub+zip", record.RoleText, []byte("the first"))
	b := l.store("book.epub", "application/epub+zip", record.RoleText, []byte("the second"))
	n := l.add(record.Record{Title: "Two"}, openRights(), a)
	if raw, err := record.Encode(record.Entry{Type: record.TypeFiles, Time: now, Of: &n, Add: []record.File{b}}); err == nil {
		_, err = l.register.Append(t.Context(), [][]byte{raw})
		must(t, err)
		must(t, l.follower.Catch(t.Context()))
	}
	root := l.page(recordPath(n), 200)
	seen := map[string]bool{}
	for _, a := range all(t, root, ".files a") {
		body, _ := io.ReadAll(l.get("GET", attr(a, "href")).Body)
		seen[string(body)] = true
	}
	if !seen["the first"] || !seen["the second"] {
		t.Errorf("the links give %v", seen)
	}
}

func TestUnknownAddresses(t *testing.T) {
	l := newLibrary(t)
	n := l.add(record.Record{Title: "One"}, openRights(), l.epub("one"))
	for path, status := range map[string]int{
		"/nothing": 404, "/records/": 404, "/records/x": 404, "/records/-1": 404, "/records/00" + number(n): 404,
		"/records/99999999": 404, "/records/99999999999999999999": 404, "/records/0": 404,
		recordPath(n) + "/files/other.epub": 404, recordPath(n) + "/files/..%2F..%2Fetc%2Fpasswd": 404,
		recordPath(n) + "/files/one.epub?sha256=00":     404,
		recordPath(n) + "/proof?entry=0":                404,
		recordPath(n) + "/proof?entry=x":                400,
		recordPath(n) + "/citation/word":                404,
		"/browse/new?before=x":                          400,
		"/static/" + strings.Repeat("0", 16) + "/x.css": 404,
		l.site.static.folder + "none.css":               404,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			if res := l.get(method, path); res.StatusCode != status {
				t.Errorf("%s %s: status %d, want %d", method, path, res.StatusCode, status)
			}
		}
	}
	if res := l.get("POST", "/nothing"); res.StatusCode != 405 {
		t.Errorf("POST: status %d", res.StatusCode)
	}
}
