package index

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"database/sql"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"wenlan/internal/sqldb"
)

// rank is BM25 with the weights of the columns: title, creators, about, abstract,
// ids, facets. FTS5 gives better matches lower values.
const rank = "-bm25(fts, 10.0, 6.0, 3.0, 1.0, 12.0, 0.0)"

// Search implements [Index].
func (x *FTS) Search(ctx context.Context, q Query) (*Result, error) {
	start := time.Now()
	if q.Limit <= 0 {
		q.Limit = 20
	}
	q.Limit = min(q.Limit, MaxLimit)
	q.Offset = min(max(q.Offset, 0), MaxOffset)
	if q.Sort != Newest && q.Sort != Oldest && q.Sort != Title {
		q.Sort = Relevance
	}
	g, release, err := x.db.Acquire()
	if err != nil {
		return nil, err
	}
	defer release()
	p := parse(q.Text)
	s := &scan{q: q, g: g, best: best{less: order(q.Sort)}, max: x.cfg.MaxMatches, keep: q.Offset + q.Limit}
	if err := s.run(ctx, p, x.cfg.Budget); err != nil {
		return nil, err
	}
	res := &Result{Total: s.total, Exact: s.exact}
	found := s.best.sorted()
	for _, m := range found[min(q.Offset, len(found)):] {
		res.Hits = append(res.Hits, Hit{Record: m.n, Score: m.score, Highlights: x.highlights(ctx, m.n, p)})
	}
	if q.Facets {
		if res.Facets, err = s.facets(ctx); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	res.Took = time.Since(start)
	return res, nil
}

// matched is a record that matches, with what it is sorted by.
type matched struct {
	n     int64
	score float64
	year  int
	tkey  []byte
}

// order says whether a comes before b.
func order(sort string) func(a, b *matched) bool {
	later := func(a, b *matched) bool { return a.n > b.n }
	switch sort {
	case Newest:
		return func(a, b *matched) bool {
			if a.year != b.year {
				return a.year > b.year
			}
			return later(a, b)
		}
	case Oldest:
		return func(a, b *matched) bool {
			if a.year != b.year {
				return b.year == unknownYear || (a.year != unknownYear && a.year < b.year)
			}
			return a.n < b.n
		}
	case Title:
		return func(a, b *matched) bool {
			if c := bytes.Compare(a.tkey, b.tkey); c != 0 {
				return c < 0
			}
			return a.n < b.n
		}
	}
	return func(a, b *matched) bool {
		if a.score != b.score {
			return a.score > b.score
		}
		return later(a, b)
	}
}

// best keeps the first few by an order, the last of them on top.
type best struct {
	list []matched
	less func(a, b *matched) bool
}

func (h *best) Len() int           { return len(h.list) }
func (h *best) Less(i, j int) bool { return h.less(&h.list[j], &h.list[i]) }
func (h *best) Swap(i, j int)      { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *best) Push(v any)         { h.list = append(h.list, v.(matched)) }
func (h *best) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}

func (h *best) offer(m matched, keep int) {
	switch {
	case len(h.list) < keep:
		m.tkey = bytes.Clone(m.tkey)
		heap.Push(h, m)
	case h.less(&m, &h.list[0]):
		m.tkey = append(h.list[0].tkey[:0], m.tkey...)
		h.list[0] = m
		heap.Fix(h, 0)
	}
}

func (h *best) sorted() []matched {
	slices.SortFunc(h.list, func(a, b matched) int {
		if h.less(&a, &b) {
			return -1
		}
		return 1
	})
	return h.list
}

// scan is one query at work: it goes through the matches once and keeps the best,
// the total and the facets.
type scan struct {
	q    Query
	g    *sqldb.Generation
	best best
	keep int // best matches to keep
	max  int // matches to look at

	langs    map[string]bool
	kinds    map[string]bool
	subjects map[int64]bool

	seen  int
	total int64
	exact bool
	stop  bool // nothing more is needed

	byLang, byKind map[string]int64
	byYear         map[int]int64
	bySubject      map[int64]int64
}

// segment is one statement; the rows of all segments together are the matches.
type segment struct {
	query string
	args  []any
}

func (s *scan) run(ctx context.Context, p parsed, budget time.Duration) error {
	s.exact = true
	s.byLang, s.byKind, s.byYear, s.bySubject = map[string]int64{}, map[string]int64{}, map[int]int64{}, map[int64]int64{}
	if len(p.terms) == 0 && !p.empty {
		return ctx.Err() // signs only: nothing has them
	}
	s.langs, s.kinds = set(s.q.Languages, primary), set(s.q.Kinds, strings.TrimSpace)
	known, err := s.loadSubjects(ctx)
	if err != nil || !known {
		return err
	}
	if len(p.terms) > 0 {
		values := s.q.Facets || s.filtered() || s.q.Sort != Relevance
		ranked := rank
		if s.q.Sort != Relevance {
			ranked = "0.0"
		}
		err := s.read(ctx, budget, []segment{textSegment(ranked, values, p.match())}, values)
		if err == nil && !s.exact && s.seen == 0 && ranked == rank { // even the weights of the words took too long
			err = s.read(ctx, budget/2, []segment{textSegment("0.0", values, p.match())}, values)
			s.exact = false
		}
		return err
	}
	segments, counted, err := s.browse(ctx)
	if err != nil {
		return err
	}
	if err := s.read(ctx, budget, segments, true); err != nil {
		return err
	}
	if counted >= 0 {
		s.total = counted
	}
	return nil
}

