package web

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/mail"
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"wenlan/internal/errs"
	"wenlan/internal/i18n"
	"wenlan/internal/record"
)

//go:embed templates/*.html
var templateFiles embed.FS

// templates holds one whole page each, by name.
type templates map[string]*template.Template

// parseTemplates reads every page of templates/ together with what all share:
// the files whose names begin with "_".
func parseTemplates() (templates, error) {
	shared, err := template.ParseFS(templateFiles, "templates/_*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	names, err := fs.Glob(templateFiles, "templates/[a-z]*.html")
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	all := templates{}
	for _, name := range names {
		clone, err := shared.Clone()
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		parsed, err := clone.ParseFS(templateFiles, name)
		if err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		all[strings.TrimSuffix(path.Base(name), ".html")] = parsed.Lookup("layout")
	}
	return all, nil
}

// page is what every page has. Its methods T, N, Date … speak the reader's language.
type page struct {
	*i18n.Printer

	Title     string // of the window; empty on the home page
	Site      siteInfo
	Section   string // which entry of the navigation is here
	Canonical string // absolute address of this page without language and tracking
	NoIndex   bool
	Search    bool // the page has a search box of its own
	Languages []languageLink
	Meta      []metaTag   // for reference managers
	LinkedTo  []headLink  // alternates in the head
	Schema    *schemaWork // schema.org, or nil
	Warning   *warning    // what must be known before anything here is relied on, or nil
	Standing  *standing   // whose copy this is and how fresh, or nil

	assets string // URL folder of style and scripts
}

type siteInfo struct {
	Name        string
	Contact     string
	ContactHref template.URL // mailto: or https:, or empty; made from the configuration alone
	Version     string
	Source      string
}

type languageLink struct {
	Tag, Name, Href string
	Current         bool
}

type metaTag struct{ Name, Content string }

type headLink struct{ Rel, Type, Title, Href string }

// Asset is the address of a file of static/.
func (p *page) Asset(name string) string { return p.assets + name }

// newPage begins a page for a request.
func (s *Site) newPage(w http.ResponseWriter, r *http.Request) page {
	p, chosen := s.words.Choose(r)
	if chosen {
		http.SetCookie(w, &http.Cookie{
			Name: i18n.Cookie, Value: p.Tag(), Path: "/", MaxAge: 365 * 24 * 3600,
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil,
		})
	}
	pg := page{
		Printer:   p,
		Site:      s.siteInfo(),
		Canonical: s.base(r) + r.URL.EscapedPath(),
		assets:    s.static.folder,
	}
	query := r.URL.Query()
	for _, other := range s.words.Printers() {
		query.Set(i18n.Param, other.Tag())
		pg.Languages = append(pg.Languages, languageLink{
			Tag: other.Tag(), Name: other.Self(), Current: other == p,
			Href: r.URL.EscapedPath() + "?" + query.Encode(),
		})
	}
	trust := s.trust(r.Context())
	pg.Warning, pg.Standing = pg.warning(trust), pg.standing(trust)
	return pg
}

func (s *Site) siteInfo() siteInfo {
	info := siteInfo{Name: s.cfg.Name, Contact: s.cfg.Contact, Version: s.cfg.Version, Source: s.cfg.Source}
	if u, err := url.Parse(info.Contact); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		info.ContactHref = template.URL(u.String())
	} else if a, err := mail.ParseAddress(strings.TrimPrefix(info.Contact, "mailto:")); err == nil {
		info.Contact = a.Address
		info.ContactHref = template.URL((&url.URL{Scheme: "mailto", Opaque: a.Address}).String())
	}
	return info
}

