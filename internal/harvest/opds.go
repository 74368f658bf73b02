package harvest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/record"
)

// OPDSRequest says what to harvest from an OPDS catalogue.
type OPDSRequest struct {
	URL    string // of a feed, or of one entry
	Source string // name of the source; "": SourceName(URL)
	// Files fetches the files of works that are free. Without it, records only.
	Files bool
	// Stated says that the librarian states the rights of what is harvested: then
	// open-access files are fetched of entries too that state none.
	Stated bool
	// Blobs takes the files; must be set with Files.
	Blobs Blobs
}

// Blobs is the store that files go to.
type Blobs interface {
	Put(ctx context.Context, r io.Reader) (blob.Ref, error)
	Stat(ctx context.Context, sha256hex string) (int64, error) // errs.NotFound where it is not
	Flush(ctx context.Context) error                           // makes durable what was put
}

const (
	maxFeeds   = 1 << 20  // pages of one catalogue
	maxWaiting = 32 << 20 // bytes of the addresses of feeds that wait to be read
	maxDepth   = 12       // of feeds that lead to feeds
	maxEntries = 4 << 20  // of which is known that they were given
	maxFiles   = 10       // of one entry
	maxKept    = 64 << 20 // bytes of the pages, and of the files, that are remembered
	giveAt     = 1 << 20  // bytes of entries that are given at once
)

// OPDS is a harvest of an OPDS catalogue of either version. The form is that of
// format.Harvested.
//
// It reads the feed, the pages that follow it (rel next), and the feeds that its
// entries and navigation lead to, each once and within the same host; where there is a
// complete one (rel crawlable), that alone. Searches, facets and templates are left
// out. An entry that has a complete form (rel alternate, type=entry) is read in that.
// An entry that several feeds list is given once; so is one that stands in a feed twice
// and says the same.
//
// A file is fetched where a link leads to it without a condition (rel
// acquisition/open-access, or acquisition) and the entry states its rights in a form
// that a program can read, one that makes the work open: a licence by its URI or SPDX
// id, or the public domain (ARCHITECTURE.md, "The register"). That a catalogue calls a
// link open-access says what it costs, not whose the rights are; so without a statement
// of the entry or of the librarian the record comes without its file, with its address.
//
// What is remembered: the ETag or date of every page, so that one that has not changed
// is not sent again; and of every file, with the date of its entry.
type OPDS struct {
	ctx    context.Context
	cfg    Config
	client *client
	req    OPDSRequest
	form   *format.Bulk
	file   string // of the state
	host   string // within which feeds are read

	buf     bytes.Buffer
	err     error // what Read gives once buf is empty
	queue   []feed
	onward  *feed             // the next page of the feed that was read last: before all else
	waiting int               // bytes of addresses in queue
	full    bool              // feeds were left out
	asked   map[[16]byte]bool // addresses of pages
	ids     map[[16]byte]int  // of entries, with the number of the feed that had it first
	said    map[[16]byte]bool // entries, with what they say

	// The page that is being given, from entry at on; nil: none.
	page  *format.OPDSPage
	of    feed
	at    int
	whole bool // so far, nothing of it is to be asked for again next time
	got   http.Header

	mu    sync.Mutex
	state opdsState
	fresh map[string]opdsPage        // pages that are remembered once the import has ended
	kept  struct{ pages, files int } // bytes of fresh, and of state.Files
	saved time.Time
}

// feed is a page to be read.
type feed struct {
	url    string
	depth  int
	number int // of the feed of which it is a page, from 1
}

// opdsState is what is remembered.
type opdsState struct {
	URL   string              `json:"url"`
	Pages map[string]opdsPage `json:"pages,omitempty"` // by address
	Files map[string]opdsFile `json:"files,omitempty"` // by address
	Into  into                `json:"into,omitzero"`
}

// opdsPage is a page as it was: what it leads to, and by what a server tells whether
// it has changed.
type opdsPage struct {
	ETag     string   `json:"etag,omitempty"`
	Modified string   `json:"modified,omitempty"`
	Next     string   `json:"next,omitempty"`
	Feeds    []string `json:"feeds,omitempty"`
}