func (s *scan) filtered() bool {
	return len(s.langs) > 0 || len(s.kinds) > 0 || s.subjects != nil || s.years()
}

func (s *scan) years() bool { return s.q.YearFrom != 0 || s.q.YearTo != 0 }

const values = "d.year, d.kind, d.langs, d.subjects, d.tkey"

// textSegment gives the matches of an expression, the latest record first, so that
// what a budget cuts off are the oldest.
func textSegment(ranked string, withValues bool, match string) segment {
	if !withValues {
		return segment{"SELECT fts.rowid, " + ranked + " FROM fts WHERE fts MATCH ? ORDER BY fts.rowid DESC", []any{match}}
	}
	return segment{"SELECT fts.rowid, " + ranked + ", " + values + " FROM fts CROSS JOIN docs d ON d.n = fts.rowid WHERE fts MATCH ? ORDER BY fts.rowid DESC", []any{match}}
}

// browse gives the statements of a query without text, and the total where it is
// known beforehand, or -1.
func (s *scan) browse(ctx context.Context) (segments []segment, total int64, err error) {
	var match []string
	for _, f := range []struct {
		facet string
		want  []string
	}{{FacetLanguage, keys(s.langs)}, {FacetKind, keys(s.kinds)}, {FacetSubject, s.q.Subjects}} {
		if len(f.want) > 0 {
			tokens := make([]string, len(f.want))
			for i, v := range f.want {
				tokens[i] = facetToken(f.facet, v)
			}
			match = append(match, anyOf(tokens))
		}
	}
	if len(match) > 0 {
		return []segment{textSegment("0.0", true, strings.Join(match, " AND "))}, -1, nil
	}
	const from = "SELECT d.n, 0.0, " + values + " FROM docs d "
	low, high := unknownYear, 1<<31
	if s.years() {
		low = unknownYear + 1
		if s.q.YearFrom != 0 {
			low = s.q.YearFrom
		}
		if s.q.YearTo != 0 {
			high = s.q.YearTo
		}
	}
	switch s.q.Sort {
	case Newest:
		segments = []segment{{from + "WHERE d.year BETWEEN ? AND ? ORDER BY d.year DESC, d.n DESC", []any{low, high}}}
	case Oldest:
		segments = []segment{{from + "WHERE d.year BETWEEN ? AND ? ORDER BY d.year, d.n", []any{max(low, unknownYear+1), high}}}
		if low == unknownYear {
			segments = append(segments, segment{from + "WHERE d.year = ? ORDER BY d.n", []any{unknownYear}})
		}
	case Title:
		segments = []segment{{from + "ORDER BY d.tkey, d.n", nil}}
	default:
		segments = []segment{{from + "ORDER BY d.n DESC", nil}}
		if s.years() {
			segments = []segment{{from + "WHERE d.year BETWEEN ? AND ? ORDER BY d.year DESC, d.n DESC", []any{low, high}}}
		}
	}
	if s.years() || s.q.Facets {
		return segments, -1, nil
	}
	s.stop = true // the rows come in order: the first ones will do
	err = s.g.Reader().QueryRowContext(ctx, "SELECT v FROM meta WHERE k = 'docs'").Scan(&total)
	return segments, total, err
}

// read goes through the rows of the segments within the budget.
func (s *scan) read(ctx context.Context, budget time.Duration, segments []segment, withValues bool) error {
	limited, cancel := context.WithTimeout(ctx, budget)
	defer cancel()
	for _, seg := range segments {
		if s.stop && len(s.best.list) >= s.keep {
			return nil
		}
		err := s.readOne(limited, seg, withValues)
		if err != nil && ctx.Err() == nil && sqldb.Interrupted(err) {
			s.exact = false
			return nil
		}
		if err != nil {
			return err
		}
		if !s.exact {
			return nil
		}
	}
	return nil
}

