package index

import (
	"bytes"
	"context"
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"wenlan/internal/errs"
	"wenlan/internal/index/analysis"
	"wenlan/internal/index/exec"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

const (
	maxInitials  = 100     // letters that a list begins with
	maxWalk      = 10_000  // terms that one list looks at
	countExactly = 1 << 12 // documents of a term among which the deleted ones are looked for
	fewDeleted   = 1 << 9  // deleted documents that are looked for among those of any term
	maxAfter     = 512
)

// Headings implements [Index].
func (x *Engine) Headings(ctx context.Context, q HeadingQuery) (*HeadingList, error) {
	if err := x.Ready(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if q.Limit <= 0 {
		q.Limit = 50
	}
	q.Limit = min(q.Limit, MaxHeadings)
	kind := termSubject
	switch q.Facet {
	case FacetSubject:
	case FacetCreator:
		kind = termCreator
	default:
		return nil, errs.New(errs.Invalid, "there is no list of %q", q.Facet)
	}
	name := q.Facet == FacetCreator
	prefix := kind + analysis.Heading(q.Prefix, name)
	from := max(prefix, kind+analysis.Heading(q.From, name))
	if q.After != "" {
		after, err := base64.RawURLEncoding.DecodeString(q.After)
		if err != nil || len(q.After) > maxAfter {
			return nil, errs.New(errs.Invalid, "after is not what the last list gave")
		}
		from = max(from, kind+string(after)+"\x00")
	}
	snap, release := x.store.Snapshot()
	defer release()
	out := &HeadingList{Initials: initials(snap.Segments, kind)}
	var last string
	err := walk(snap.Segments, from, prefix+"\xff", maxWalk, func(term []byte, n int64, exact bool) bool {
		if len(out.Headings) == q.Limit {
			out.Next = base64.RawURLEncoding.EncodeToString([]byte(last))
			return false
		}
		last = string(term[len(kind):])
		if key, value := headingOf(last); value != "" && n > 0 {
			out.Headings = append(out.Headings, Heading{value, listed(key, value), key, n, exact})
		}
		return true
	})
	if err == errMore {
		out.Next, err = base64.RawURLEncoding.EncodeToString([]byte(last)), nil
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Classes implements [Index].
func (x *Engine) Classes(ctx context.Context, scheme, parent string) ([]ClassCount, error) {
	if err := x.Ready(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if scheme != DDC && scheme != CLC {
		return nil, nil
	}
	bare := ""
	if parent != "" {
		var ok bool
		if bare, ok = bareClass(scheme, parent); !ok {
			return nil, nil
		}
	}
	snap, release := x.store.Snapshot()
	defer release()
	kind := classesTerm(scheme, len(bare)+1)
	var out []ClassCount
	err := walk(snap.Segments, kind+bare, kind+bare+"\xff", maxWalk, func(term []byte, n int64, exact bool) bool {
		if n > 0 {
			out = append(out, ClassCount{pointed(scheme, string(term[len(kind):])), n, exact})
		}
		return true
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// errMore says that a walk ended before its end.
var errMore = errs.New(errs.Unavailable, "the list is too long")

// walk gives the terms from (inclusive) to (exclusive) of all segments, in order, each with the
// documents that have it, until f says false. It looks at most most terms, else errMore.
func walk(segments []segment.View, from, to string, most int, f func(term []byte, n int64, exact bool) bool) error {
	type cursor struct {
		it *segment.TermIter
		v  *segment.View
	}
	var all []cursor
	for i := range segments {
		v := &segments[i]
		if it := v.Terms(nil, from, to); it.Next() {
			all = append(all, cursor{it, v})
		} else if err := v.Err(); err != nil {
			return err
		}
	}
	var term []byte
	var postings *segment.Postings
	for ; len(all) > 0; most-- {
		if most == 0 {
			return errMore
		}
		least := all[0].it.Text()
		for _, c := range all[1:] {
			if t := c.it.Text(); bytes.Compare(t, least) < 0 {
				least = t
			}
		}
		term = append(term[:0], least...)
		n, exact := int64(0), true
		for i := 0; i < len(all); {
			c := all[i]
			if !bytes.Equal(c.it.Text(), term) {
				i++
				continue
			}
			var k int64
			var ok bool
			k, ok, postings = live(c.v, c.it.Term(), postings)
			n, exact = n+k, exact && ok
			if c.it.Next() {
				i++
				continue
			}
			if err := c.v.Err(); err != nil {
				return err
			}
			all = append(all[:i], all[i+1:]...)
		}
		if !f(term, n, exact) {
			return nil
		}
	}
	return nil
}

// live is how many documents of a term count. Where it has very many, some of which are deleted, it
// is about so many.
func live(v *segment.View, t segment.Term, p *segment.Postings) (n int64, exact bool, _ *segment.Postings) {
	if v.Deleted == nil || v.Deleted.IsEmpty() {
		return int64(t.DF), true, p
	}
	if t.DF > countExactly && v.Deleted.GetCardinality() <= fewDeleted {
		n, p = int64(t.DF), v.Postings(t, p)
		for it := v.Deleted.Iterator(); it.HasNext(); {
			if d := it.Next(); p.Advance(d) == d {
				n--
			}
		}
		return n, true, p
	}
	if t.DF > countExactly {
		return int64(float64(t.DF) * float64(v.Live) / float64(max(v.Docs(), 1))), false, p
	}
	p = v.Postings(t, p)
	for d := p.Next(); d != segment.NoMore; d = p.Next() {
		if !v.Deleted.Contains(d) {
			n++
		}
	}
	return n, true, p
}

// initials are the letters that the values of a kind begin with, at most maxInitials: each
// costs a look into the dictionary of each segment.
func initials(segments []segment.View, kind string) []string {
	var out []string
	from := kind
	for len(out) < maxInitials {
		var least []byte
		for i := range segments {
			if it := segments[i].Terms(nil, from, kind+"\xff"); it.Next() {
				if t := it.Text(); least == nil || bytes.Compare(t, least) < 0 {
					least = append([]byte(nil), t...)
				}
			}
		}
		if len(least) <= len(kind) {
			break
		}
		_, n := utf8.DecodeRune(least[len(kind):])
		letter := string(least[len(kind) : len(kind)+n])
		if utf8.ValidString(letter) {
			out = append(out, letter)
		}
		from = kind + letter + "\xff"
	}
	return out
}

// byTerms has a request find by terms what it can: classes and persons, which have no
// column; and, where nothing was typed and words do not count in the order, subjects,
// names and all documents, because a filter alone reads every document.
func (q *Query) byTerms(req *exec.Request) {
	typed := req.Query.Root
	var and []query.Node
	any := func(of []query.Node) {
		switch len(of) {
		case 0:
			and = append(and, &query.Term{Text: headingMark, Fields: segment.ID.Bit(), Whole: true}) // nothing has it
		case 1:
			and = append(and, of[0])
		default:
			and = append(and, &query.Or{Of: of})
		}
	}
	if len(q.Classes) > 0 {
		var of []query.Node
		for _, c := range q.Classes {
			scheme, code, _ := strings.Cut(c, ":")
			if bare, ok := bareClass(scheme, code); ok {
				of = append(of, id(classTerm(scheme, bare)))
			}
		}
		any(of)
	}
	if len(q.Persons) > 0 {
		var of []query.Node
		for _, p := range q.Persons {
			scheme, value, _ := strings.Cut(p, ":")
			for _, t := range analysis.IDs(nil, scheme, value) {
				of = append(of, id(t))
			}
		}
		any(of)
	}
	if typed == nil && len(and) > 0 && req.Sort == exec.Relevance {
		req.Sort = exec.Newest
	}
	if typed == nil && req.Sort != exec.Relevance {
		if len(q.Subjects) > 0 {
			var of []query.Node
			for _, s := range q.Subjects {
				if t := subjectTerm(s); t != "" {
					of = append(of, id(t))
				}
			}
			if len(of) == len(q.Subjects) {
				any(of)
				req.Filters.Subjects = nil
			}
		}
		if len(q.Creators) > 0 {
			// The words of a name find the few whose column is then looked at.
			var of []query.Node
			for _, c := range q.Creators {
				if n := words(c, segment.Creators); n != nil {
					of = append(of, n)
				}
			}
			if len(of) == len(q.Creators) {
				any(of)
			}
		}
		if len(and) == 0 && q.Facets && !q.filtered() && req.Query.Text == "" {
			any([]query.Node{id(termAll)})
		}
		req.Strict = req.Strict || len(and) > 0
	}
	if len(and) == 0 {
		return
	}
	if typed != nil {
		and = append([]query.Node{typed}, and...)
	}
	with := *req.Query
	with.Root = and[0]
	if len(and) > 1 {
		with.Root = &query.And{Of: and}
	}
	req.Query = &with
}

func id(term string) query.Node {
	return &query.Term{Text: term, Fields: segment.ID.Bit(), Whole: true}
}

// words asks for all words of a text in a field; nil: it has none.
func words(text string, field segment.Field) query.Node {
	and := &query.And{}
	for _, t := range analysis.Analyze(text) {
		if len(and.Of) < 16 {
			and.Of = append(and.Of, &query.Term{Text: t.Text, Fields: field.Bit(), Whole: true})
		}
	}
	switch len(and.Of) {
	case 0:
		return nil
	case 1:
		return and.Of[0]
	}
	return and
}

// filtered says whether there are filters that are columns.
func (q *Query) filtered() bool {
	return len(q.Languages)+len(q.Kinds)+len(q.Subjects)+len(q.Creators)+len(q.Access) > 0 || q.YearFrom != 0 || q.YearTo != 0
}