// OpenOPDS reads the first page of a catalogue. The error is errs.Invalid where the
// request makes no sense, and otherwise says what is wrong with the catalogue.
func OpenOPDS(ctx context.Context, cfg Config, req OPDSRequest) (*OPDS, error) {
	cfg = cfg.withDefaults()
	u, err := checkAddress(req.URL)
	if err != nil {
		return nil, err
	}
	c := newClient(cfg, u)
	req.URL = u.String()
	if req.Source == "" {
		req.Source = SourceName(req.URL)
	}
	o := &OPDS{ctx: ctx, cfg: cfg, client: c, req: req, form: format.Harvested(),
		asked: map[[16]byte]bool{}, ids: map[[16]byte]int{}, said: map[[16]byte]bool{}, fresh: map[string]opdsPage{}}
	what := "records"
	if req.Files {
		if what = "files"; req.Stated {
			what = "files, rights stated"
		}
	}
	o.file = cfg.stateFile(req.Source, "opds", req.URL, what)
	o.state = load[opdsState](cfg, o.file)
	if same, err := cfg.holds(o.state.Into); err != nil {
		return nil, err
	} else if !same { // whether a file is there is asked of the store
		o.state.Pages = nil
	}
	o.state.URL = req.URL
	if o.state.Files == nil {
		o.state.Files = map[string]opdsFile{}
	}
	for address, f := range o.state.Files {
		o.kept.files += f.size(address)
	}
	first, at, got, err := o.fetch(req.URL, nil)
	if err != nil {
		return nil, err
	}
	o.host = at.Host // after redirects
	start := feed{url: at.String(), number: 1}
	o.asked[key(start.url)], o.asked[key(req.URL)] = true, true
	if first.Complete != "" && o.within(first.Complete) && first.Complete != start.url {
		start.url = first.Complete
		o.asked[key(start.url)] = true
		o.onward = &start
		return o, nil
	}
	o.give(start, first, got)
	return o, nil
}

func key(s string) [16]byte {
	sum := sha256.Sum256([]byte(s))
	return [16]byte(sum[:16])
}

// Form implements Harvest.
func (o *OPDS) Form() *format.Bulk { return o.form }

// Read implements Harvest.
func (o *OPDS) Read(p []byte) (int, error) {
	for o.buf.Len() == 0 {
		if o.err != nil {
			return 0, o.err
		}
		o.err = o.next()
	}
	return o.buf.Read(p)
}

// within says whether an address is one of the catalogue's own host.
func (o *OPDS) within(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(u.Host, o.host)
}

// fetch reads a page; nil where it has not changed since header said.
func (o *OPDS) fetch(address string, header http.Header) (*format.OPDSPage, *url.URL, http.Header, error) {
	h := http.Header{"Accept": {"application/opds+json, application/atom+xml;q=0.9, application/xml;q=0.5, */*;q=0.1"}}
	for k, v := range header {
		h[k] = v
	}
	var page *format.OPDSPage
	data, final, got, err := o.client.page(o.ctx, address, h, format.MaxOPDSPage)
	if err == nil && data != nil {
		if page, err = format.ReadOPDS(final.String(), data); err != nil {
			err = errs.New(errs.KindOf(err), "%s: %w", show(final), err)
		}
	}
	return page, final, got, err
}

