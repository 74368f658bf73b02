package fulltext

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/view"
)

// FollowConfig says what a follower of this view reads.
type FollowConfig struct {
	View     *FullText
	Source   view.Source // the register
	Body     view.Body
	Log      *slog.Logger
	Progress func(view string, done, of int64) // after each batch of a rebuild; may be nil
}

// Follower drives the view in the background, never further than the catalogue is.
// Its methods may be used at once.
type Follower struct {
	views  *view.Follower
	view   *FullText
	log    *slog.Logger
	woken  atomic.Int64 // when, in nanoseconds since 1970
	wake   chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup
}

const (
	quiet = time.Second      // after an append, before reading at full speed
	again = 30 * time.Second // after a failure
)

// Follow begins to follow, in a goroutine, until Close.
func Follow(cfg FollowConfig) (*Follower, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f := &Follower{view: cfg.View, log: cfg.Log, wake: make(chan struct{}, 1)}
	var err error
	f.views, err = view.New(view.Config{
		Source: upTo{cfg.Source, cfg.View.cfg.Records.Cursor}, Body: cfg.Body, Log: cfg.Log, Progress: cfg.Progress,
		Views: []view.Node{{View: gentle{cfg.View, f}}}, BatchEntries: 1024,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.done.Go(func() { f.run(ctx) })
	f.nudge()
	return f, nil
}

// Wake says that entries were appended, and that the catalogue has followed. It
// returns at once.
func (f *Follower) Wake() {
	f.woken.Store(time.Now().UnixNano())
	f.nudge()
}

func (f *Follower) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

func (f *Follower) run(ctx context.Context) {
	retry := time.NewTimer(again)
	defer retry.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-retry.C:
		}
		err := f.views.Catch(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			level := slog.LevelError
			if errs.Is(err, errs.Unavailable) {
				level = slog.LevelWarn
			}
			f.log.Log(ctx, level, "the texts are not followed", "err", err)
		}
		if err != nil || f.view.Cursor() < f.view.cfg.Records.Cursor() {
			retry.Reset(again)
		}
	}
}

// Catch waits until the view is where the catalogue is when it is called.
func (f *Follower) Catch(ctx context.Context) error { return f.views.Catch(ctx) }

// Rebuild makes the view anew, beside the one that serves.
func (f *Follower) Rebuild(ctx context.Context) error { return f.views.Rebuild(ctx, Name) }

// Close ends the following and waits for that; the view stays open.
func (f *Follower) Close() {
	f.cancel()
	f.done.Wait()
}

// upTo is a register that ends where the catalogue is.
type upTo struct {
	view.Source
	cursor func() int64
}

func (u upTo) Size() int64 { return min(u.Source.Size(), u.cursor()) }

// gentle is the view, but while entries are being appended it rests as long as it
// works.
type gentle struct {
	*FullText
	f *Follower
}

// Apply implements [view.View].
func (g gentle) Apply(ctx context.Context, batch []view.Entry) error {
	for len(batch) > 0 { // a few at a time, to rest between them
		n := min(len(batch), 16)
		start := time.Now()
		if err := g.FullText.Apply(ctx, batch[:n]); err != nil {
			return err
		}
		batch = batch[n:]
		if worked := time.Since(start); worked > time.Millisecond && time.Since(time.Unix(0, g.f.woken.Load())) < quiet {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(worked):
			}
		}
	}
	return nil
}
