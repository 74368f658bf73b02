package main

import (
	"archive/zip"
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		xs   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 3}, 2.5}} {
		if got := median(c.xs); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.xs, got, c.want)
		}
	}
}

func TestLoadCountsAnswers(t *testing.T) {
	body := strings.Repeat("x", 1000)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/chunked":
			w.(http.Flusher).Flush()
		case "/close":
			w.Header().Set("Connection", "close")
		case "/bad":
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(body))
	}))
	defer srv.Close()
	h, err := load(context.Background(), srv.URL, []string{"/", "/chunked", "/close"}, false, 3, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if h.rate <= 0 || h.p50 <= 0 || h.bytes == 0 || h.bytes%1000 != 0 {
		t.Errorf("hits = %+v", h)
	}
	h, err = load(context.Background(), srv.URL, []string{"/", "/chunked", "/close", "/"}, true, 3, time.Minute)
	if err != nil || h.bytes != 4000 {
		t.Errorf("each once: %d bytes, %v", h.bytes, err)
	}
	if _, err := load(context.Background(), srv.URL, []string{"/bad"}, false, 1, 100*time.Millisecond); err == nil {
		t.Error("a 404 was counted")
	}
}

func TestWriteEPUB(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.epub")
	if err := writeEPUB(name, "A", "B", 5000); err != nil {
		t.Fatal(err)
	}
	z, err := zip.OpenReader(name)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	if z.File[0].Name != "mimetype" || z.File[0].Method != zip.Store {
		t.Errorf("first file is %s", z.File[0].Name)
	}
	for _, f := range z.File {
		if f.Name == "filling.bin" && f.UncompressedSize64 != 5000 {
			t.Errorf("filling has %d bytes", f.UncompressedSize64)
		}
	}
}
