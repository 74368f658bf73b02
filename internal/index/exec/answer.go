package exec

import (
	"maps"
	"math"
	"slices"

	"wenlan/internal/index/query"
)

// When a query finds fewer than fewHits, words that at most rareDF documents have are
// widened by those near to them, at most maxWiden words. A word that more have is what was
// meant.
const (
	fewHits  = 5
	rareDF   = 3
	maxWiden = 4
	manyMore = 10 // so many times what a slip finds is what was meant without it
)

// answer tries the query as it was typed, then more forgivingly.
func (x *run) answer() *Answer {
	a := &Answer{Exact: true}
	c := &compiler{x: x, strict: x.req.Strict}
	var root query.Node
	if x.req.Query != nil {
		root = x.req.Query.Root
	}
	compile := func() *plan {
		c.leaves, c.expanded, c.capped, c.words, c.corrects = 0, 0, false, nil, nil
		if root == nil {
			return &plan{kind: kindAll}
		}
		return c.node(root, 0)
	}
	p := compile()
	x.search(p)
	used, corrects := p, c.corrects
	s := slips{none: x.count == 0, nowhere: len(corrects) > 0}
	if !x.req.Strict && root != nil && x.count < fewHits && !x.ctl.stopped {
		if c.widen = widen(c.words); c.widen != nil {
			typed, all := x.count, maps.Clone(c.widen)
			used = compile()
			x.search(used)
			corrects = append(corrects[:len(corrects):len(corrects)], c.corrects...)
			if found := x.count; s.none && found > 0 && !x.ctl.stopped && x.needed(c) {
				used = compile()
				x.search(used)
				if typed = x.count; typed < fewHits && found >= manyMore*typed && !x.ctl.stopped {
					// The best hit has the same slip, and is not all that was meant.
					c.widen = all
					used = compile()
					x.search(used)
				}
				corrects = c.corrects
			}
			s.most = (s.none || s.nowhere) && x.count >= manyMore*typed
			s.idle = x.count <= typed
		}
		if x.count == 0 && !x.ctl.stopped {
			if q := p.partial(); q != nil {
				x.search(q)
				used, a.Partial = q, x.count > 0
				s.none, s.most, s.idle = s.none && !a.Partial, false, false // p has nothing that was widened
			}
		}
	}
	a.Hits = x.hits()
	a.Corrections = x.corrections(corrects, s, a)
	// What was found by near words that nobody is told of is no count of what was typed.
	silent := slices.ContainsFunc(c.corrects, func(g *plan) bool {
		return !slices.ContainsFunc(a.Corrections, func(k Correction) bool { return k.From == g.text && k.Applied })
	})
	x.total(a, used, c.capped || silent && !a.Partial)
	x.countsOf(a)
	a.Cut, a.Work = x.ctl.stopped, x.ctl.work
	return a
}

