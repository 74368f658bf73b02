package blob_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"wenlan/internal/blob"
	"wenlan/internal/blob/blobtest"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

// server serves one blob.
func server(t testing.TB, l blob.Store, ref blob.Ref, opts blob.ServeOptions) *httptest.Server {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := l.Open(r.Context(), ref.SHA256)
		if err != nil {
			t.Error(err)
			return
		}
		defer b.Close()
		if err := blob.Serve(w, r, b, ref, opts); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func request(t *testing.T, method, url string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestServe(t *testing.T) {
	data := blobtest.Bytes(1, 100_000)
	stores := map[string]*blob.Local{
		"disk": open(t, blob.LocalConfig{Roots: []string{t.TempDir()}}),
		"sim":  open(t, blob.LocalConfig{Roots: []string{"/a"}, FS: durable.NewSim(1)}),
	}
	mod := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	for name, l := range stores {
		t.Run(name, func(t *testing.T) {
			ref := put(t, l, data)
			s := server(t, l, ref, blob.ServeOptions{MediaType: "application/epub+zip", Name: "红楼梦.epub", ModTime: mod})
			tag := `"` + ref.SHA256 + `"`
			whole := string(data)
			for _, c := range []struct {
				method  string
				headers []string
				status  int
				body    string
				ranged  string
			}{
				{"GET", nil, 200, whole, ""},
				{"HEAD", nil, 200, "", ""},
				{"GET", []string{"Range", "bytes=0-9"}, 206, whole[:10], "bytes 0-9/100000"},
				{"GET", []string{"Range", "bytes=99990-"}, 206, whole[99990:], "bytes 99990-99999/100000"},
				{"GET", []string{"Range", "bytes=-5"}, 206, whole[99995:], "bytes 99995-99999/100000"},
				{"HEAD", []string{"Range", "bytes=0-9"}, 206, "", "bytes 0-9/100000"},
				{"GET", []string{"Range", "bytes=100000-"}, 416, "", "bytes */100000"},
				{"GET", []string{"Range", "bytes=5-9", "If-Range", tag}, 206, whole[5:10], "bytes 5-9/100000"},
				{"GET", []string{"Range", "bytes=5-9", "If-Range", `"other"`}, 200, whole, ""},
				{"GET", []string{"Range", "bytes=5-9", "If-Range", "W/" + tag}, 200, whole, ""},
				{"GET", []string{"If-None-Match", tag}, 304, "", ""},
				{"GET", []string{"If-None-Match", "W/" + tag}, 304, "", ""},
				{"GET", []string{"If-Match", `"other"`}, 412, "", ""},
				{"GET", []string{"If-Modified-Since", mod.Format(http.TimeFormat)}, 304, "", ""},
				{"POST", nil, 405, "", ""},
			} {
				resp, body := request(t, c.method, s.URL, c.headers...)
				if resp.StatusCode != c.status || c.status < 300 && body != c.body || resp.Header.Get("Content-Range") != c.ranged {
					t.Errorf("%s %v: %s, %d bytes, %q", c.method, c.headers, resp.Status, len(body), resp.Header.Get("Content-Range"))
				}
				if c.status == 200 && resp.ContentLength != 100_000 {
					t.Errorf("%s %v: Content-Length %d", c.method, c.headers, resp.ContentLength)
				}
				if c.status == 200 || c.status == 206 {
					sum := sha256.Sum256(data)
					for k, v := range map[string]string{
						"ETag": tag, "Accept-Ranges": "bytes", "Content-Type": "application/epub+zip",
						"X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache",
						"Content-Security-Policy": blob.DefaultPolicy, "Last-Modified": mod.Format(http.TimeFormat),
						"Repr-Digest":         "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":",
						"Content-Disposition": `attachment; filename="file.epub"; filename*=UTF-8''%E7%BA%A2%E6%A5%BC%E6%A2%A6.epub`,
					} {
						if got := resp.Header.Get(k); got != v {
							t.Errorf("%s is %q, want %q", k, got, v)
						}
					}
				}
			}
			// Several ranges come as one multipart answer.
			resp, body := request(t, "GET", s.URL, "Range", "bytes=0-1,10-11")
			if kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); kind != "multipart/byteranges" || !strings.Contains(body, whole[10:12]) {
				t.Errorf("two ranges: %s", resp.Header.Get("Content-Type"))
			}
		})
	}
	t.Run("options", func(t *testing.T) {
		l := stores["disk"]
		s := server(t, l, blobtest.RefOf(data), blob.ServeOptions{Inline: true, Immutable: true, Policy: "default-src 'none'"})
		resp, _ := request(t, "GET", s.URL)
		for k, v := range map[string]string{
			"Content-Type": "application/octet-stream", "Content-Disposition": "inline",
			"Cache-Control": "public, max-age=31536000, immutable", "Content-Security-Policy": "default-src 'none'", "Last-Modified": "",
		} {
			if got := resp.Header.Get(k); got != v {
				t.Errorf("%s is %q, want %q", k, got, v)
			}
		}
	})
	t.Run("a blob of another length", func(t *testing.T) {
		l := stores["disk"]
		ref := blobtest.RefOf(data)
		b, err := l.Open(ctx, ref.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		ref.Bytes++
		w := httptest.NewRecorder()
		err = blob.Serve(w, httptest.NewRequest("GET", "/", nil), b, ref, blob.ServeOptions{})
		if !errs.Is(err, errs.Corrupt) || len(w.Header()) != 0 || w.Body.Len() != 0 {
			t.Errorf("%v, headers %v", err, w.Header())
		}
	})
}

// readerFrom notes what net/http is asked to send.
type readerFrom struct {
	*httptest.ResponseRecorder
	src io.Reader
}

func (w *readerFrom) ReadFrom(src io.Reader) (int64, error) {
	w.src = src
	return io.Copy(w.ResponseRecorder, src)
}

// TestServeHandsOverFile: what reaches the connection is a limited *os.File, which
// is what net/http passes on to sendfile(2).
func TestServeHandsOverFile(t *testing.T) {
	l := open(t, blob.LocalConfig{Roots: []string{t.TempDir()}})
	data := blobtest.Bytes(1, 100_000)
	ref := put(t, l, data)
	for _, ranged := range []string{"", "bytes=100-199"} {
		b, err := l.Open(ctx, ref.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		w := &readerFrom{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequest("GET", "/", nil)
		if ranged != "" {
			r.Header.Set("Range", ranged)
		}
		if err := blob.Serve(w, r, b, ref, blob.ServeOptions{}); err != nil {
			t.Fatal(err)
		}
		limited, ok := w.src.(*io.LimitedReader)
		if !ok {
			t.Fatalf("%q: the connection got a %T", ranged, w.src)
		}
		if _, ok := limited.R.(*os.File); !ok {
			t.Fatalf("%q: the connection got a limited %T", ranged, limited.R)
		}
		want := data
		if ranged != "" {
			want = data[100:200]
		}
		if !bytes.Equal(w.Body.Bytes(), want) {
			t.Errorf("%q: other bytes", ranged)
		}
	}
}

func TestDisposition(t *testing.T) {
	for name, want := range map[string]string{
		"":                      `attachment`,
		"book.epub":             `attachment; filename="book.epub"`,
		"a b (2).pdf":           `attachment; filename="a b (2).pdf"`,
		"红楼梦 卷一.epub":           `attachment; filename="file.epub"; filename*=UTF-8''%E7%BA%A2%E6%A5%BC%E6%A2%A6%20%E5%8D%B7%E4%B8%80.epub`,
		"Les Misérables.epub":   `attachment; filename="Les Mis_rables.epub"; filename*=UTF-8''Les%20Mis%C3%A9rables.epub`,
		`say "hi"; x=y.txt`:     `attachment; filename="say _hi_ x=y.txt"; filename*=UTF-8''say%20%22hi%22%3B%20x%3Dy.txt`,
		"../../etc/passwd":      `attachment; filename="_.._etc_passwd"`,
		`C:\x\y.exe`:            `attachment; filename="C__x_y.exe"`,
		"a\r\nSet-Cookie: b":    `attachment; filename="aSet-Cookie_ b"`,
		"cod\u202Efdp.exe":      `attachment; filename="codfdp.exe"`, // it would look like codexe.pdf
		"bad\xff\xfe.txt":       `attachment; filename="bad.txt"`,
		"100%25.txt":            `attachment; filename="100_25.txt"; filename*=UTF-8''100%2525.txt`,
		"...":                   `attachment`,
		strings.Repeat("x", 64): `attachment; filename="` + strings.Repeat("x", 64) + `"`,
	} {
		if got := blob.Disposition(false, name); got != want {
			t.Errorf("%q gives %s, want %s", name, got, want)
		}
	}
}

// FuzzDisposition: whatever the name, the header is well formed, and says the
// same name to old and new programs alike, one that is no path.
func FuzzDisposition(f *testing.F) {
	for _, s := range []string{"a", "红楼梦.epub", "\x00\r\n\"%;'", strings.Repeat("文", 300) + ".pdf", "..", "a." + strings.Repeat("b", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		out := blob.Disposition(true, name)
		for i := range len(out) {
			if out[i] < 0x20 || out[i] > 0x7e {
				t.Fatalf("%q: byte %#x in %q", name, out[i], out)
			}
		}
		kind, params, err := mime.ParseMediaType(out)
		if err != nil || kind != "inline" {
			t.Fatalf("%q: %q: %v", name, out, err)
		}
		got := params["filename"]
		if len(got) > 200 || !utf8.ValidString(got) || strings.ContainsAny(got, "/\\\x00") || got == ".." || got == "." {
			t.Fatalf("%q: file name %q", name, got)
		}
	})
}

// BenchmarkServe downloads 100 MB; with "copied" the file is hidden, so that the
// bytes go through memory.
func BenchmarkServe(b *testing.B) {
	l := open(b, blob.LocalConfig{Roots: []string{b.TempDir()}})
	ref := put(b, l, blobtest.Bytes(1, 100<<20))
	for _, hide := range []bool{false, true} {
		b.Run(map[bool]string{false: "sendfile", true: "copied"}[hide], func(b *testing.B) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				f, err := l.Open(r.Context(), ref.SHA256)
				if err != nil {
					b.Error(err)
					return
				}
				defer f.Close()
				if hide {
					f = hidden{f}
				}
				if err := blob.Serve(w, r, f, ref, blob.ServeOptions{}); err != nil {
					b.Error(err)
				}
			}))
			defer s.Close()
			b.SetBytes(ref.Bytes)
			for b.Loop() {
				resp, err := http.Get(s.URL)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{resp.Body}, make([]byte, 1<<20))
				resp.Body.Close()
				if err != nil || n != ref.Bytes {
					b.Fatal(n, err)
				}
			}
		})
	}
}

