package feeds

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"wenlan/internal/catalog"
	"wenlan/internal/errs"
	"wenlan/internal/index"
	"wenlan/internal/record"
)

const (
	opdsPage = 30  // records in one page of a feed
	opdsScan = 300 // records that one page of new arrivals looks through at most
)

// feed begins a feed. path is its address without paging, which its id is made
// from; self is the address of this page.
func (f *Feeds) feed(v voice, title, path, self, mediaType string) *atomFeed {
	return &atomFeed{
		NS: nsAtom, NSTerms: nsTerms, NSOPDS: nsOPDS, NSOpenSearch: nsOpenSearch, NSThread: nsThread,
		Lang:      v.Tag(),
		ID:        f.atomID("feed " + path),
		Title:     atomText{Text: title},
		Author:    atomPerson{Name: f.cfg.Name, URI: f.cfg.URL},
		Generator: "Wenlan",
		Links: []atomLink{
			{Rel: "self", Href: self, Type: mediaType},
			{Rel: "start", Href: "/opds", Type: typeNavigation, Title: f.cfg.Name},
			{Rel: "search", Href: "/opds/opensearch.xml", Type: typeOpenSearch, Title: v.say("search")},
		},
	}
}

// sendFeed writes a feed as XML. Its age is that of its newest entry.
func (f *Feeds) sendFeed(w http.ResponseWriter, r *http.Request, feed *atomFeed, mediaType string) error {
	for _, e := range feed.Entries {
		feed.Updated = max(feed.Updated, e.Updated) // all are UTC with whole seconds
	}
	if feed.Updated == "" {
		feed.Updated = atomTime(f.started)
	}
	return f.sendXML(w, r, feed, mediaType)
}

func (f *Feeds) sendXML(w http.ResponseWriter, r *http.Request, doc any, mediaType string) error {
	data, err := marshal(doc)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", mediaType)
	return f.send(w, r, data)
}

// opdsRoot is the catalogue's root: the ways into it.
func (f *Feeds) opdsRoot(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	v := f.voice(w, r)
	counts, err := f.cfg.Catalog.Counts(r.Context())
	if err != nil {
		return err
	}
	feed := f.feed(v, f.cfg.Name, "/opds", "/opds", typeNavigation)
	feed.Updated, err = f.newest(r.Context())
	if err != nil {
		return err
	}
	add := func(rel, title, about, path, mediaType string) {
		feed.Entries = append(feed.Entries, f.navigation(rel, title, about, path, mediaType, feed.Updated))
	}
	add(relNew, v.say("new"), v.say("new.about"), "/opds/new", typeAcquisition)
	add("subsection", v.say("languages"), v.say("browse.about", strconv.Itoa(len(counts.Languages))), "/opds/languages", typeNavigation)
	add("subsection", v.say("kinds"), v.say("browse.about", strconv.Itoa(len(counts.Kinds))), "/opds/kinds", typeNavigation)
	return f.sendFeed(w, r, feed, typeNavigation)
}

