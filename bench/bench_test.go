package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

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
