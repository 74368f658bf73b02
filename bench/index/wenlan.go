package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"wenlan/internal/index/exec"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
	"wenlan/internal/index/store"
)

// engine is an open index of ours.
type engine struct{ *store.Store }

func openWenlan(dir string, readOnly bool) (*engine, error) {
	return openConfig(store.Config{Dir: dir, ReadOnly: readOnly})
}

func openConfig(c store.Config) (*engine, error) {
	c.Name, c.Format = "index", 1
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	s, err := store.Open(context.Background(), c)
	if err != nil {
		return nil, err
	}
	if err := s.Ready(); err != nil {
		s.Close()
		return nil, err
	}
	return &engine{s}, nil
}

// segments are those of the present state, and what gives them back.
func (e *engine) segments() ([]segment.View, func(), error) {
	snap, release := e.Snapshot()
	if err := e.Ready(); err != nil {
		release()
		return nil, nil, err
	}
	return snap.Segments, release, nil
}

func (e *engine) size() (records, segments int) {
	views, release, err := e.segments()
	if err != nil {
		return 0, 0
	}
	defer release()
	for _, v := range views {
		records += v.Live
	}
	return records, len(views)
}

// asker asks as the program would: each query takes a snapshot, and gives it back.
func (e *engine) asker(totals int, budget time.Duration) asker {
	return func(class string, q []string) (int64, bool, bool, error) {
		views, release, err := e.segments()
		if err != nil {
			return 0, false, false, err
		}
		defer release()
		a, err := ask(views, class, q, totals, budget, nil)
		if err != nil {
			return 0, false, false, err
		}
		return a.Total, a.Exact, a.Cut, nil
	}
}