// newest is the age of the library's newest record, as navigation feeds state it.
func (f *Feeds) newest(ctx context.Context) (string, error) {
	numbers, err := f.cfg.Catalog.List(ctx, catalog.ListQuery{Newest: true, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(numbers) == 0 {
		return atomTime(f.started), nil
	}
	st, err := f.cfg.Catalog.Record(ctx, numbers[0])
	if errs.Is(err, errs.Gone) || errs.Is(err, errs.NotFound) {
		return atomTime(f.started), nil
	}
	if err != nil {
		return "", err
	}
	return atomTime(updated(st)), nil
}

// navigation is an entry that leads to another feed.
func (f *Feeds) navigation(rel, title, about, path, mediaType, age string) *atomEntry {
	return &atomEntry{
		ID:      f.atomID("feed " + path),
		Title:   atomText{Text: title},
		Updated: age,
		Content: &atomText{Type: "text", Text: about},
		Links:   []atomLink{{Rel: rel, Href: path, Type: mediaType}},
	}
}

// opdsLanguages lists the languages of the library.
func (f *Feeds) opdsLanguages(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	v := f.voice(w, r)
	counts, err := f.cfg.Catalog.Counts(r.Context())
	if err != nil {
		return err
	}
	return f.group(w, r, v, v.say("languages"), "/opds/languages", counts.Languages, v.Language)
}

// opdsKinds lists the kinds of works in the library.
func (f *Feeds) opdsKinds(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	v := f.voice(w, r)
	counts, err := f.cfg.Catalog.Counts(r.Context())
	if err != nil {
		return err
	}
	return f.group(w, r, v, v.say("kinds"), "/opds/kinds", counts.Kinds, v.kind)
}

// group is a navigation feed over the values of one field.
func (f *Feeds) group(w http.ResponseWriter, r *http.Request, v voice, title, path string, values []catalog.Count, name func(string) string) error {
	feed := f.feed(v, title, path, path, typeNavigation)
	feed.Links = append(feed.Links, atomLink{Rel: "up", Href: "/opds", Type: typeNavigation})
	var err error
	if feed.Updated, err = f.newest(r.Context()); err != nil {
		return err
	}
	for _, c := range values {
		if c.Key == "" || c.N <= 0 {
			continue
		}
		feed.Entries = append(feed.Entries, f.navigation("subsection", name(c.Key), v.say("count", v.Number(c.N)),
			path+"/"+url.PathEscape(c.Key), typeAcquisition, feed.Updated))
	}
	return f.sendFeed(w, r, feed, typeNavigation)
}

// opdsNew lists new arrivals. It pages by accession number, so that every page
// costs the same however deep it is: before is the number that the page above
// ended with.
func (f *Feeds) opdsNew(w http.ResponseWriter, r *http.Request, q url.Values) error {
	ctx, v := r.Context(), f.voice(w, r)
	before, err := number(q, "before", 0, 1, 1<<53)
	if err != nil {
		return err
	}
	self := withQuery("/opds/new", "before", q.Get("before"))
	feed := f.feed(v, v.say("new"), "/opds/new", self, typeAcquisition)
	feed.Links = append(feed.Links,
		atomLink{Rel: "up", Href: "/opds", Type: typeNavigation},
		atomLink{Rel: "first", Href: "/opds/new", Type: typeAcquisition})
	reader := f.reader(r)
	last, more := int64(before), true
	for seen := 0; more && len(feed.Entries) < opdsPage && seen < opdsScan; seen += opdsPage {
		numbers, err := f.cfg.Catalog.List(ctx, catalog.ListQuery{Newest: true, After: last, Limit: opdsPage})
		if err != nil {
			return err
		}
		more = len(numbers) == opdsPage
		for i, n := range numbers {
			last = n
			if err := f.addEntry(ctx, v, feed, n, reader); err != nil {
				return err
			}
			if len(feed.Entries) == opdsPage {
				more = more || i+1 < len(numbers)
				break
			}
		}
	}
	if more {
		feed.Links = append(feed.Links, atomLink{Rel: "next", Href: withQuery("/opds/new", "before", strconv.FormatInt(last, 10)), Type: typeAcquisition})
	}
	if before > 0 {
		prev, err := f.pageAbove(ctx, int64(before))
		if err != nil {
			return err
		}
		feed.Links = append(feed.Links, atomLink{Rel: "previous", Href: prev, Type: typeAcquisition})
	}
	return f.sendFeed(w, r, feed, typeAcquisition)
}

// pageAbove is the page of new arrivals that ends just above a number.
func (f *Feeds) pageAbove(ctx context.Context, before int64) (string, error) {
	newer, err := f.cfg.Catalog.List(ctx, catalog.ListQuery{After: before - 1, Limit: opdsPage + 1})
	if err != nil {
		return "", err
	}
	if len(newer) <= opdsPage {
		return "/opds/new", nil
	}
	return withQuery("/opds/new", "before", strconv.FormatInt(newer[opdsPage], 10)), nil
}

// opdsLanguage lists the records in one language, by title.
func (f *Feeds) opdsLanguage(w http.ResponseWriter, r *http.Request, q url.Values) error {
	v, lang := f.voice(w, r), r.PathValue("lang")
	query, page, err := parseSearch(url.Values{"page": q["page"], "after": q["after"], "lang": {lang}, "sort": {index.Title}}, opdsPage, opdsPage)
	if err != nil {
		return err
	}
	path := "/opds/languages/" + url.PathEscape(lang)
	return f.results(w, r, v, results{title: v.Language(lang), path: path, up: "/opds/languages", query: query, page: page,
		link: func(page, after string) string { return withQuery(path, "page", page, "after", after) }})
}

// opdsKind lists the records of one kind, by title.
func (f *Feeds) opdsKind(w http.ResponseWriter, r *http.Request, q url.Values) error {
	v, kind := f.voice(w, r), r.PathValue("kind")
	if !slices.Contains(record.Kinds, record.Kind(kind)) {
		return errs.New(errs.NotFound, "there is no such kind")
	}
	query, page, err := parseSearch(url.Values{"page": q["page"], "after": q["after"], "kind": {kind}, "sort": {index.Title}}, opdsPage, opdsPage)
	if err != nil {
		return err
	}
	path := "/opds/kinds/" + url.PathEscape(kind)
	return f.results(w, r, v, results{title: v.kind(kind), path: path, up: "/opds/kinds", query: query, page: page,
		link: func(page, after string) string { return withQuery(path, "page", page, "after", after) }})
}

// opdsSearch lists the records that match, the best first, with facets.
func (f *Feeds) opdsSearch(w http.ResponseWriter, r *http.Request, q url.Values) error {
	v := f.voice(w, r)
	query, page, err := parseSearch(q, opdsPage, opdsPage)
	if err != nil {
		return err
	}
	query.Facets = true
	lang, kind := q.Get("lang"), q.Get("kind")
	link := func(lang, kind, page, after string) string {
		return withQuery("/opds/search", "q", q.Get("q"), "lang", lang, "kind", kind, "page", page, "after", after)
	}
	return f.results(w, r, v, results{
		title: v.say("results", shorten(query.Text, 100)), path: link(lang, kind, "", ""), up: "/opds", query: query, page: page,
		link: func(page, after string) string { return link(lang, kind, page, after) },
		facets: []facetGroup{
			{name: v.say("language"), field: "language", active: lang, label: v.Language, link: func(s string) string { return link(s, kind, "", "") }},
			{name: v.say("kind"), field: "kind", active: kind, label: v.kind, link: func(s string) string { return link(lang, s, "", "") }},
		},
	})
}

// results is an acquisition feed over a query.
type results struct {
	title  string
	path   string // without paging
	up     string
	query  index.Query
	page   int
	link   func(page, after string) string // the address of another page; "" is the first
	facets []facetGroup
}

// facetGroup is one way to narrow a feed (OPDS 1.2, section 4).
type facetGroup struct {
	name, field, active string
	label, link         func(value string) string
}

// facetValues is how many values of a facet a feed offers.
const facetValues = 20

// results answers with one page. It may hold fewer entries than the page has
// hits: what this reader may not download is left out.
func (f *Feeds) results(w http.ResponseWriter, r *http.Request, v voice, rs results) error {
	ctx := r.Context()
	res, err := f.cfg.Index.Search(ctx, rs.query)
	if err != nil {
		return err
	}
	pageName := func(n int) string {
		if n <= 1 {
			return ""
		}
		return strconv.Itoa(n)
	}
	feed := f.feed(v, rs.title, rs.path, rs.link(pageName(rs.page), rs.query.After), typeAcquisition)
	start, size := int64(rs.query.Offset)+1, rs.query.Limit
	feed.Total, feed.PerPage = &res.Total, &size
	if rs.query.After == "" { // else it is not known how many came before
		feed.StartIndex = &start
	}
	add := func(rel, href, mediaType string) {
		feed.Links = append(feed.Links, atomLink{Rel: rel, Href: href, Type: mediaType})
	}
	add("up", rs.up, typeNavigation)
	add("first", rs.link("", ""), typeAcquisition)
	if rs.page > 1 {
		add("previous", rs.link(pageName(rs.page-1), ""), typeAcquisition)
	}
	if key := next(rs.query, res); key != "" { // by key, which costs the same however deep
		add("next", rs.link("", key), typeAcquisition)
	} else if end := rs.query.Offset + size; rs.query.After == "" && len(res.Hits) == size && int64(end) < res.Total && end+size <= maxDepth {
		add("next", rs.link(pageName(rs.page+1), ""), typeAcquisition)
	}
	for _, g := range rs.facets {
		for i, c := range res.Facets[g.field] {
			if i == facetValues {
				break
			}
			link := atomLink{Rel: relFacet, Href: g.link(c.Value), Type: typeAcquisition, Title: g.label(c.Value), Group: g.name, Count: c.N}
			if g.active == c.Value {
				link.Active = "true"
			}
			feed.Links = append(feed.Links, link)
		}
	}
	reader := f.reader(r)
	for _, h := range res.Hits {
		if err := f.addEntry(ctx, v, feed, h.Record, reader); err != nil {
			return err
		}
	}
	return f.sendFeed(w, r, feed, typeAcquisition)
}

// addEntry adds a record to a feed, if there is a text that the reader may
// download; nothing else is a catalogue entry (OPDS 1.2, section 5).
func (f *Feeds) addEntry(ctx context.Context, v voice, feed *atomFeed, n int64, reader Reader) error {
	st, files, err := f.readable(ctx, n, reader)
	if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) {
		return nil
	}
	if err != nil || len(files) == 0 {
		return err
	}
	feed.Entries = append(feed.Entries, f.entry(v, st, files, false))
	return nil
}

// readable is a record and those of its files that this reader may download; no
// files at all where none of them is a text, or the record is merged away.
func (f *Feeds) readable(ctx context.Context, n int64, reader Reader) (*record.State, []record.File, error) {
	st, err := f.cfg.Catalog.Record(ctx, n)
	if err != nil {
		return nil, nil, err
	}
	if st.MergedInto != nil || !record.Decide(reader.question(st, nil)).Download {
		return st, nil, nil
	}
	var files []record.File
	text := false
	for _, file := range st.Files {
		withdrawals, err := f.cfg.Catalog.BlobWithdrawals(ctx, file.SHA256)
		if err != nil {
			return nil, nil, err
		}
		if record.Decide(reader.question(st, withdrawals)).Download {
			files = append(files, file)
			text = text || file.Role == record.RoleText
		}
	}
	if !text {
		return st, nil, nil
	}
	return st, files, nil
}

// opdsRecord is the complete catalogue entry of a record. A record without a
// text to download has none: the answer says why.
func (f *Feeds) opdsRecord(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	v := f.voice(w, r)
	n, err := accession(r)
	if err != nil {
		return err
	}
	reader := f.reader(r)
	st, files, err := f.readable(r.Context(), n, reader)
	if err != nil {
		return err
	}
	if st.MergedInto != nil {
		http.Redirect(w, r, opdsRecordPath(*st.MergedInto), http.StatusFound)
		return nil
	}
	if len(files) == 0 {
		return f.whyNot(r.Context(), st, reader)
	}
	return f.sendXML(w, r, f.entry(v, st, files, true), typeEntry)
}

// whyNot is the error of a record that has nothing to download for a reader.
func (f *Feeds) whyNot(ctx context.Context, st *record.State, reader Reader) error {
	if err := record.Decide(reader.question(st, nil)).Err(); err != nil {
		return err
	}
	for _, file := range st.Files {
		withdrawals, err := f.cfg.Catalog.BlobWithdrawals(ctx, file.SHA256)
		if err != nil {
			return err
		}
		if err := record.Decide(reader.question(st, withdrawals)).Err(); err != nil && file.Role == record.RoleText {
			return err
		}
	}
	return errs.New(errs.NotFound, "the library has no text of this record")
}

// opdsDescription tells e-readers how to search (OpenSearch 1.1).
func (f *Feeds) opdsDescription(w http.ResponseWriter, r *http.Request, _ url.Values) error {
	v := f.voice(w, r)
	base := f.base(r)
	doc := openSearch{
		NS:          nsOpenSearch,
		ShortName:   shorten(f.cfg.Name, 15),
		Description: f.cfg.Name + " · " + v.say("search"),
		URLs: []openSearchU{
			{Type: typeAcquisition, Template: base + "/opds/search?q={searchTerms}&page={startPage?}"},
			{Type: "text/html", Template: base + "/search?q={searchTerms}"},
		},
		Language:  []string{"*"},
		OutputEnc: "UTF-8",
		InputEnc:  "UTF-8",
	}
	return f.sendXML(w, r, doc, typeOpenSearch)
}

// base is the public address: the configured one, else that of the request.
// OpenSearch templates must be absolute, everything else in a feed is not.
func (f *Feeds) base(r *http.Request) string {
	if f.cfg.URL != "" {
		return f.cfg.URL
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return (&url.URL{Scheme: scheme, Host: r.Host}).String()
}
