package segment

import (
	"cmp"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// samples is how many words of each chunk a merge looks at to cut the words into ranges.
const samples = 64

// cuts are the words at which new chunks of a merge begin, so that each takes about as much of the inputs
// as a chunk has bytes. They depend on the inputs alone.
func (m *merge) cuts() []string {
	type sample struct {
		word  string
		bytes int // of the inputs, up to the next one
	}
	var all []sample
	total := 0
	for _, x := range m.in {
		for i := range x.chunks {
			c := &x.chunks[i]
			size := c.postLen + c.posLen + c.fstLen
			total += size
			all = append(all, sample{string(c.first), size / samples})
			var f fst
			if !x.openFST(c, &f) {
				return nil
			}
			for k := 1; k < samples; k++ {
				all = append(all, sample{f.floor(uint64(c.postLen / samples * k)), size / samples})
			}
		}
	}
	n := (total + chunkSize - 1) / chunkSize
	if n < 2 {
		return nil
	}
	slices.SortFunc(all, func(a, b sample) int { return cmp.Compare(a.word, b.word) })
	var cuts []string
	sum, last := 0, all[0].word
	for _, s := range all {
		if len(cuts) < n-1 && sum >= total/n*(len(cuts)+1) && s.word > last {
			cuts, last = append(cuts, s.word), s.word
		}
		sum += s.bytes
	}
	return cuts
}

// floor gives the last word whose value is at most value. (The outputs on the way to a state sum up to the value of
// the first word there, as values rise with words.)
func (f *fst) floor(value uint64) string {
	var word []byte
	var s node
	sum := uint64(0)
	for addr := f.root; len(word) <= MaxToken && f.at(addr, &s); {
		i := s.n - 1
		for ; i >= 0; i-- {
			letter, next, out := f.step(&s, i)
			if sum+out <= value {
				word, addr, sum = append(word, letter), next, sum+out
				break
			}
		}
		if i < 0 {
			break
		}
	}
	return string(word)
}

// writeTerms writes the dictionary: range after range, each in chunks of its own. Several goroutines work at ranges at a time.
func (m *merge) writeTerms(f *writer, workers int) error {
	list := &chunkList{f: f}
	bounds := append(append([]string{""}, m.cuts()...), "")
	var err error
	if n := len(bounds) - 1; min(n, workers) > 1 {
		err = m.together(list, bounds, min(n, workers))
	} else {
		t := m.termWriter(list.put)
		for i := 0; i < n && err == nil; i++ {
			err = m.writeRange(t, bounds[i], bounds[i+1])
		}
	}
	if err != nil {
		return err
	}
	return list.finish()
}

// termWriter makes one whose chunks may be twice as large as those of a builder: what is estimated to be one chunk
// should not become two.
func (m *merge) termWriter(put func(chunkData) (chunkData, error)) *termWriter {
	t := newTermWriter(m.lens, len(m.in) > 0 && m.in[0].positions, 32*m.docs, put)
	t.limit = 2 * chunkSize
	t.tallies = newCommonCounts(m.docs, m.values)
	return t
}

// share is a range of words that a goroutine writes.
type share struct {
	chunks chan chunkData // closed at its end
	err    error          // set before that
}

var errStopped = errors.New("the merge is over")

// together lets goroutines write ranges, and puts their chunks down in order. One that comes to its
// second chunk before its range's turn waits; and no range is begun that is more than one for each goroutine,
// and one, ahead of what is written.
func (m *merge) together(list *chunkList, bounds []string, workers int) error {
	shares := make([]share, len(bounds)-1)
	for i := range shares {
		shares[i].chunks = make(chan chunkData, 1)
	}
	stop := make(chan struct{})
	begun := make(chan struct{}, workers+1)
	used := make(chan chunkData, workers+1) // to be filled again
	var next atomic.Int64
	work := func() {
		var s *share
		t := m.termWriter(func(c chunkData) (chunkData, error) {
			select {
			case s.chunks <- c:
			case <-stop:
				return c, errStopped
			}
			select {
			case c = <-used:
				return c, nil
			default:
				return chunkData{}, nil
			}
		})
		for {
			select {
			case begun <- struct{}{}:
			case <-stop:
				return
			}
			i := int(next.Add(1)) - 1
			if i >= len(shares) {
				return
			}
			s = &shares[i]
			s.err = m.writeRange(t, bounds[i], bounds[i+1])
			close(s.chunks)
			if s.err != nil {
				return
			}
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	defer close(stop)
	for range workers {
		wg.Go(work)
	}
	for i := range shares {
		for c := range shares[i].chunks {
			c, err := list.put(c)
			if err != nil {
				return err
			}
			select {
			case used <- c:
			default:
			}
		}
		if err := shares[i].err; err != nil {
			return err
		}
		<-begun
	}
	return nil
}