type hidden struct{ blob.Blob }

func (hidden) File() *os.File { return nil }

// BenchmarkPut puts new blobs of a size from two goroutines; the last Flush is in
// the time.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{4 << 10, 1 << 20, 16 << 20} {
		b.Run(fmt.Sprintf("%dKiB", size>>10), func(b *testing.B) {
			l := open(b, blob.LocalConfig{Roots: []string{b.TempDir()}})
			base := blobtest.Bytes(1, size)
			b.SetBytes(int64(size))
			next := make(chan int)
			done := make(chan error, 2)
			for range 2 {
				go func() {
					data := bytes.Clone(base)
					for i := range next {
						copy(data, fmt.Sprintf("%020d", i))
						if _, err := l.Put(ctx, struct{ io.Reader }{bytes.NewReader(data)}); err != nil {
							done <- err
							return
						}
					}
					done <- nil
				}()
			}
			b.ResetTimer()
			for i := range b.N {
				next <- i
			}
			close(next)
			for range 2 {
				if err := <-done; err != nil {
					b.Fatal(err)
				}
			}
			if err := l.Flush(ctx); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// BenchmarkPutKnown puts a blob that is there.
func BenchmarkPutKnown(b *testing.B) {
	l := open(b, blob.LocalConfig{Roots: []string{b.TempDir()}})
	data := blobtest.Bytes(1, 4<<20)
	put(b, l, data)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		put(b, l, data)
	}
}

// BenchmarkVerify reads blobs of 1 MiB that are in the kernel's memory.
func BenchmarkVerify(b *testing.B) {
	l := open(b, blob.LocalConfig{Roots: []string{b.TempDir()}})
	for i := range uint64(100) {
		put(b, l, blobtest.Bytes(i, 1<<20))
	}
	b.SetBytes(100 << 20)
	for b.Loop() {
		if _, err := l.Verify(ctx, blob.VerifyOptions{}, func(p blob.Problem) { b.Error(p) }); err != nil {
			b.Fatal(err)
		}
	}
}
