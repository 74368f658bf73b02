package web

import (
	"context"
	"net/http"
	"strings"
	"sync"

	"wenlan/internal/copies"
	"wenlan/internal/i18n"
	"wenlan/internal/record"
)

// kept holds pages that were drawn, for as long as everything that they rest on
// stands still: the views, the register, what is said of its copies, and for each page who asks, from where,
// in which language and on which day (rights open by the day).
type kept struct {
	mu    sync.Mutex
	at    moment
	bytes int
	pages map[keptKey][]byte
}

// moment is how far the library was.
type moment struct {
	catalog, index, texts, register int64
	trust                           copies.Trust
}

type keptKey struct {
	moment   moment
	host     string
	path     string // with the query
	language string
	standing record.Standing
	place    string
	day      string
}

const (
	keptBytes = 8 << 20
	keptPage  = 128 << 10 // a longer page is not kept
)

func (k *kept) get(key keptKey) []byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pages[key]
}

func (k *kept) put(key keptKey, page []byte) {
	if len(page) > keptPage {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pages == nil || k.at != key.moment || k.bytes+len(page) > keptBytes {
		k.pages, k.bytes, k.at = map[keptKey][]byte{}, 0, key.moment
	}
	if _, ok := k.pages[key]; !ok {
		k.pages[key] = append([]byte(nil), page...)
		k.bytes += len(page)
	}
}

type keptContext struct{}

func (s *Site) moment(ctx context.Context) moment {
	m := moment{catalog: s.cfg.Catalog.Cursor(), index: s.cfg.Index.Cursor(), register: s.cfg.Register.Size(), trust: s.trust(ctx)}
	if s.cfg.FullText != nil {
		m.texts = s.cfg.FullText.Cursor()
	}
	return m
}

// passing is a request whose page is not kept: asked again, it may be better.
func passing(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), keptContext{}, nil))
}

// keep answers with the page as it was last drawn, where nothing has changed.
// Where the library stands is read before the page is drawn, so that a page is
// never kept as newer than it is.
func (s *Site) keep(fn func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		language, chosen := s.words.Choose(r)
		if chosen || strings.Contains(r.URL.RawQuery, i18n.Param+"=") {
			return fn(w, r) // sets a cookie
		}
		key := keptKey{
			moment:   s.moment(r.Context()),
			host:     r.Host,
			path:     r.URL.RequestURI(),
			language: language.Tag(),
			standing: s.cfg.Standing(r),
			place:    s.cfg.Place(r),
			day:      s.cfg.Now().UTC().Format("2006-01-02"),
		}
		if page := s.pages.get(key); page != nil {
			s.write(w, r, http.StatusOK, page)
			return nil
		}
		return fn(w, r.WithContext(context.WithValue(r.Context(), keptContext{}, key)))
	}
}