// next gives what comes next of a page, or asks for the next page.
func (o *OPDS) next() error {
	if o.page != nil {
		return o.entries()
	}
	var f feed
	switch {
	case o.onward != nil:
		f, o.onward = *o.onward, nil
	case len(o.queue) > 0:
		f, o.queue = o.queue[0], o.queue[1:]
		o.waiting -= len(f.url)
	default:
		return io.EOF
	}
	o.mu.Lock()
	was, known := o.state.Pages[f.url]
	o.mu.Unlock()
	header := http.Header{}
	if known && was.ETag != "" {
		header.Set("If-None-Match", was.ETag)
	} else if known && was.Modified != "" {
		header.Set("If-Modified-Since", was.Modified)
	}
	page, final, got, err := o.fetch(f.url, header)
	switch {
	case err != nil && o.ctx.Err() != nil:
		return o.ctx.Err()
	case err != nil && f.number == 1, errs.Is(err, errs.Unavailable):
		return err // the catalogue itself, or the server is down: the next harvest tries again
	case err != nil: // a way that leads nowhere
		return o.say(nil, errs.New(errs.Refused, "the catalogue leads to a feed that cannot be read: %w", err))
	case !o.within(final.String()):
		return o.say(nil, errs.New(errs.Refused, "the catalogue leads to a feed of another host, %s", show(final)))
	case page == nil:
		o.remember(f, was)
		return o.follow(f, was.Next, was.Feeds)
	}
	o.give(f, page, got)
	return nil
}

// give begins with the entries of a page.
func (o *OPDS) give(f feed, page *format.OPDSPage, got http.Header) {
	o.of, o.page, o.at, o.whole, o.got = f, page, 0, true, got
}

