package exec

// top keeps the first k places of an order: a heap with the last of them at the root.
type top struct {
	sort   Sort
	latest bool // of equal ones the later record comes first
	k      int
	heap   []place
	after  *place

	// What follows is for Relevance: the score that a document must reach.
	thr   float64
	tie   bool    // whether one that just reaches it may enter
	floor float64 // a score that k documents are known to reach; -1: none
	seg   int32   // the segment being read, in order of documents
	first int64   // its first record
	last  int64   // its last record
}

func (t *top) begin(s Sort, latest bool, k int, after *place) {
	*t = top{sort: s, latest: latest, k: k, heap: t.heap[:0], after: after, thr: -1, tie: true, floor: -1}
	if k == 0 {
		t.thr, t.tie = infinite, false
	}
}

const infinite = 1 << 62

// segment says which segment is read from now on, and which records it has.
func (t *top) segment(seg int32, first, last int64) {
	t.seg, t.first, t.last, t.floor = seg, first, last, -1
	t.update()
}

// raise says that k documents reach a score.
func (t *top) raise(score float64) {
	if score > t.floor {
		t.floor = score
		t.update()
	}
}

func (t *top) update() {
	if t.k == 0 {
		return
	}
	t.thr, t.tie = t.floor, true
	if len(t.heap) == t.k && t.heap[0].score >= t.floor {
		w := &t.heap[0]
		// Those of the same segment come in order.
		t.thr, t.tie = w.score, w.seg != t.seg && t.first <= w.record
		if t.latest {
			t.tie = w.seg != t.seg && t.last >= w.record
		}
	}
}

// may says whether a document with at most this score may enter.
func (t *top) may(bound float64) bool { return bound > t.thr || bound == t.thr && t.tie }

// full says whether only better places can enter.
func (t *top) full() bool { return len(t.heap) >= t.k }

// push offers a place. Its title is kept.
func (t *top) push(p *place) {
	if t.k == 0 || t.after != nil && t.compare(p, t.after) <= 0 {
		return
	}
	h := t.heap
	if len(h) < t.k {
		h = append(h, *p)
		i := len(h) - 1
		for i > 0 {
			up := (i - 1) / 2
			if t.compare(&h[i], &h[up]) <= 0 {
				break
			}
			h[i], h[up] = h[up], h[i]
			i = up
		}
		t.heap = h
		if len(h) == t.k {
			t.update()
		}
		return
	}
	if t.compare(p, &h[0]) >= 0 {
		return
	}
	h[0] = *p
	t.sink(0, len(h))
	t.update()
}

func (t *top) compare(a, b *place) int { return t.sort.compare(a, b, t.latest) }

func (t *top) sink(i, n int) {
	h := t.heap
	for {
		c := 2*i + 1
		if c >= n {
			return
		}
		if c+1 < n && t.compare(&h[c+1], &h[c]) > 0 {
			c++
		}
		if t.compare(&h[c], &h[i]) <= 0 {
			return
		}
		h[i], h[c] = h[c], h[i]
		i = c
	}
}

// sorted gives the places in order; the heap is one no longer.
func (t *top) sorted() []place {
	for n := len(t.heap) - 1; n > 0; n-- {
		t.heap[0], t.heap[n] = t.heap[n], t.heap[0]
		t.sink(0, n)
	}
	return t.heap
}

// best is the first of the order, nil when nothing was found. The heap stays as it is.
func (t *top) best() *place {
	var b *place
	for i := range t.heap {
		if b == nil || t.compare(&t.heap[i], b) < 0 {
			b = &t.heap[i]
		}
	}
	return b
}
