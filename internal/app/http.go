package app

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"wenlan/internal/errs"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxBody bounds what a request may send, in bytes; no page takes more than a form.
const maxBody = 1 << 20

// Time for an answer. A page is short; a file may be long and the line slow.
const (
	pageTime = 30 * time.Second
	fileTime = 12 * time.Hour
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	bytes    prometheus.Counter
	registry *prometheus.Registry
}

func newMetrics(l *Library) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "wenlan_http_requests_total", Help: "Requests answered."}, []string{"route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "wenlan_http_request_seconds", Help: "Time to answer a request.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30}}, []string{"route"}),
		bytes:    prometheus.NewCounter(prometheus.CounterOpts{Name: "wenlan_http_sent_bytes_total", Help: "Bytes of answers."}),
		registry: prometheus.NewRegistry(),
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	m.registry.MustRegister(m.requests, m.seconds, m.bytes,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		gauge("wenlan_register_entries", "Entries in the register.", func() float64 { return float64(l.Register.Size()) }),
		gauge("wenlan_catalog_cursor", "Entries that the catalogue has followed.", func() float64 { return float64(l.Catalog.Cursor()) }),
		gauge("wenlan_fulltext_cursor", "Entries whose texts have been read.", func() float64 { return float64(l.FullText.Cursor()) }),
		gauge("wenlan_index_cursor", "Entries that the index has followed.", func() float64 { return float64(l.Index.Cursor()) }),
	)
	return m
}

// handler is everything that the library answers over HTTP.
func (l *Library) handler(log *slog.Logger) (http.Handler, error) {
	mux := http.NewServeMux()
	if err := l.routes(mux, log); err != nil {
		return nil, err
	}
	m := newMetrics(l)
	mux.HandleFunc("GET /healthz", l.healthz)
	mux.Handle("GET /metrics", localOnly(promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})))
	return m.observe(log, http.NewCrossOriginProtection().Handler(mux), mux), nil
}

// healthz answers 200 when the views have followed the register.
func (l *Library) healthz(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if !l.Views.Ready() {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "the views have not followed the register")
		return
	}
	fmt.Fprintln(w, "ok")
}

// localOnly keeps the figures of the machine from strangers: only this machine
// may ask, and not through a proxy.
func localOnly(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.RemoteAddr, "]")
		host = strings.TrimPrefix(host, "[")
		if i := strings.LastIndexByte(host, ':'); i >= 0 && strings.Count(host, ":") == 1 {
			host = host[:i]
		}
		if !isLocal(host) || r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" {
			http.Error(w, "only this machine may read the metrics", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// observe bounds a request, recovers from a handler's panic, counts the answer
// and writes one event to the log. Reader's addresses and queries are not logged.
func (m *metrics) observe(log *slog.Logger, next http.Handler, mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		_, route := mux.Handler(r)
		if route == "" {
			route = "none"
		}
		allowed := pageTime
		if isFileRoute(route) {
			allowed = fileTime
		}
		rc := http.NewResponseController(w)
		_ = rc.SetWriteDeadline(start.Add(allowed)) // where the connection has none, it is a test's
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		conn, _ := r.Context().Value(connKey{}).(net.Conn)
		rec := &recorder{ResponseWriter: w, conn: conn, status: http.StatusOK}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				log.ErrorContext(r.Context(), "a handler panicked", "route", route, "panic", p, "stack", string(debug.Stack()))
				if !rec.wrote {
					http.Error(rec, "internal error", http.StatusInternalServerError)
				}
			}
			took := time.Since(start)
			m.requests.WithLabelValues(route, strconv.Itoa(rec.status)).Inc()
			m.seconds.WithLabelValues(route).Observe(took.Seconds())
			m.bytes.Add(float64(rec.bytes))
			level := slog.LevelDebug
			if rec.status >= 500 && rec.status != errs.Status(errs.New(errs.Unavailable, "")) {
				level = slog.LevelWarn
			}
			log.Log(r.Context(), level, "request", "method", r.Method, "route", route, "status", rec.status, "bytes", rec.bytes, "took", took)
		}()
		next.ServeHTTP(rec, r)
	})
}

// connKey is where a request's context holds its connection.
type connKey struct{}

// corkFrom is how long, in bytes, a file is that gets its connection corked.
const corkFrom = 64 << 10

func isFileRoute(route string) bool {
	return strings.Contains(route, "/files/") || strings.Contains(route, "/blobs/") || strings.Contains(route, "/register/tile/") || strings.Contains(route, "/book/") || strings.Contains(route, "/shelves/seed/")
}

// recorder remembers what was answered. It hands a file on to the connection's
// own ReadFrom, so that the kernel sends it (sendfile).
type recorder struct {
	http.ResponseWriter
	conn   net.Conn // below the answer; nil where it is not known
	status int
	bytes  int64
	wrote  bool
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) WriteHeader(status int) {
	if !r.wrote && status >= 200 {
		r.status, r.wrote = status, true
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	r.wrote = true
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

func (r *recorder) ReadFrom(src io.Reader) (int64, error) {
	r.wrote = true
	if l, ok := src.(*io.LimitedReader); ok && l.N >= corkFrom {
		defer cork(r.conn)()
	}
	n, err := io.Copy(r.ResponseWriter, src)
	r.bytes += n
	return n, err
}