// remember notes a page for the next harvest.
func (o *OPDS) remember(f feed, has opdsPage) {
	if has.ETag == "" && has.Modified == "" {
		return
	}
	size := len(f.url) + len(has.ETag) + len(has.Modified) + len(has.Next) + 100
	for _, address := range has.Feeds {
		size += len(address) + 20
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.kept.pages+size <= maxKept {
		o.fresh[f.url] = has
		o.kept.pages += size
	}
}

// follow notes what a page leads to: its next page comes before all else, so that a
// feed is read to its end, and other feeds after what waits already.
func (o *OPDS) follow(f feed, next string, feeds []string) error {
	leads := func(address string, depth int) bool {
		u, err := url.Parse(address)
		if err != nil || !o.within(address) || depth > maxDepth {
			return false
		}
		u.Fragment = ""
		k := key(u.String())
		switch {
		case o.asked[k]:
			return false
		case len(o.asked) >= maxFeeds || o.waiting+len(address) > maxWaiting:
			o.full = true
			return false
		}
		o.asked[k] = true
		return true
	}
	was := o.full
	for _, address := range feeds {
		if leads(address, f.depth+1) {
			o.queue = append(o.queue, feed{address, f.depth + 1, len(o.asked)})
			o.waiting += len(address)
		}
	}
	if next != "" && leads(next, f.depth) {
		o.onward = &feed{next, f.depth, f.number}
	}
	if o.full && !was {
		return o.say(nil, errs.New(errs.Refused, "the catalogue leads to more feeds than are read; those beyond are left out"))
	}
	return nil
}

// entries gives entries of the page, about giveAt bytes of them, and after the last
// notes what the page leads to. Their files are durable when it returns.
func (o *OPDS) entries() error {
	for o.at < len(o.page.Entries) && o.buf.Len() < giveAt {
		o.entry(&o.page.Entries[o.at])
		if o.ctx.Err() != nil {
			o.buf.Reset() // their files may not be durable
			return o.ctx.Err()
		}
		o.page.Entries[o.at] = format.OPDSEntry{} // it may be long
		o.at++
	}
	if o.req.Files {
		if err := o.req.Blobs.Flush(o.ctx); err != nil {
			o.buf.Reset()
			return err
		}
	}
	if o.at < len(o.page.Entries) {
		return nil
	}
	f, page := o.of, o.page
	o.page = nil
	if has := (opdsPage{ETag: o.got.Get("ETag"), Modified: o.got.Get("Last-Modified"), Next: page.Next, Feeds: page.Feeds}); o.whole && len(has.ETag) < 300 && len(has.Modified) < 60 {
		o.remember(f, has)
	}
	return o.follow(f, page.Next, page.Feeds)
}

// entry gives one entry, if it has not been given. Where the context ends meanwhile,
// it may have given nothing.
func (o *OPDS) entry(e *format.OPDSEntry) {
	if e.Err != nil {
		_ = o.say(nil, e.Err)
		return
	}
	if o.had(o.of, e.Described) {
		return
	}
	at := o.of.url
	if e.Complete != "" && o.within(e.Complete) && e.Complete != o.of.url {
		full, err := o.complete(e)
		switch {
		case err != nil && o.ctx.Err() != nil:
			return
		case err != nil:
			e.Warnings = append(e.Warnings, "its complete entry cannot be read: "+err.Error())
			o.whole = o.whole && !errs.Is(err, errs.Unavailable) && !errs.Is(err, errs.Corrupt)
		default:
			if at = e.Complete; full.Stated == nil {
				full.Stated = e.Stated
			}
			e = full
		}
		if o.repeats(e.Described) {
			return
		}
	}
	if o.req.Files {
		o.whole = o.files(e, at) && o.whole
	}
	if o.ctx.Err() == nil {
		_ = o.say(e.Described, nil)
	}
}

// complete reads the complete form of an entry.
func (o *OPDS) complete(e *format.OPDSEntry) (*format.OPDSEntry, error) {
	page, final, _, err := o.fetch(e.Complete, nil)
	switch {
	case err != nil:
		return nil, err
	case !o.within(final.String()):
		return nil, errs.New(errs.Refused, "it is of another host, %s", show(final))
	case len(page.Entries) != 1 || page.Entries[0].Err != nil:
		return nil, errs.New(errs.Refused, "%s is no entry", show(final))
	case page.Entries[0].ID != e.ID:
		return nil, errs.New(errs.Refused, "%s has another id", show(final))
	}
	return &page.Entries[0], nil
}

// had says whether an entry has been given: by another feed, or with the same words.
func (o *OPDS) had(f feed, d *format.Described) bool {
	if d.ID != "" {
		id := key(d.ID)
		if number, ok := o.ids[id]; ok && number != f.number {
			return true
		}
		if len(o.ids) < maxEntries {
			o.ids[id] = f.number
		}
	}
	return o.repeats(d)
}

// repeats says whether an entry that says just this has been given.
func (o *OPDS) repeats(d *format.Described) bool {
	raw, err := json.Marshal(d)
	if err != nil {
		return false
	}
	k := key(string(raw))
	had := o.said[k]
	if len(o.said) < maxEntries {
		o.said[k] = true
	}
	return had
}

// say gives one line.
func (o *OPDS) say(d *format.Described, refused error) error {
	line, err := format.EncodeHarvested(d, refused)
	if err != nil {
		return err
	}
	o.buf.Write(line)
	o.buf.WriteByte('\n')
	return nil
}

// Durable implements Harvest. Files that were fetched are remembered.
func (o *OPDS) Durable(int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.req.Files || o.cfg.Now().Sub(o.saved) < saveEvery {
		return
	}
	if err := o.save(); err != nil {
		o.cfg.Log.Warn("where a harvest is cannot be remembered", "error", err)
	}
	o.saved = o.cfg.Now()
}

// Finish implements Harvest.
func (o *OPDS) Finish(imported error) error {
	o.client.http.CloseIdleConnections()
	o.mu.Lock()
	defer o.mu.Unlock()
	if imported == nil && errors.Is(o.err, io.EOF) {
		o.state.Pages = o.fresh
	}
	return o.save()
}

// save remembers the state; o.mu is held.
func (o *OPDS) save() (err error) {
	if o.state.Into, err = o.cfg.now(); err != nil {
		return err
	}
	return o.cfg.save(o.file, o.state)
}

// rights is the statement of an entry that was found at an address.
func (o *OPDS) rights(e *format.OPDSEntry, at string) *record.Rights {
	if e.Stated == nil {
		return nil
	}
	r := &record.Rights{Basis: e.Stated.Basis, Licence: e.Stated.Licence, Access: record.Open,
		Evidence: &record.Evidence{URL: at, Text: "stated in the catalogue: " + e.Stated.Raw}}
	if r.Check() != nil {
		return nil
	}
	return r
}
