package index

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"wenlan/internal/errs"
	"wenlan/internal/index/segment"
	"wenlan/internal/index/store"
	"wenlan/internal/record"
	"wenlan/internal/view"
)

// applier is a store, or the draft of its next generation.
type applier interface {
	Cursor() int64
	Apply(ctx context.Context, b store.Batch) error
}

// apply folds a batch of entries into a store, atomically with the cursor.
func (x *Engine) apply(ctx context.Context, to applier, batch []view.Entry) error {
	if len(batch) == 0 {
		return nil
	}
	if batch[0].Index != to.Cursor() {
		return fmt.Errorf("index: a batch from entry %d at cursor %d", batch[0].Index, to.Cursor())
	}
	out, err := x.batch(ctx, batch)
	if err != nil {
		return err
	}
	return to.Apply(ctx, out)
}

// Gather implements [view.Gatherer].
func (x *Engine) Gather(ctx context.Context, batch []view.Entry) error {
	if len(batch) == 0 {
		return nil
	}
	if at := x.store.Gathered(); batch[0].Index != at {
		return fmt.Errorf("index: a batch from entry %d after entry %d", batch[0].Index, at)
	}
	out, err := x.batch(ctx, batch)
	if err != nil {
		return err
	}
	if len(out.Docs) > 0 && out.Docs[0].Record < batch[0].Index || len(out.Delete) > 0 { // it changes what is there
		if err := x.store.Settle(ctx, true); err != nil {
			return err
		}
		return x.store.Apply(ctx, out)
	}
	full, err := x.store.Gather(ctx, out)
	if err != nil || !full {
		return err
	}
	return x.store.Settle(ctx, true)
}

// Settle implements [view.Gatherer].
func (x *Engine) Settle(ctx context.Context) error { return x.store.Settle(ctx, false) }

// batch makes the documents of a batch of entries.
func (x *Engine) batch(ctx context.Context, batch []view.Entry) (store.Batch, error) {
	out := store.Batch{Cursor: batch[len(batch)-1].Index + 1}
	if batch[0].Index == 0 {
		out.Library = view.Library(batch[0].Raw)
	}
	w := &work{ctx: ctx, x: x, batch: batch, touched: map[int64]bool{}}
	for i := range batch {
		if err := w.read(batch[i]); err != nil {
			return out, fmt.Errorf("index: entry %d: %w", batch[i].Index, err)
		}
	}
	numbers := slices.Sorted(maps.Keys(w.touched))
	docs, err := w.documents(numbers)
	if err != nil {
		return out, err
	}
	for ask := w.targets(); len(ask) > 0; ask = w.targets() {
		more, err := w.documents(ask)
		if err != nil {
			return out, err
		}
		numbers, docs = append(numbers, ask...), append(docs, more...)
	}
	for i, n := range numbers {
		switch {
		case docs[i] != nil:
			out.Docs = append(out.Docs, docs[i])
		case n < batch[0].Index:
			out.Delete = append(out.Delete, n)
		}
	}
	slices.SortFunc(out.Docs, func(a, b *segment.Doc) int { return cmp.Compare(a.Record, b.Record) })
	slices.Sort(out.Delete)
	return out, nil
}

// work is a batch being applied.
type work struct {
	ctx     context.Context
	x       *Engine
	batch   []view.Entry
	touched map[int64]bool // records to be read again; true: the batch has all that there is

	mu   sync.Mutex
	into []int64 // what touched records are merged into
}

// targets are the records that those that were read are merged into, to be read as well:
// their documents have the words of what stands in them. Each is given once.
func (w *work) targets() []int64 {
	var out []int64
	for _, n := range w.into {
		if _, had := w.touched[n]; !had {
			w.touched[n] = false
			out = append(out, n)
		}
	}
	w.into = nil
	slices.Sort(out)
	return out
}

// read notes which records an entry names.
func (w *work) read(e view.Entry) error {
	i := e.Index
	if !e.Known && !e.Entry.Critical {
		return nil
	}
	if e.Known && e.Entry.Type == record.TypeAccession {
		w.touched[i] = true
		return nil
	}
	records, _ := e.Entry.Names(i) // a closed blob changes nothing that is found here
	ask := []int64{i}              // entries whose records change
	if e.Known && e.Entry.Type == record.TypeErasure {
		ask = e.Entry.Entries
		for _, n := range e.Entry.Entries { // what an erased record was merged into loses its words
			merges, err := w.x.cfg.Records.MergesOf(w.ctx, n)
			if err != nil {
				return err
			}
			ask = append(slices.Clip(ask), merges...)
		}
	}
	for _, j := range ask {
		named, err := w.x.cfg.Records.Named(w.ctx, j)
		if err != nil {
			return err
		}
		records = append(records, named...)
	}
	for _, n := range records {
		if n < i {
			w.touched[n] = false
		}
	}
	return nil
}

// documents makes the documents of records, on all processors; nil for those
// that are not to be found.
func (w *work) documents(numbers []int64) ([]*segment.Doc, error) {
	made := make([]*segment.Doc, len(numbers))
	var next atomic.Int64
	now := w.x.cfg.Now()
	var once sync.Once
	var failed error
	var stop atomic.Bool
	var wg sync.WaitGroup
	const stride = 32
	for range min(runtime.GOMAXPROCS(0), (len(numbers)+stride-1)/stride) {
		wg.Go(func() {
			for {
				from := int(next.Add(stride)) - stride
				if from >= len(numbers) || stop.Load() {
					return
				}
				for i := from; i < min(from+stride, len(numbers)); i++ {
					st, err := w.state(numbers[i])
					if err != nil {
						once.Do(func() { failed = fmt.Errorf("index: record %d: %w", numbers[i], err) })
						stop.Store(true)
						return
					}
					if st == nil {
						continue
					}
					merged, err := w.merged(st)
					if err != nil {
						once.Do(func() { failed = fmt.Errorf("index: records merged into %d: %w", numbers[i], err) })
						stop.Store(true)
						return
					}
					made[i] = newDocument(st, merged, now)
				}
			}
		})
	}
	wg.Wait()
	return made, failed
}

// state is the state of a touched record, or nil when it is not to be found.
func (w *work) state(n int64) (*record.State, error) {
	if w.touched[n] {
		e := w.batch[n-w.batch[0].Index]
		if st, _, err := view.Fold(w.ctx, n, []view.Entry{e}, w.x.cfg.Body); err == nil {
			return st, nil
		}
	}
	st, err := w.x.cfg.Records.Record(w.ctx, n)
	switch {
	case errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) || errs.Is(err, errs.Corrupt):
		return nil, nil
	case err != nil:
		return nil, err
	case st.MergedInto != nil:
		w.mu.Lock()
		w.into = append(w.into, *st.MergedInto)
		w.mu.Unlock()
		return nil, nil
	}
	return st, nil
}

// merged are the records that are merged into one, as many as its document has words of.
func (w *work) merged(st *record.State) ([]*record.State, error) {
	if !slices.ContainsFunc(st.History, func(e record.Event) bool { return e.Type == record.TypeMerge }) {
		return nil, nil // most records, and none of a bulk of new ones
	}
	numbers, err := w.x.cfg.Records.Merged(w.ctx, st.Number)
	if err != nil {
		return nil, err
	}
	var out []*record.State
	for _, n := range numbers[:min(len(numbers), maxMerged)] {
		other, err := w.x.cfg.Records.Record(w.ctx, n)
		if errs.Is(err, errs.NotFound) || errs.Is(err, errs.Gone) || errs.Is(err, errs.Corrupt) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, other)
	}
	return out, nil
}
