package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"wenlan/bench/measure"
)

func TestTorrentFile(t *testing.T) {
	const head, info, tail = "d8:announce14:http://a.b/c/d7:comment1:x13:creation datei1e", "4:infod4:name1:x12:piece lengthi1048576e6:pieces40:" + "0123456789012345678901234567890123456789" + "e", "8:url-listl10:http://a/beee"
	file := []byte(head + info + tail)
	if got := string(without(file, "url-list")); got != head+info+"e" {
		t.Errorf("without web seeds: %s", got)
	}
	if got := string(without(file, "announce")); got != "d"+info+tail {
		t.Errorf("without trackers: %s", got)
	}
	if n, err := paddedBytes(file); err != nil || n != 2<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := paddedBytes([]byte("d4:infodee")); err == nil {
		t.Error("a torrent without pieces has a length")
	}
}

// TestCounter: every byte of both ways is counted, and every request.
func TestCounter(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(1<<20)) // not in chunks
		_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
	}))
	defer site.Close()
	c, err := count(&measure.Server{Base: site.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer c.listener.Close()
	for range 3 {
		raw, err := get(t.Context(), c.base()+"/a")
		if err != nil || len(raw) != 1<<20 {
			t.Fatal(len(raw), err)
		}
	}
	if n := c.bytes(); n < 3<<20 || n > 3<<20+3000 || c.requests.Load() != 3 {
		t.Errorf("%d bytes, %d requests", n, c.requests.Load())
	}
}