func (s *scan) readOne(ctx context.Context, seg segment, withValues bool) error {
	rows, err := s.g.Reader().QueryContext(ctx, seg.query, seg.args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var m matched
	var kind, langs, subjects, tkey sql.RawBytes
	dest := []any{&m.n, &m.score}
	if withValues {
		dest = append(dest, &m.year, &kind, &langs, &subjects, &tkey)
	}
	for rows.Next() {
		if s.stop && len(s.best.list) >= s.keep {
			return nil
		}
		if s.seen++; s.seen > s.max {
			s.exact = false
			return nil
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		m.tkey = tkey
		if withValues && !s.pass(&m, kind, langs, subjects) {
			continue
		}
		s.total++
		s.best.offer(m, s.keep)
		if s.q.Facets {
			s.tally(&m, kind, langs, subjects)
		}
	}
	return rows.Err()
}

// pass says whether a match passes the filters.
func (s *scan) pass(m *matched, kind, langs, subjects []byte) bool {
	if s.years() && (m.year == unknownYear || (s.q.YearFrom != 0 && m.year < s.q.YearFrom) || (s.q.YearTo != 0 && m.year > s.q.YearTo)) {
		return false
	}
	if len(s.kinds) > 0 && !s.kinds[string(kind)] {
		return false
	}
	if len(s.langs) > 0 {
		ok := false
		for l := range bytes.SplitSeq(langs, []byte(",")) {
			ok = ok || s.langs[string(l)]
		}
		if !ok {
			return false
		}
	}
	if s.subjects != nil {
		ok := false
		eachSubject(subjects, func(id int64) { ok = ok || s.subjects[id] })
		return ok
	}
	return true
}

func (s *scan) tally(m *matched, kind, langs, subjects []byte) {
	s.byKind[string(kind)]++
	if len(langs) > 0 {
		for l := range bytes.SplitSeq(langs, []byte(",")) {
			s.byLang[string(l)]++
		}
	}
	if m.year != unknownYear {
		s.byYear[m.year]++
	}
	eachSubject(subjects, func(id int64) {
		if _, ok := s.bySubject[id]; ok || len(s.bySubject) < maxTallied {
			s.bySubject[id]++
		} else {
			s.exact = false
		}
	})
}

// maxTallied bounds the subjects that one query counts.
const maxTallied = 50_000

func eachSubject(packed []byte, fn func(id int64)) {
	for len(packed) > 0 {
		id, n := binary.Uvarint(packed)
		if n <= 0 {
			return
		}
		fn(int64(id))
		packed = packed[n:]
	}
}

// loadSubjects finds the numbers of the subjects that are asked for; known is
// false when no record has any of them.
func (s *scan) loadSubjects(ctx context.Context) (known bool, err error) {
	if len(s.q.Subjects) == 0 {
		return true, nil
	}
	s.q.Subjects = s.q.Subjects[:min(len(s.q.Subjects), 64)]
	s.subjects = map[int64]bool{}
	for _, label := range s.q.Subjects {
		var id int64
		err := s.g.Reader().QueryRowContext(ctx, "SELECT id FROM subjects WHERE label = ?", label).Scan(&id)
		if err == nil {
			s.subjects[id] = true
		} else if err != sql.ErrNoRows {
			return false, err
		}
	}
	return len(s.subjects) > 0, nil
}

// facets is what was counted, most first.
func (s *scan) facets(ctx context.Context) (map[string][]FacetCount, error) {
	subjects := map[string]int64{}
	for _, f := range most(s.bySubject, func(id int64) string { return strconv.FormatInt(id, 10) }) {
		var label string
		if err := s.g.Reader().QueryRowContext(ctx, "SELECT label FROM subjects WHERE id = ?", f.Value).Scan(&label); err != nil {
			return nil, err
		}
		subjects[label] = f.N
	}
	same := func(v string) string { return v }
	years := make([]FacetCount, 0, len(s.byYear))
	for y, n := range s.byYear {
		years = append(years, FacetCount{strconv.Itoa(y), n})
	}
	slices.SortFunc(years, func(a, b FacetCount) int {
		x, _ := strconv.Atoi(a.Value)
		y, _ := strconv.Atoi(b.Value)
		return cmp.Compare(y, x)
	})
	return map[string][]FacetCount{
		FacetLanguage: most(s.byLang, same),
		FacetKind:     most(s.byKind, same),
		FacetYear:     years[:min(len(years), MaxFacet)],
		FacetSubject:  most(subjects, same),
	}, nil
}

func most[K comparable](counts map[K]int64, name func(K) string) []FacetCount {
	out := make([]FacetCount, 0, len(counts))
	for k, n := range counts {
		out = append(out, FacetCount{name(k), n})
	}
	slices.SortFunc(out, func(a, b FacetCount) int {
		return cmp.Or(cmp.Compare(b.N, a.N), strings.Compare(a.Value, b.Value))
	})
	return out[:min(len(out), MaxFacet)]
}

func primary(tag string) string {
	tag, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(tag)), "-")
	return tag
}

func set(values []string, form func(string) string) map[string]bool {
	out := map[string]bool{}
	for _, v := range values[:min(len(values), 64)] {
		if v = form(v); v != "" {
			out[v] = true
		}
	}
	return out
}

func keys(m map[string]bool) []string {
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
