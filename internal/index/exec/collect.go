package exec

// skipping says whether documents that cannot enter need not be seen.
func (x *run) skipping() bool { return !x.whole && x.count > x.upTo }

// collect counts a match and offers it.
func (x *run) collect(doc uint32, score float64) {
	x.count++
	dated := x.top.dated()
	if dated || x.tallies() {
		if x.pending = append(x.pending, doc); len(x.pending) == 1024 {
			x.flush()
		}
	}
	if !dated {
		x.offer(doc, score)
	}
}

func (x *run) offer(doc uint32, score float64) {
	if x.req.Each != nil {
		x.req.Each(x.segments[x.at].Record(doc))
		return
	}
	t := &x.top
	p := place{seg: int32(x.at), doc: doc}
	switch t.sort {
	case Relevance:
		if !t.may(score) {
			return
		}
		p.score = score
	case Newest, Oldest:
		p.year = yearRank(t.sort, x.year[doc])
		if t.k == 0 {
			return
		}
		if t.full() {
			w := &t.heap[0]
			// An equal one of the same segment has to be the later one, or the earlier one.
			if p.year > w.year || p.year == w.year && w.seg == t.seg && (t.latest && doc < w.doc && x.segments[x.at].Record(doc) != w.record || !t.latest && doc > w.doc) {
				return
			}
		}
	case Title:
		if t.k == 0 {
			return
		}
		p.title = x.segments[x.at].TitleKey(doc)
		if t.full() && t.heap[0].seg == t.seg && string(p.title) == string(t.heap[0].title) {
			return
		}
	}
	v := &x.segments[x.at]
	p.record, p.part = v.Record(doc), v.Part(doc)
	t.push(&p)
}

// offerAll offers documents, in order, where scores do not matter.
func (x *run) offerAll(docs []uint32) {
	if x.top.dated() {
		x.offerDated(docs)
		return
	}
	for _, d := range docs {
		x.offer(d, 0)
	}
}
