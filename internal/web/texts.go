package web

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/index"
	"wenlan/internal/index/fulltext"
	"wenlan/internal/record"
)

const (
	textShown  = 3                      // hits in texts beside those among records
	textWithin = 300 * time.Millisecond // to find them
	textLimit  = 20                     // on a page of their own
	maxKey     = 512
)

// textList is what was found inside what is open.
type textList struct {
	Hits    []textHit
	Total   string
	Next    string
	Behind  string // why there may be more: texts that have not been read yet; empty: there is no more
	Settled bool   // asked again, nothing more would be there
}

// textHit is a chapter or page in which the words stand.
type textHit struct {
	card
	Number  int64
	Where   string // the chapter's title, or the page
	Open    string // the reader at that place; empty: it opens elsewhere
	Snippet template.HTML
}

// textHits searches in texts, and decides anew for each hit whether it is shown.
func (s *Site) textHits(r *http.Request, p *page, q fulltext.Query) (*textList, error) {
	standing, place, at := s.cfg.Standing(r), s.cfg.Place(r), s.cfg.Now()
	q.May = func(st *record.State, _ record.File, withdrawals []record.Withdrawal) bool {
		return record.Decide(record.Question{State: st, BlobWithdrawals: withdrawals, Standing: standing, Place: place, At: at}).Read
	}
	res, err := s.cfg.FullText.Search(r.Context(), q)
	if errs.Is(err, errs.Unavailable) || errs.Is(err, errs.Corrupt) || errs.Is(err, errs.Refused) {
		s.cfg.Log.WarnContext(r.Context(), "texts are not searched", "error", err)
		return &textList{Behind: p.T("texts.shut")}, nil
	}
	if err != nil {
		return nil, err
	}
	out := &textList{Settled: res.Complete && res.Exact, Next: res.Next}
	out.Total = p.N("texts.total", res.Total)
	if !res.Exact {
		out.Total = p.N("texts.total_about", rounded(res.Total))
	}
	for _, h := range res.Hits {
		held, err := s.holdings.get(r.Context(), h.Record)
		if err != nil || held.Erased != nil || !s.decide(r, held, &h.File).Read {
			continue
		}
		hit := textHit{card: s.card(r, p, held), Number: h.Record, Where: h.Title}
		if strings.HasPrefix(h.File.MediaType, "application/pdf") {
			hit.Where = p.T("texts.page", h.Part+1)
		}
		if s.cfg.Readable(h.File.MediaType) {
			hit.Open = recordPath(h.Record) + "/read?" + h.ReaderQuery(held.State).Encode()
		}
		if h.Snippet == "" {
			out.Settled = false
		} else {
			hit.Snippet = mark(h.Snippet, h.Spans)
			if h.Before {
				hit.Snippet = "… " + hit.Snippet
			}
			if h.After {
				hit.Snippet += " …"
			}
		}
		out.Hits = append(out.Hits, hit)
	}
	if !res.Complete {
		key := "texts.behind"
		if len(out.Hits) == 0 {
			key = "texts.none_yet"
		}
		done, of := s.cfg.FullText.Progress()
		share := "<1"
		if n := 100 * done / max(of, 1); n > 0 {
			share = p.Number(min(99, n))
		}
		out.Behind = p.T(key, share)
	}
	return out, nil
}

type textsPage struct {
	page
	Query   string
	Records string // the same words among the records
	List    *textList
	Next    string
	First   string // the first page, when this is another one
}

// searchTexts answers /search?in=text.
func (s *Site) searchTexts(w http.ResponseWriter, r *http.Request, a asked) error {
	p := &textsPage{page: s.newPage(w, r), Query: a.text, Records: asked{text: a.text, sort: index.Relevance, page: 1}.path(), List: &textList{}}
	p.page.Title, p.Search, p.NoIndex, p.Canonical = p.T("search.title"), true, true, ""
	self := asked{text: a.text, sort: index.Relevance, inText: true, page: 1}.path()
	if a.text != "" {
		p.page.Title = p.T("search.title_for", a.text)
		after, err := keyOf(r)
		if err != nil {
			return err
		}
		if p.List, err = s.textHits(r, &p.page, fulltext.Query{Text: a.text, Limit: textLimit, PerRecord: 3, After: after}); err != nil {
			return err
		}
		if after != "" {
			p.First = self
		}
		if p.List.Next != "" {
			p.Next = self + "&after=" + url.QueryEscape(p.List.Next)
		}
		if !p.List.Settled {
			r = passing(r)
		}
	}
	return s.render(w, r, http.StatusOK, "texts", p)
}

// keyOf is the place after which a page begins.
func keyOf(r *http.Request) (string, error) {
	after := r.URL.Query().Get("after")
	if len(after) > maxKey {
		return "", errs.New(errs.Invalid, "after is too long")
	}
	return after, nil
}

type insidePage struct {
	page
	Number int64
	Book   string // its title
	Lang   string
	Back   string
	Query  string
	List   *textList
	Next   string
	First  string
}

// searchable says whether a record's text can be searched.
func (s *Site) searchable(h *holding) bool {
	if s.cfg.FullText == nil || h.MergedInto != nil {
		return false
	}
	_, ok := fulltext.File(h.State)
	return ok
}

// inside answers /records/N/search: the words within one book.
func (s *Site) inside(w http.ResponseWriter, r *http.Request) error {
	h, err := s.named(r)
	if err != nil {
		return err
	}
	if h.Erased != nil {
		return &refusal{s.decide(r, h, nil), h.Number}
	}
	file, ok := fulltext.File(h.State)
	if d := s.decide(r, h, &file); !d.Read {
		return &refusal{d, h.Number}
	}
	if !ok || !s.searchable(h) {
		return errs.New(errs.NotFound, "there is no text to search in record %d", h.Number)
	}
	a := readAsked(r.URL.Query())
	p := &insidePage{page: s.newPage(w, r), Number: h.Number, Book: h.Record.Title, Lang: titleLang(h.Record), Back: recordPath(h.Number), Query: a.text}
	p.page.Title, p.NoIndex, p.Canonical = p.T("inside.title", h.Record.Title), true, ""
	if a.text != "" {
		after, err := keyOf(r)
		if err != nil {
			return err
		}
		if p.List, err = s.textHits(r, &p.page, fulltext.Query{Text: a.text, Record: h.Number, Limit: textLimit, After: after}); err != nil {
			return err
		}
		self := p.Back + "/search?" + url.Values{"q": {a.text}}.Encode()
		if after != "" {
			p.First = self
		}
		if p.List.Next != "" {
			p.Next = self + "&after=" + url.QueryEscape(p.List.Next)
		}
		if !p.List.Settled {
			r = passing(r)
		}
	}
	return s.render(w, r, http.StatusOK, "inside", p)
}
