package exec

import "wenlan/internal/index/segment"

// commonWord is what the segments have counted of the facets of the one word that is asked for.
type commonWord struct {
	of  []segment.WordCounts // by segment
	has []bool               // likewise
	// live says, by facet of the request, that it is counted all the same: the segments kept the most frequent
	// values only, and of several segments these may be others.
	live  []bool
	rough bool // some are taken as they are, though
}

// maxLive is up to how many documents a word is counted where what the segments have counted is not enough.
const maxLive = 1 << 20

// lookCommon finds what the segments have counted of a plan; x.common is nil when that is of no use.
func (x *run) lookCommon(p *plan) {
	x.common = nil
	if p.kind != kindTerm || len(x.req.Facets) == 0 && !x.req.Years || len(x.cond.lists)+len(x.cond.ranges)+len(x.cond.notYears) > 0 {
		return
	}
	c := &x.commonWord
	for len(c.of) < len(x.segments) {
		c.of, c.has = append(c.of, segment.WordCounts{}), append(c.has, false)
	}
	c.live, c.rough = c.live[:0], false
	with := 0
	for i := range x.segments {
		if c.has[i] = false; p.terms[i].DF == 0 {
			continue
		}
		with++
		if c.has[i] = x.segments[i].Counts(p.terms[i], &c.of[i]); c.has[i] {
			x.common = c
		}
	}
	for _, f := range x.req.Facets {
		live := false
		for i := range x.segments {
			live = live || c.has[i] && f < segment.NumFacets && c.of[i].Rest[f] > 0 &&
				(with > 1 || x.segments[i].Deleted != nil || x.maxFacet() > len(c.of[i].Values[f]))
		}
		if live && (p.df > maxLive || x.req.Rough) {
			live, c.rough = false, true
		}
		c.live = append(c.live, live)
	}
}

// takeCommon makes of what the segment has counted of a word the counts of the answer, and counts its documents; false:
// there is nothing, or it would take as long as counting. All postings of the word are matches, but the deleted ones.
func (x *run) takeCommon(l *leaf) bool {
	c, v := x.common, &x.segments[x.at]
	if !c.has[x.at] {
		return false
	}
	dead := x.match[:0]
	if v.Deleted != nil {
		if v.Deleted.GetCardinality() > uint64(l.p.DF()/16) {
			return false
		}
		x.dead = v.Postings(l.plan.terms[x.at], x.dead)
		for it := v.Deleted.Iterator(); it.HasNext(); {
			d := it.Next()
			if x.dead.Advance(d) == d {
				dead = append(dead, d)
			}
		}
		x.match = dead
	}
	if !x.ctl.spend(64 + len(dead)) {
		return false
	}
	x.count += int64(l.p.DF() - len(dead))
	counts := &c.of[x.at]
	x.live = false
	for i, f := range x.req.Facets {
		if f >= segment.NumFacets {
			f = segment.Kind
		}
		if x.settled[i] = !c.live[i]; c.live[i] {
			x.live = true
			continue
		}
		x.counters[i][x.at].take(counts.Values[f], dead)
	}
	if x.years.on {
		x.years.put(counts.Years)
		for _, d := range dead {
			x.years.counts[uint16(x.year[d])]--
		}
	}
	x.yearsSettled = true
	return true
}

// take is the counts of a column of which some documents do not count.
func (c *counter) take(counts []segment.OrdCount, dead []uint32) {
	c.counts, c.list, c.pairs, c.bytes = c.counts[:0], c.list[:0], c.pairs[:0], nil
	for _, x := range counts {
		c.pairs = append(c.pairs, pair{x.Ord, x.N})
	}
	for _, d := range dead {
		c.some = c.col.Of(d, c.some[:0])
		for _, o := range c.some {
			if i, ok := c.find(o); ok {
				c.pairs[i].n--
			}
		}
	}
}