// buildWenlan builds as a rebuild does: a draft that takes batches, and its commit;
// then it waits until nothing is left to merge.
func buildWenlan(dir, records string, n, threads int, variant string) (*built, error) {
	ctx := context.Background()
	f := features{positions: variant != "bare", readings: variant == "readings", titles: variant == "titles", creators: variant == "creators"}
	begin := time.Now()
	e, err := openConfig(store.Config{Dir: dir, Workers: threads, Segment: segment.Options{Positions: f.positions}})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	draft, err := e.Draft(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	cursor := int64(0)
	err = batches(records, n, 2000, threads, func(lines [][]string) error {
		docs := make([]*segment.Doc, len(lines))
		for i, c := range lines {
			var err error
			if docs[i], err = document(c, f); err != nil {
				return err
			}
		}
		mu.Lock()
		defer mu.Unlock()
		cursor += int64(len(docs))
		return draft.Apply(ctx, store.Batch{Cursor: cursor, Library: "bench", Docs: docs})
	})
	if err != nil {
		draft.Discard()
		return nil, err
	}
	if err := draft.Commit(ctx); err != nil {
		return nil, err
	}
	begin = begin.Add(e.settle()) // waiting is not building
	took := time.Since(begin)
	if err := e.Check(ctx); err != nil { // what was built wrongly is not raced
		return nil, err
	}
	views, release, err := e.segments()
	if err != nil {
		return nil, err
	}
	split := map[string]int64{}
	for _, v := range views {
		for name, bytes := range sections(v.Reader) {
			split[name] += bytes
		}
	}
	release()
	if err := e.Close(); err != nil {
		return nil, err
	}
	bytes, err := size(dir)
	return &built{Records: n, Seconds: took.Seconds(), Bytes: bytes, Split: split}, err
}

// openedWenlan opens ten times with warm caches, each to the first answer; then once
// with cold ones, where the system lets us say so.
func openedWenlan(dir string) (*opened, error) {
	out := &opened{}
	once := func() (float64, error) {
		begin := time.Now()
		e, err := openWenlan(dir, true)
		if err != nil {
			return 0, err
		}
		defer e.Close()
		if _, _, _, err := e.asker(1000, time.Second)("ident", []string{"none"}); err != nil {
			return 0, err
		}
		took := time.Since(begin).Seconds() * 1e3
		out.Records, out.Segments = e.size()
		return took, nil
	}
	var err error
	for range 10 {
		if out.OpenMs, err = once(); err != nil {
			return nil, err
		}
	}
	if forget(dir) == nil {
		if out.ColdMs, err = once(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// checkWenlan compares answers with the oracle's, until limit.
func checkWenlan(dir, file, class string, most int, limit time.Duration, totals int, budget time.Duration) (*checked, error) {
	qs, err := questions(file, class, most)
	if err != nil {
		return nil, err
	}
	e, err := openWenlan(dir, true)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	views, release, err := e.segments()
	if err != nil {
		return nil, err
	}
	defer release()
	o := newOracle(views)
	out := &checked{}
	seen := map[string]bool{}
	begin := time.Now()
	for _, q := range qs {
		if key := strings.Join(q, "\t"); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		if time.Since(begin) > limit {
			break
		}
		r := request(class, q, totals)
		a, err := exec.Run(context.Background(), views, r, exec.Budget{Deadline: time.Now().Add(budget)})
		if err != nil {
			return nil, err
		}
		o.meant = nil
		for _, c := range a.Corrections {
			if c.Applied {
				if o.meant == nil {
					o.meant = map[string][]word{}
				}
				o.meant[c.From] = o.near(c.From)
			}
		}
		if a.Partial {
			continue // nothing has both words: there is no truth to hold this to
		}
		t, err := o.answer(r)
		if err != nil {
			return nil, err
		}
		ten, total, facets := compare(r, a, t)
		out.Queries++
		if a.Cut {
			out.Cut++
		}
		if ten == "" {
			out.Same++
		}
		if total != "" {
			out.Totals++
		}
		if facets != "" {
			out.Facets++
		}
		for _, wrong := range []string{ten, total, facets} {
			if wrong != "" && len(out.Wrong) < 3 {
				out.Wrong = append(out.Wrong, fmt.Sprintf("%q: %s", q, wrong))
			}
		}
	}
	return out, nil
}

// ordinary are the queries that people type most: a few hundred of five classes, in
// turn.
func ordinary(file string) ([][2]any, error) {
	var out [][2]any
	var by [][][]string
	classes := []string{"and2", "zh3", "authtitle", "ident", "prefix"}
	for _, class := range classes {
		qs, err := questions(file, class, 100)
		if err != nil {
			return nil, err
		}
		by = append(by, qs)
	}
	for i := range by[0] {
		for k, class := range classes {
			out = append(out, [2]any{class, by[k][i]})
		}
	}
	return out, nil
}

// measure asks ordinary queries one after the other, until the time is over.
func (e *engine) measure(qs [][2]any, d time.Duration, gate *exec.Gate) ([]int64, error) {
	var out []int64
	for begin, i := time.Now(), 0; time.Since(begin) < d; i++ {
		q := qs[i%len(qs)]
		at := time.Now()
		views, release, err := e.segments()
		if err != nil {
			return nil, err
		}
		_, err = ask(views, q[0].(string), q[1].([]string), 1000, time.Second, gate)
		release()
		if err != nil {
			return nil, err
		}
		out = append(out, time.Since(at).Nanoseconds())
	}
	return out, nil
}

const atRest, loaded = 5 * time.Second, 10 * time.Second

// besideHostile keeps a hundred hostile queries in the air, each asked again when it
// is answered, beside one person who asks ordinary ones. All pass the same gate.
func besideHostile(dir, file string) (*disturbed, error) {
	qs, err := ordinary(file)
	if err != nil {
		return nil, err
	}
	e, err := openWenlan(dir, false)
	if err != nil {
		return nil, err
	}
	defer e.Close()
	gate := exec.NewGate(0)
	if _, err := e.measure(qs, time.Second, gate); err != nil { // warm-up
		return nil, err
	}
	out := &disturbed{}
	if out.Idle, err = e.measure(qs, atRest, gate); err != nil {
		return nil, err
	}
	bad := nasty()
	var wait sync.WaitGroup
	var asked, cut atomic.Int64
	var failed atomic.Pointer[error]
	stop := make(chan struct{})
	for i := range 100 {
		wait.Go(func() {
			for k := i; ; k++ {
				select {
				case <-stop:
					return
				default:
				}
				views, release, err := e.segments()
				if err != nil {
					failed.Store(&err)
					return
				}
				r := *bad[k%len(bad)]
				a, err := exec.Run(context.Background(), views, &r, exec.Budget{Deadline: time.Now().Add(time.Second), Gate: gate})
				release()
				if err != nil {
					failed.Store(&err)
					return
				}
				asked.Add(1)
				if a.Cut {
					cut.Add(1)
				}
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	begin := time.Now()
	out.Loaded, err = e.measure(qs, loaded, gate)
	out.Seconds = time.Since(begin).Seconds()
	close(stop)
	wait.Wait()
	if p := failed.Load(); p != nil {
		return nil, *p
	}
	out.Hostile, out.Cut = int(asked.Load()), int(cut.Load())
	return out, err
}

// nasty are the hostile queries: prefixes of one letter, a word that most records
// have with everything counted and sorted by title, a thousand words joined by OR and
// by AND, and the deepest page.
func nasty() []*exec.Request {
	every := []segment.Facet{segment.Language, segment.Kind, segment.Subject, segment.Creator, segment.Access}
	node := func(root query.Node) *exec.Request {
		return &exec.Request{Query: &query.Query{Root: root, Terms: 1}, Limit: hits, TotalUpTo: -1, Facets: every, Years: true, MaxFacet: 1000}
	}
	var out []*exec.Request
	for _, letter := range "abcdst" {
		out = append(out, node(&query.Term{Text: string(letter), Fields: anywhere, Prefix: true}))
	}
	deep := node(all(anywhere, "of"))
	deep.Offset, deep.Limit = exec.MaxOffset, exec.MaxLimit
	title := node(all(anywhere, "the"))
	title.Sort = exec.Title
	out = append(out, deep, title, node(all(anywhere, "the of and in")), node(nil))
	// The thousand words are of two to four letters: some exist, most do not.
	r := rand.New(rand.NewPCG(1, 8))
	or, and := &query.Or{}, &query.And{}
	for range 1000 {
		w := make([]byte, 2+r.IntN(3))
		for i := range w {
			w[i] = "etaoinshrdlu"[r.IntN(12)]
		}
		or.Of = append(or.Of, &query.Term{Text: string(w), Fields: anywhere})
		and.Of = append(and.Of, &query.Term{Text: string(w), Fields: anywhere})
	}
	return append(out, node(or), node(and))
}

// besideWriter asks ordinary queries while 1,000 records a second are written, in
// batches of 50: half of them new, half replacing one that is there.
func besideWriter(dir, file, records string, n int) (*disturbed, error) {
	ctx := context.Background()
	qs, err := ordinary(file)
	if err != nil {
		return nil, err
	}
	e, err := openConfig(store.Config{Dir: dir, Segment: segment.Options{Positions: true}})
	if err != nil {
		return nil, err
	}
	defer e.Close()
	const a, step = 50, 50 * time.Millisecond
	var docs []*segment.Doc
	want := min(n, int(loaded/step)*a+10*a)
	if err := batches(records, want, a, 1, func(lines [][]string) error {
		for i, c := range lines {
			d, err := document(c, features{})
			if err != nil {
				return err
			}
			if i%2 == 0 {
				d.Record += int64(n) // a new one
			}
			docs = append(docs, d)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	if _, err := e.measure(qs, time.Second, nil); err != nil { // warm-up
		return nil, err
	}
	out := &disturbed{}
	if out.Idle, err = e.measure(qs, atRest, nil); err != nil {
		return nil, err
	}
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		done <- func() error {
			tick := time.NewTicker(step)
			defer tick.Stop()
			cursor := e.Cursor()
			for i := 0; ; i += a {
				select {
				case <-stop:
					return nil
				case <-tick.C:
				}
				k := i % max(1, len(docs)-a)
				cursor += a
				if err := e.Apply(ctx, store.Batch{Cursor: cursor, Docs: docs[k : k+a]}); err != nil {
					return err
				}
				out.Written += a
			}
		}()
	}()
	begin := time.Now()
	out.Loaded, err = e.measure(qs, loaded, nil)
	out.Seconds = time.Since(begin).Seconds()
	close(stop)
	if werr := <-done; werr != nil {
		return nil, werr
	}
	return out, err
}

// settle waits until nothing was merged for a second, and gives that second back.
func (e *engine) settle() time.Duration {
	const quiet = time.Second
	_, was := e.size()
	for at := time.Now(); time.Since(at) < quiet; time.Sleep(10 * time.Millisecond) {
		if _, now := e.size(); now != was {
			was, at = now, time.Now()
		}
	}
	return quiet
}

// sections says how many bytes each part of a segment takes, where it tells.
func sections(r *segment.Reader) map[string]int64 {
	if s, ok := any(r).(interface{ Sections() map[string]int64 }); ok {
		return s.Sections()
	}
	return nil
}
