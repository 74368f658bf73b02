package view

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Bounds of what the views may be behind the first one, in [Follower.Lead].
const (
	behindEntries = 24 << 10
	behindBytes   = 32 << 20    // of entries as the register has them
	behindWait    = time.Second // for more, before what is gathered is settled
)

// behind is what the first view has had and the others have not, which a goroutine
// of its own brings them.
type behind struct {
	mu      sync.Mutex
	changed sync.Cond
	queue   [][]Entry // batches, in order
	entries int       // in the queue and under way
	bytes   int
	busy    bool  // the goroutine runs
	more    bool  // and more will come, so that it waits for a whole job
	err     error // why it stopped; the next Catch tries again
}

// Lead brings the first view to the size that the register has when it is called,
// and returns then; the others follow in the background, some seconds behind at
// most. That is for who appends much and reads only the first view meanwhile: it
// ends with Catch, which waits for the others and gives their errors. An error
// here is the first view's, or that of reading.
//
// known are entries, ascending, that whoever wrote them has decoded; those of which
// the register has the same bytes are not decoded again. Nobody may change them.
func (f *Follower) Lead(ctx context.Context, known []Entry) error {
	f.lead.Lock()
	defer f.lead.Unlock()
	first := f.cfg.Views[0].View
	size := f.cfg.Source.Size()
	from := first.Cursor()
	if err := f.usable(ctx, first, size); err != nil {
		return fmt.Errorf("view %s: %w", first.Name(), err)
	}
	if from >= size {
		return nil
	}
	b := &f.behind
	b.mu.Lock()
	for b.busy && (b.entries > behindEntries || b.bytes > behindBytes) {
		b.changed.Wait()
	}
	b.mu.Unlock()
	return f.batchesOf(ctx, from, size, known, func(batch []Entry) error {
		if err := first.Apply(ctx, batch); err != nil {
			return fmt.Errorf("view %s: %w", first.Name(), err)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.err != nil {
			return nil // until the next Catch
		}
		b.queue = append(b.queue, batch)
		n, bytes := weigh(batch)
		b.entries, b.bytes, b.more = b.entries+n, b.bytes+bytes, true
		if !b.busy {
			b.busy = true
			go f.follow(context.WithoutCancel(ctx))
		}
		b.changed.Broadcast()
		return nil
	})
}

func weigh(batch []Entry) (entries, bytes int) {
	for i := range batch {
		bytes += len(batch[i].Raw)
	}
	return len(batch), bytes
}

// follow brings the queue to the views after the first, until there is no more.
func (f *Follower) follow(ctx context.Context) {
	b := &f.behind
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		wait := time.AfterFunc(behindWait, func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.more = false
			b.changed.Broadcast()
		})
		for b.more && len(b.queue) == 0 && b.err == nil {
			b.changed.Wait()
		}
		wait.Stop()
		if len(b.queue) == 0 && b.err == nil && !b.more {
			b.mu.Unlock()
			err := f.settleRest(ctx)
			b.mu.Lock()
			b.err = err
			if len(b.queue) > 0 && err == nil {
				continue // it came meanwhile
			}
		}
		if len(b.queue) == 0 || b.err != nil {
			b.queue, b.entries, b.bytes, b.busy = nil, 0, 0, false
			b.changed.Broadcast()
			return
		}
		batch := b.queue[0]
		b.queue = slices.Delete(b.queue, 0, 1)
		b.mu.Unlock()
		err := f.applyRest(ctx, batch)
		b.mu.Lock()
		n, bytes := weigh(batch)
		b.err, b.entries, b.bytes = err, b.entries-n, b.bytes-bytes
		b.changed.Broadcast()
	}
}

// applyRest brings a batch to the views after the first.
func (f *Follower) applyRest(ctx context.Context, batch []Entry) error {
	f.apply.Lock()
	defer f.apply.Unlock()
	for _, n := range f.cfg.Views[1:] {
		if n.View.Ready() != nil {
			continue // it is left out here as by Catch
		}
		var err error
		if g, ok := n.View.(Gatherer); ok {
			err = g.Gather(ctx, batch)
		} else {
			err = n.View.Apply(ctx, batch)
		}
		if err != nil {
			return fmt.Errorf("view %s: %w", n.View.Name(), err)
		}
	}
	return nil
}

// settleRest settles what the views after the first have gathered.
func (f *Follower) settleRest(ctx context.Context) error {
	f.apply.Lock()
	defer f.apply.Unlock()
	for _, n := range f.cfg.Views[1:] {
		if g, ok := n.View.(Gatherer); ok && n.View.Ready() == nil {
			if err := g.Settle(ctx); err != nil {
				return fmt.Errorf("view %s: %w", n.View.Name(), err)
			}
		}
	}
	return nil
}

// settle waits until nothing is behind any more, or has failed. No Lead may run.
func (f *Follower) settle() {
	b := &f.behind
	b.mu.Lock()
	defer b.mu.Unlock()
	b.more = false
	b.changed.Broadcast()
	for b.busy {
		b.changed.Wait()
	}
	b.err = nil // whoever waited brings all views up, or says why not
}

// following says whether the views after the first are being brought up.
func (f *Follower) following() bool {
	f.behind.mu.Lock()
	defer f.behind.mu.Unlock()
	return f.behind.busy && f.behind.err == nil
}