// hostForm is a Host header that may stand in a policy and in an address.
var hostForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`)

// base is the public address without a final slash; empty where the request's
// host is not a plain one, and addresses then stay relative.
func (s *Site) base(r *http.Request) string {
	if s.cfg.URL != "" {
		return strings.TrimSuffix(s.cfg.URL, "/")
	}
	if !hostForm.MatchString(r.Host) {
		return ""
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// policy is the Content-Security-Policy of a page: our own style and scripts by
// their folder, our own pictures, our own suggestions and records, and nothing else.
func (s *Site) policy(r *http.Request) string {
	own, fetched := "'self'", "'self'"
	if hostForm.MatchString(r.Host) {
		own, fetched = r.Host+s.static.folder, r.Host+"/api/v1/suggest "+r.Host+"/records/"
	}
	return "default-src 'none'; script-src " + own + "; style-src " + own +
		"; img-src 'self'; connect-src " + fetched +
		"; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}

// secure sets the headers that every answer has.
func (s *Site) secure(w http.ResponseWriter, policy string) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// render draws a page whole, then sends it.
func (s *Site) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	buf := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(buf)
	buf.Reset()
	if err := s.templates[name].Execute(buf, data); err != nil {
		return fmt.Errorf("draw page %s: %w", name, err)
	}
	if key, ok := r.Context().Value(keptContext{}).(keptKey); ok && status == http.StatusOK {
		s.pages.put(key, buf.Bytes())
	}
	s.write(w, r, status, buf.Bytes())
	return nil
}

// write sends a page that was drawn.
func (s *Site) write(w http.ResponseWriter, r *http.Request, status int, page []byte) {
	s.secure(w, s.policy(r))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	h.Set("Cache-Control", "private, no-cache")
	h.Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(page) // a reader who has gone away is no failure
	}
}

// handle turns the error of a handler into a page; it is the only place that does.
func (s *Site) handle(fn func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := fn(w, r)
		if err == nil {
			return
		}
		if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
			return // nobody is there to read a page
		}
		if kind := errs.KindOf(err); kind == errs.Internal || kind == errs.Corrupt {
			s.cfg.Log.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "error", err)
		}
		if err := s.render(w, r, errs.Status(err), "error", s.errorPage(w, r, err)); err != nil {
			s.cfg.Log.ErrorContext(r.Context(), "error page failed", "path", r.URL.Path, "error", err)
			http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		}
	}
}

// refusal is the error of a door that a decision keeps shut.
type refusal struct {
	decision record.Decision
	number   int64
}

func (e *refusal) Error() string { return e.Unwrap().Error() }

// Unwrap gives the error of the decision, and so its kind and status.
func (e *refusal) Unwrap() error {
	if err := e.decision.Err(); err != nil {
		return err
	}
	return errs.New(errs.Forbidden, "this may be read here, but not downloaded")
}

type errorPage struct {
	page
	Status     int
	Heading    string
	Text       string
	Back       string // the record, where there is one to go back to
	Withdrawal *tombstone
	Notices    bool // say whom to write to
}

var errorKeys = map[errs.Kind][2]string{
	errs.Invalid:     {"error.invalid", "error.invalid_text"},
	errs.Refused:     {"error.invalid", "error.invalid_text"},
	errs.TooLarge:    {"error.invalid", "error.invalid_text"},
	errs.NotFound:    {"error.not_found", "error.not_found_text"},
	errs.Gone:        {"error.gone", "error.gone_text"},
	errs.Forbidden:   {"error.forbidden", "error.forbidden_text"},
	errs.Withdrawn:   {"error.withdrawn", "error.withdrawn_text"},
	errs.Locked:      {"error.unavailable", "error.unavailable_text"},
	errs.Unavailable: {"error.unavailable", "error.unavailable_text"},
}

func (s *Site) errorPage(w http.ResponseWriter, r *http.Request, err error) *errorPage {
	keys, ok := errorKeys[errs.KindOf(err)]
	if !ok {
		keys = [2]string{"error.internal", "error.internal_text"}
	}
	p := &errorPage{page: s.newPage(w, r), Status: errs.Status(err), Notices: errs.Is(err, errs.Gone)}
	p.Heading, p.Text = p.T(keys[0]), p.T(keys[1])
	p.page.Title, p.NoIndex, p.Canonical = p.Heading, true, ""
	var shut *refusal
	if errors.As(err, &shut) {
		p.Text = p.reason(shut.decision)
		p.Back = recordPath(shut.number)
		p.Withdrawal = p.tombstone(shut.decision, shut.number)
		p.Notices = true
	}
	return p
}

// notFound answers every address that no route takes.
func (s *Site) notFound(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return nil
	}
	return errs.New(errs.NotFound, "there is no such page")
}

// Error shows a failure as a page, for routes beside the site's own.
func (s *Site) Error(w http.ResponseWriter, r *http.Request, err error) {
	s.handle(func(http.ResponseWriter, *http.Request) error { return err })(w, r)
}

// Language is the tag of the language that the site speaks to a request.
func (s *Site) Language(r *http.Request) string {
	p, _ := s.words.Choose(r)
	return p.Tag()
}