// widen chooses the words that are to be widened; nil: none.
func widen(words []*plan) map[string]bool {
	slices.SortStableFunc(words, func(a, b *plan) int { return int(min(max(a.df-b.df, -1), 1)) })
	out := make(map[string]bool)
	for _, w := range words {
		if len(out) < maxWiden && w.df <= rareDF {
			out[w.text] = true
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

// needed takes from the words that were widened, though they exist, those that the best
// hit has as they were typed: it was found without. It says whether there are any, and
// others that have to stay.
func (x *run) needed(c *compiler) bool {
	best := x.top.best()
	if best == nil {
		return false
	}
	x.open(int(best.seg))
	spare := 0
	for _, g := range c.corrects {
		if len(g.of) > 0 && g.of[0].dist == 0 && c.widen[g.text] {
			if l := x.leaf(g.of[0]); l != nil && l.advance(best.doc) == best.doc && l.match() {
				delete(c.widen, g.text)
				spare++
			}
		}
	}
	return spare > 0
}

// slips is what is known of words that were searched as others.
type slips struct {
	none    bool // nothing was found before words that exist were widened
	nowhere bool // a word exists nowhere: the query as it was typed finds nothing
	most    bool // nothing was found as typed, and most of the answer by words that were widened
	idle    bool // the words that were widened found nothing more
}

// corrections says what mistyped words became: for each the near word that the first hit
// has, or the nearest. A word that exists was searched as another when nothing has the query
// as it was typed, and either the first hit has the other, or most hits do.
func (x *run) corrections(groups []*plan, s slips, a *Answer) (out []Correction) {
	for _, g := range groups {
		var best, own *plan
		for _, w := range g.of {
			if w.dist == 0 {
				own = w
			} else if best == nil {
				best = w
			}
		}
		doubt := own != nil && !s.none
		if len(a.Hits) > 0 {
			first := &x.top.heap[x.firstHit()]
			x.open(int(first.seg))
			has := func(w *plan) bool {
				l := x.leaf(w)
				return l != nil && l.advance(first.doc) == first.doc && l.match()
			}
			if own != nil && s.none && has(own) {
				if !s.most {
					continue
				}
				doubt = true
			}
			for _, w := range g.of {
				if w.dist > 0 && has(w) {
					best = w
					break
				}
			}
		}
		if best == nil || slices.ContainsFunc(out, func(c Correction) bool { return c.From == g.text }) {
			continue
		}
		if doubt && (s.idle || best.df < 4*own.df) {
			continue // hardly what was meant
		}
		out = append(out, Correction{From: g.text, To: best.text, Distance: int(best.dist), DF: best.df, Applied: own == nil || s.none || s.most})
	}
	return out
}

// firstHit is the place in the sorted heap of the answer's first hit.
func (x *run) firstHit() int {
	if x.req.Limit <= 0 {
		return 0
	}
	return min(max(x.req.Offset, 0), MaxOffset)
}

func (x *run) hits() []Hit {
	places := x.top.sorted()
	places = places[min(x.firstHit(), len(places)):]
	if len(places) == 0 {
		return nil
	}
	out := make([]Hit, len(places))
	for i, p := range places {
		v := &x.segments[p.seg]
		h := Hit{Record: p.record, Part: p.part, Score: p.score, Year: v.Year(p.doc)}
		h.Key = Key{Sort: x.req.Sort, Record: p.record, Part: p.part}
		switch x.req.Sort {
		case Relevance:
			h.Key.Score = p.score
		case Newest, Oldest:
			h.Key.Year = h.Year
		case Title:
			h.Key.Title = string(p.title)
		}
		out[i] = h
	}
	return out
}

// total says how many match: what was counted, and for what was not read as many as there
// were in what was.
func (x *run) total(a *Answer, p *plan, capped bool) {
	var docs int64
	for i := range x.segments {
		docs += int64(x.segments[i].Docs())
	}
	est := float64(x.count) + x.extra
	a.Exact = x.extra == 0 && x.seen >= docs && !capped && !x.unproved && !x.ctl.stopped
	if x.seen < docs && x.seen > 0 {
		est += est / float64(x.seen) * float64(docs-x.seen)
	}
	a.Total = max(x.count, min(int64(est+0.5), p.most(x)))
}

// most is a bound of how many documents match.
func (p *plan) most(x *run) int64 {
	n := int64(math.MaxInt64)
	switch p.kind {
	case kindNone:
		return 0
	case kindAll:
		n = 0
		for i := range x.segments {
			n += int64(x.segments[i].Live)
		}
	case kindTerm:
		n = p.df
	case kindRange:
		n = p.sum
	case kindAnd, kindPhrase:
		for _, q := range p.of {
			n = min(n, q.most(x))
		}
	default:
		n = 0
		for _, q := range p.of {
			n += q.most(x)
		}
	}
	return min(n, x.scale.docs)
}

// countsOf gives the facets.
func (x *run) countsOf(a *Answer) {
	a.FacetsExact = !x.ctl.stopped && !x.unproved && (x.common == nil || !x.common.rough)
	n := x.maxFacet()
	for f := range x.req.Facets {
		cs := x.counters[f]
		out, exact := merge(cs[:len(x.segments)], n)
		a.Facets = append(a.Facets, out)
		a.FacetsExact = a.FacetsExact && exact
	}
	if x.years.on {
		a.Years, a.UnknownYear = x.years.take()
	}
}

// maxFacet is how many values of a facet are wanted.
func (x *run) maxFacet() int {
	if x.req.MaxFacet <= 0 {
		return 50
	}
	return min(x.req.MaxFacet, MaxFacet)
}
