package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"wenlan/internal/errs"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// shutdownGrace is how long a stop waits for requests under way.
const shutdownGrace = 10 * time.Second

// Server is a library being served.
type Server struct {
	lib    *Library
	http   *http.Server
	ln     net.Listener
	sock   net.Listener
	extra  []*http.Server // the redirect on port 80
	extraL []net.Listener
	log    *slog.Logger

	mu     sync.Mutex
	rest   *closing           // why Run has ended by itself
	cancel context.CancelFunc // of Run
}

// NewServer opens the library of a data folder, making it where the folder is
// empty, and starts to listen. It does not answer before Run.
func NewServer(ctx context.Context, cfg Config, log *slog.Logger) (*Server, error) {
	if cfg.Listen == "" {
		cfg.Listen = DefaultListen
	}
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	there, err := exists(cfg)
	if err != nil {
		return nil, err
	}
	if !there {
		made, err := Init(ctx, cfg)
		if err != nil {
			return nil, err
		}
		log.InfoContext(ctx, "made a library", "library", made.ID, "data", made.Data, "trustee_key", made.TrusteeKey)
	}
	ln, err := net.Listen("tcp", cfg.Listen) // before the lock: a taken port is the commonest mistake
	if err != nil {
		return nil, errs.New(errs.Refused, "listen on %s: %w", cfg.Listen, err)
	}
	s := &Server{ln: ln, log: log}
	if s.lib, err = Open(ctx, cfg, Own, log); err != nil {
		ln.Close()
		return nil, err
	}
	if err := s.lib.followTexts(); err != nil {
		s.Close()
		return nil, err
	}
	s.lib.reopen = s.reopen
	if s.lib.copying != nil {
		s.lib.follow()
	}
	if s.sock, err = listenSocket(socketPath(cfg)); err != nil {
		s.Close()
		return nil, err
	}
	s.lib.openTorrents()
	handler, err := s.lib.handler(log)
	if err != nil {
		s.Close()
		return nil, err
	}
	s.http = &http.Server{
		Handler:           handler,
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	if err := s.secure(cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// secure takes certificates by ACME where a public https address and port 443
// are given. Their keys are kept in DATA/keys/acme.
func (s *Server) secure(cfg Config) error {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "https" {
		return err
	}
	host, port, err := net.SplitHostPort(s.ln.Addr().String())
	if err != nil || port != "443" {
		return err
	}
	manager := &autocert.Manager{
		Prompt:     autocert.AcceptTOS,
		Cache:      autocert.DirCache(cfg.path("keys", "acme")),
		HostPolicy: autocert.HostWhitelist(u.Hostname()),
	}
	if strings.Contains(cfg.Contact, "@") {
		manager.Email = strings.TrimPrefix(cfg.Contact, "mailto:")
	}
	if cfg.ACME != "" {
		manager.Client = &acme.Client{DirectoryURL: cfg.ACME}
	}
	tlsConfig := manager.TLSConfig()
	tlsConfig.MinVersion = tls.VersionTLS12
	s.ln = tls.NewListener(s.ln, tlsConfig)
	redirect, err := net.Listen("tcp", net.JoinHostPort(host, "80"))
	if err != nil {
		s.log.Warn("port 80 is not served: a visitor without https finds nothing there", "err", err)
		return nil
	}
	s.extraL = append(s.extraL, redirect)
	s.extra = append(s.extra, &http.Server{Handler: manager.HTTPHandler(nil), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute})
	return nil
}

// Address is where the server answers, such as http://127.0.0.1:8080.
func (s *Server) Address() string {
	scheme := "http"
	if len(s.extraL) > 0 || (strings.HasPrefix(s.lib.Config.URL, "https:") && strings.HasSuffix(s.ln.Addr().String(), ":443")) {
		scheme = "https"
	}
	return scheme + "://" + s.ln.Addr().String()
}

// Library is what is served.
func (s *Server) Library() *Library { return s.lib }

// reopen ends Run, so that Reopen can do the rest of a request.
func (s *Server) reopen(rest *closing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rest == nil {
		s.rest = rest
	}
	if s.cancel != nil {
		s.cancel()
	}
}

// Reopen closes the server after Run, does what a change of the library's charter
// has left to do while its folder is closed, and opens it anew at the same address.
// It returns nil where there is nothing of the kind. What goes wrong is logged, and
// the folder is opened as it is.
func (s *Server) Reopen(ctx context.Context) (*Server, error) {
	s.mu.Lock()
	rest := s.rest
	s.mu.Unlock()
	if rest == nil || ctx.Err() != nil {
		return nil, nil
	}
	cfg := s.lib.Config
	cfg.Listen = s.ln.Addr().String()
	if err := s.Close(); err != nil {
		s.log.ErrorContext(ctx, "close the library", "err", err)
	}
	if rest.work != nil {
		if err := rest.work(ctx); err != nil {
			s.log.ErrorContext(ctx, "a change of office failed", "charter", rest.said.Version, "err", err)
		}
	}
	return NewServer(ctx, cfg, s.log)
}

// Run answers until ctx ends; then it finishes the requests under way, for at
// most shutdownGrace, and returns nil. It ends by itself when there is something
// for Reopen to do.
func (s *Server) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.mu.Lock()
	if s.cancel = cancel; s.rest != nil {
		cancel()
	}
	s.mu.Unlock()
	results := make(chan error, 2+len(s.extra))
	go func() { results <- s.lib.serveSocket(ctx, s.sock, s.log) }()
	var beside sync.WaitGroup
	beside.Go(func() { s.lib.gather(ctx) })
	if s.lib.isOrigin() {
		beside.Go(func() { s.lib.exchange(ctx) })
	}
	defer beside.Wait()
	serve := func(srv *http.Server, ln net.Listener) {
		err := srv.Serve(ln)
		if errors.Is(err, http.ErrServerClosed) {
			err = nil
		}
		results <- err
	}
	go serve(s.http, s.ln)
	for i, srv := range s.extra {
		go serve(srv, s.extraL[i])
	}
	var failed error
	pending := cap(results)
	select {
	case <-ctx.Done():
	case failed = <-results:
		pending--
	}
	cancel()
	grace, done := context.WithTimeout(context.Background(), shutdownGrace)
	defer done()
	for _, srv := range append(s.extra, s.http) {
		if err := srv.Shutdown(grace); err != nil {
			_ = srv.Close()
		}
	}
	for ; pending > 0; pending-- {
		failed = errors.Join(failed, <-results)
	}
	if failed != nil {
		return fmt.Errorf("serve: %w", failed)
	}
	return nil
}

// Close ends it all; call it after Run, or instead of it.
func (s *Server) Close() error {
	s.ln.Close()
	for _, l := range s.extraL {
		l.Close()
	}
	if s.sock != nil {
		s.sock.Close()
	}
	if s.lib == nil {
		return nil
	}
	return s.lib.Close()
}

// NewLogger makes the program's log.
func NewLogger(cfg Config, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(cfg.LogLevel)) // checked before; empty is info
	opt := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}
