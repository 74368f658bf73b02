package exec

import (
	"slices"

	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// Bounds of a plan.
const (
	maxLeaves = 1024 // lists of a query, expansions included
	maxDepth  = 16   // of a tree; deeper parts match nothing
	fewLeaves = 8    // a union of more words is read window by window
)

type kind uint8

const (
	kindNone   kind = iota // no document
	kindAll                // every document
	kindTerm               // those with a word
	kindPhrase             // those with words side by side
	kindAnd                // those that match all of it
	kindSum                // those that match any of it; scores are summed
	kindBest               // likewise; the best score counts
	kindRange              // those with a word that begins with text; the best score counts
)

// plan is a query, or a part of it, over one snapshot.
type plan struct {
	kind  kind
	of    []*plan
	not   []*plan // And
	loose bool    // Phrase
	bonus float64 // what its parent, a Sum, adds where it matches

	text   string // Term
	fields uint8
	weight float32
	df     int64
	terms  []segment.Term // by segment; DF 0: it is not there

	ranges []rangeIn // Range: by segment
	exact  *plan     // Range: the word that is text itself; nil: none
	sum    int64     // Range: documents of its words together
	leaves int       // Range: words that may be read one by one

	plain   *plan // Best: the first reading, when it is a loose phrase
	widened bool  // Best: the words near to text
	dist    uint8 // Term in it: how near
}

// compiler makes plans.
type compiler struct {
	x        *run
	leaves   int
	expanded int             // words that were looked for in the dictionaries
	capped   bool            // words were left out
	widen    map[string]bool // words to widen though they exist
	words    []*plan         // the words that typos may be in, as they were found
	strict   bool
	corrects []*plan // groups of near words
}

func (c *compiler) node(n query.Node, depth int) *plan {
	if depth > maxDepth {
		c.capped = true
		return &plan{}
	}
	switch n := n.(type) {
	case *query.Term:
		if n == nil {
			break
		}
		return c.term(n, true)
	case *query.Phrase:
		if n == nil || len(n.Tokens) == 0 {
			break
		}
		return c.phrase(n)
	case *query.Not:
		if n == nil {
			break
		}
		return &plan{kind: kindAnd, of: []*plan{{kind: kindAll}}, not: []*plan{c.node(n.Of, depth+1)}}
	case *query.And:
		if n == nil {
			break
		}
		p := &plan{kind: kindAnd}
		for _, o := range n.Of {
			if not, ok := o.(*query.Not); ok && not != nil {
				strict := c.strict
				c.strict = true // nobody excludes what is only like it
				p.not = append(p.not, c.node(not.Of, depth+1))
				c.strict = strict
				continue
			}
			p.of = append(p.of, c.node(o, depth+1))
		}
		if len(p.of) == 0 {
			p.of = append(p.of, &plan{kind: kindAll})
		}
		if len(p.of) == 1 && len(p.not) == 0 {
			return p.of[0]
		}
		return p
	case *query.Or:
		if n == nil {
			break
		}
		if n.Alternatives {
			return c.alternatives(n, depth)
		}
		p := &plan{kind: kindSum}
		for _, o := range n.Of {
			if q := c.node(o, depth+1); q.kind != kindNone {
				p.of = append(p.of, q)
			}
		}
		return p.simple()
	}
	return &plan{}
}

// absent says whether a segment has nothing of a plan, as far as its words say.
func (p *plan) absent(segment int) bool {
	switch p.kind {
	case kindNone:
		return true
	case kindTerm:
		return p.terms[segment].DF == 0
	case kindAnd, kindPhrase:
		return slices.ContainsFunc(p.of, func(q *plan) bool { return q.absent(segment) })
	case kindSum, kindBest:
		return !slices.ContainsFunc(p.of, func(q *plan) bool { return !q.absent(segment) })
	}
	return false
}

// simple is p, or its one part.
func (p *plan) simple() *plan {
	switch len(p.of) {
	case 0:
		return &plan{}
	case 1:
		if p.of[0].bonus == 0 {
			return p.of[0]
		}
	}
	return p
}

// alternatives are readings of one thing. Typos are tried in the first only, and only when
// none is there. Readings in pinyin of a word that is frequent itself are left out.
func (c *compiler) alternatives(n *query.Or, depth int) *plan {
	p := &plan{kind: kindBest}
	if len(n.Of) == 0 {
		return &plan{}
	}
	strict := c.strict
	of := n.Of
	if first, ok := of[0].(*query.Term); ok && first != nil && !first.Prefix {
		// The same token in other fields is the same list.
		folded := *first
		of = []query.Node{&folded}
		for _, o := range n.Of[1:] {
			if t, ok := o.(*query.Term); ok && t != nil && t.Text == first.Text && !t.Prefix {
				folded.Fields |= t.Fields
				continue
			}
			of = append(of, o)
		}
	}
	for i, o := range of {
		if i > 0 && len(p.of) > 0 && p.of[0].frequent(c.x) && reading(o) {
			continue
		}
		c.strict = true
		words := len(c.words)
		q := c.node(o, depth+1)
		if i > 0 {
			c.words = c.words[:words]
		} else if q.loose {
			p.plain = q
		} else if t, ok := o.(*query.Term); ok && !strict && q.kind == kindTerm && !t.Whole && mayErr(t.Text) && !c.widen[t.Text] {
			c.words = append(c.words, q)
		}
		if q.kind != kindNone {
			p.of = append(p.of, q)
		}
	}
	c.strict = strict
	if len(p.of) == 0 && p.plain != nil {
		return p.plain
	}
	if len(p.of) == 0 && !strict {
		return c.node(of[0], depth+1)
	}
	if !strict {
		// The first may be a word that has to be widened.
		if t, ok := of[0].(*query.Term); ok && t != nil && c.widen[t.Text] {
			if q := c.term(t, true); q.kind != kindNone {
				if len(p.of) > 0 && p.of[0].text == t.Text {
					p.of[0] = q
				} else {
					p.of = append([]*plan{q}, p.of...)
				}
			}
		}
	}
	return p.simple()
}

// reading says whether a part is in pinyin.
func reading(n query.Node) bool {
	switch n := n.(type) {
	case *query.Term:
		return n != nil && n.Fields == segment.Reading.Bit()
	case *query.Phrase:
		return n != nil && n.Fields == segment.Reading.Bit()
	}
	return false
}

// frequent says that one document of a hundred has the word, and many do.
func (p *plan) frequent(x *run) bool {
	return p.kind == kindTerm && p.df > 10_000 && p.df > x.scale.docs/100
}

// exact looks a word up, without any forgiveness.
func (c *compiler) exact(text string, fields uint8) *plan {
	if c.leaves >= maxLeaves {
		c.capped = true
		return &plan{}
	}
	x := c.x
	p := &plan{kind: kindTerm, text: text, fields: fields, terms: make([]segment.Term, len(x.segments))}
	for i := range x.segments {
		if t, ok := x.segments[i].Term(text); ok {
			p.terms[i] = t
			p.df += int64(t.DF)
		}
	}
	x.ctl.work += int64(len(x.segments))
	if p.df == 0 || fields == 0 {
		return &plan{text: text}
	}
	c.leaves++
	p.weight = x.scale.idf(p.df)
	return p
}

func (c *compiler) term(t *query.Term, typos bool) *plan {
	if t.Prefix && t.Text != "" {
		n := maxPrefix
		if c.x.req.words > 0 {
			n = c.x.req.words
		}
		if p := c.ranged(t.Text, t.Fields, n); p.kind != kindNone {
			return p
		}
	}
	p := c.exact(t.Text, t.Fields)
	if !typos || c.strict || t.Whole || !mayErr(t.Text) {
		return p
	}
	if p.kind != kindNone && !c.widen[t.Text] {
		c.words = append(c.words, p)
		return p
	}
	q := c.near(t.Text, t.Fields, p)
	if q.kind == kindNone || !q.widened {
		return p
	}
	c.corrects = append(c.corrects, q)
	return q
}

func (c *compiler) phrase(n *query.Phrase) *plan {
	p := &plan{kind: kindPhrase, loose: n.Loose}
	tokens := n.Tokens
	for i, tok := range tokens {
		var q *plan
		if n.Prefix && i == len(tokens)-1 {
			q = c.prefixed(tok, n.Fields, fewPrefix)
		} else {
			q = c.exact(tok, n.Fields)
		}
		p.of = append(p.of, q)
	}
	if len(p.of) == 1 {
		return p.of[0]
	}
	for _, q := range p.of {
		if q.kind == kindNone {
			return &plan{kind: kindNone, of: p.of, loose: n.Loose, text: "phrase"}
		}
	}
	return p
}

// coordination is what each word that matches adds to the score of a partial match, of its
// inverse frequency: a little, so that of two with about the same score the one with more
// of the words comes first.
const coordination = 0.1

// partial makes of an And a Sum of its parts. Of a loose phrase all words are parts, but
// those bigrams are not words, and get no bonus. Nil when there is nothing to leave out.
func (p *plan) partial() *plan {
	if p.loose || p.plain != nil {
		p = &plan{kind: kindAnd, of: []*plan{p}}
	}
	if p.kind != kindAnd {
		return nil
	}
	sum := &plan{kind: kindSum}
	have := map[wordKey]bool{}
	add := func(q *plan, bonus float64) {
		if q.kind == kindNone || q.kind == kindAll {
			return
		}
		if q.kind == kindTerm {
			k := wordKey{q.text, q.fields}
			if have[k] {
				return
			}
			have[k] = true
		}
		c := *q
		c.bonus = quantise(float32(bonus))
		sum.of = append(sum.of, &c)
	}
	n := 0
	for _, q := range p.of {
		if q.plain != nil {
			q = q.plain
		}
		if q.loose {
			n += len(q.of)
			for _, w := range q.of {
				add(w, 0)
			}
			continue
		}
		n++
		add(q, coordination*float64(q.weight))
	}
	if n < 2 || len(sum.of) == 0 {
		return nil
	}
	if len(p.not) > 0 {
		return &plan{kind: kindAnd, of: []*plan{sum}, not: p.not}
	}
	return sum
}

type wordKey struct {
	text   string
	fields uint8
}

// build makes the iterator of a plan over the current segment; nil: nothing there.
func (x *run) build(p *plan) iter { return x.beside(p, nil) }

// beside is build of a part of a conjunction, whose words are known; it is nil where p is
// none. See rangeFor.
func (x *run) beside(p *plan, words *conj) iter {
	switch p.kind {
	case kindAll:
		return &every{n: uint32(x.docs)}
	case kindTerm:
		if l := x.leaf(p); l != nil {
			return l
		}
	case kindPhrase, kindAnd:
		c := &conj{ctl: &x.ctl}
		if !x.join(c, p) {
			return nil
		}
		slices.SortStableFunc(c.leaves, func(a, b *leaf) int { return a.cost() - b.cost() })
		for _, q := range c.later {
			it := x.beside(q, c)
			if it == nil {
				return nil
			}
			c.others = append(c.others, it)
		}
		if len(c.leaves) == 1 && len(c.others)+len(c.nots)+len(c.phrases) == 0 {
			return c.leaves[0]
		}
		if len(c.others) == 1 && len(c.leaves)+len(c.nots)+len(c.phrases) == 0 {
			return c.others[0]
		}
		slices.SortStableFunc(c.others, func(a, b iter) int { return a.cost() - b.cost() })
		return c
	case kindRange:
		return x.rangeIter(p, words)
	case kindSum, kindBest:
		var of []iter
		leaves := true
		for _, q := range p.of {
			if it := x.beside(q, words); it != nil {
				if _, ok := it.(*leaf); !ok {
					leaves = false
				}
				if q.bonus > 0 {
					it, leaves = &raised{it, q.bonus}, false
				}
				of = append(of, it)
			}
		}
		if len(of) == 0 {
			return nil
		}
		if len(of) == 1 {
			return of[0]
		}
		if p.kind == kindBest && leaves && len(of) > fewLeaves {
			return x.group(of, nil)
		}
		u := &union{of: of, best: p.kind == kindBest}
		for _, o := range of {
			u.n += o.cost()
		}
		return u
	}
	return nil
}

// leaf opens the list of a word in the current segment; nil when it has none.
func (x *run) leaf(p *plan) *leaf {
	t := p.terms[x.at]
	if t.DF == 0 {
		return nil
	}
	l := x.nextLeaf()
	l.open(x, x.segments[x.at].Reader, t, p)
	return l
}

// nextLeaf is one that is not in use.
func (x *run) nextLeaf() *leaf {
	if x.used == len(x.leaves) {
		x.leaves = append(x.leaves, &leaf{})
	}
	x.used++
	return x.leaves[x.used-1]
}

// join adds what p asks for to a conjunction; false when nothing can match. A word that is
// asked for twice in the same fields counts once.
func (x *run) join(c *conj, p *plan) bool {
	word := func(q *plan) *leaf {
		for _, l := range c.leaves {
			if l.plan.text == q.text && l.fields == q.fields {
				return l
			}
		}
		l := x.leaf(q)
		if l != nil {
			c.leaves = append(c.leaves, l)
		}
		return l
	}
	switch p.kind {
	case kindTerm:
		return word(p) != nil
	case kindAnd:
		for _, q := range p.of {
			if q.kind == kindAll && len(p.of) > 1 {
				continue
			}
			if !x.join(c, q) {
				return false
			}
		}
		for _, q := range p.not {
			if it := x.build(q); it != nil {
				c.nots = append(c.nots, it)
			}
		}
		return true
	case kindPhrase:
		ph := &phrase{x: x}
		for _, q := range p.of {
			if q.kind == kindTerm {
				l := word(q)
				if l == nil {
					return false
				}
				ph.words = append(ph.words, []*leaf{l})
				continue
			}
			// A prefix: its words are walked one by one, for their places.
			u := &union{best: true}
			var any []*leaf
			for _, w := range q.of {
				if l := x.leaf(w); l != nil {
					u.of, any = append(u.of, l), append(any, l)
					u.n += l.cost()
				}
			}
			if len(any) == 0 {
				return false
			}
			c.others = append(c.others, u)
			ph.words = append(ph.words, any)
		}
		if x.segments[x.at].Positions() {
			c.phrases = append(c.phrases, ph)
		} else {
			x.unproved = true
		}
		return true
	default: // when the words are known
		c.later = append(c.later, p)
		return true
	}
}

// group makes one iterator of many words, and of a list of others; nil: none.
func (x *run) group(of []iter, tail *listed) iter {
	if x.groupsUsed == len(x.groups) {
		x.groups = append(x.groups, &group{})
	}
	g := x.groups[x.groupsUsed]
	x.groupsUsed++
	g.leaves = g.leaves[:0]
	for _, o := range of {
		g.leaves = append(g.leaves, o.(*leaf))
	}
	g.begin(x, g.leaves, tail)
	return g
}

// raised is an iterator whose matches get a bonus.
type raised struct {
	iter
	bonus float64
}

func (r *raised) score() float64 { return r.iter.score() + r.bonus }

func (r *raised) limit(target uint32) (float64, uint32) {
	b, last := r.iter.limit(target)
	return b + r.bonus, last
}
