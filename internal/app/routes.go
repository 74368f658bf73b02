package app

import (
	"log/slog"
	"net/http"
	"strings"

	"wenlan/internal/citation"
	"wenlan/internal/feeds"
	"wenlan/internal/i18n"
	"wenlan/internal/record"
	"wenlan/internal/register"
	"wenlan/internal/web"
	"wenlan/internal/web/reader"

	"golang.org/x/mod/sumdb/note"
)

// routes joins the site, the reader and the feeds.
func (l *Library) routes(mux *http.ServeMux, log *slog.Logger) error {
	words, err := i18n.Load()
	if err != nil {
		return err
	}
	cfg := l.Config
	// There are no accounts yet, so every reader is a visitor.
	standing := func(*http.Request) record.Standing { return record.Visitor }
	var licences []web.Licence
	for _, lic := range reader.Licences() {
		licences = append(licences, web.Licence(lic))
	}
	for _, lic := range citation.Licences() {
		licences = append(licences, web.Licence(lic))
	}
	site, err := web.New(web.Config{
		Catalog: l.Catalog, Index: l.finder(), FullText: l.FullText, Blobs: l.Blobs, Register: l.Register, Verifier: originVerifier{l.Register},
		Name: cfg.Name, Contact: cfg.Contact, URL: cfg.URL, Version: cfg.Version, Source: cfg.Source, ID: l.Register.Library(), Licences: licences, Copies: l.copies(),
		Readable: readable, Standing: standing, Place: l.place, Now: cfg.Now, Log: log,
	})
	if err != nil {
		return err
	}
	site.Routes(mux)
	books, err := reader.New(reader.Config{
		Catalog: l.Catalog, Blobs: l.Blobs, URL: cfg.URL,
		Standing: standing, Place: l.place, Error: site.Error, Now: cfg.Now, Log: log,
		Language: func(r *http.Request) string {
			p, _ := words.Choose(r)
			return p.Tag()
		},
	})
	if err != nil {
		return err
	}
	books.Routes(mux)
	feed, err := feeds.New(feeds.Config{
		Catalog: l.Catalog, Index: l.finder(), FullText: l.FullText, Blobs: l.Blobs, Register: l.Register,
		ID: l.Register.Library(), Name: cfg.Name, URL: cfg.URL, Version: cfg.Version, Copies: l.copies(),
		Standing: standing, Place: l.place, Now: cfg.Now, Log: log,
		AddCharter: l.postedCharter,
	})
	if err != nil {
		return err
	}
	feed.Routes(mux)
	l.mirrors.Routes(mux)
	if l.copying != nil {
		l.copying.witness.Routes(mux)
		l.answerer().Routes(mux)
	}
	if l.torrents != nil {
		l.torrents.Routes(mux)
	}
	return nil
}

// readable says whether the reader opens a media type.
func readable(mediaType string) bool {
	_, ok := reader.Readable([]record.File{{Name: "x", MediaType: mediaType, Role: record.RoleText}}, "")
	return ok
}

// place is where the reader is, as far as a trusted proxy says so.
func (l *Library) place(r *http.Request) string {
	if l.Config.PlaceHeader == "" {
		return ""
	}
	p := strings.ToUpper(strings.TrimSpace(r.Header.Get(l.Config.PlaceHeader)))
	if len(p) != 2 || p == "XX" || p == "T1" { // what proxies say for "not known"
		return ""
	}
	return p
}

// originVerifier verifies with the key that the newest charter names, whichever that
// is at the moment of asking.
type originVerifier struct{ register *register.Register }

func (v originVerifier) key() note.Verifier {
	c, _ := v.register.Charter()
	key, err := note.NewVerifier(c.Origin)
	if err != nil {
		return nil
	}
	return key
}

// Name implements note.Verifier.
func (v originVerifier) Name() string {
	if key := v.key(); key != nil {
		return key.Name()
	}
	return ""
}

// KeyHash implements note.Verifier.
func (v originVerifier) KeyHash() uint32 {
	if key := v.key(); key != nil {
		return key.KeyHash()
	}
	return 0
}

// Verify implements note.Verifier.
func (v originVerifier) Verify(msg, sig []byte) bool {
	key := v.key()
	return key != nil && key.Verify(msg, sig)
}
