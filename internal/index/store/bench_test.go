package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"wenlan/internal/index/segment"
)

// record is a document of about the size that a bibliographic record has.
func record(rng *rand.Rand, number int64) *segment.Doc {
	words := func(n int) (list []string) {
		for range n {
			list = append(list, fmt.Sprintf("w%d", int(rng.ExpFloat64()*3000)))
		}
		return list
	}
	d := &segment.Doc{
		Record: number, Year: int16(1800 + rng.IntN(220)), Kind: "book", Languages: []string{"en"},
		Subjects: words(2), Creators: words(1), TitleKey: []byte(fmt.Sprint("title ", rng.IntN(1e6))),
	}
	d.Tokens[segment.Title], d.Tokens[segment.Creators] = words(8), words(2)
	d.Tokens[segment.About], d.Tokens[segment.ID] = words(6), []string{fmt.Sprint("\ue000", number)}
	return d
}

func batch(rng *rand.Rand, cursor int64, n int) Batch {
	b := Batch{Cursor: cursor + int64(n)}
	for i := range n {
		b.Docs = append(b.Docs, record(rng, cursor+int64(i)))
	}
	return b
}

func BenchmarkApply(b *testing.B) {
	for _, n := range []int{1, 100, 2048, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := open(b, Config{Dir: b.TempDir()})
			rng := rand.New(rand.NewPCG(1, 1))
			var ready []*segment.Doc
			for i := range max(n, 2048) {
				ready = append(ready, record(rng, int64(i)))
			}
			c := int64(0)
			for b.Loop() {
				x := Batch{Cursor: c + int64(n)}
				for range n {
					d := ready[int(c)%len(ready)]
					d.Record = c
					x.Docs = append(x.Docs, d)
					c++
				}
				apply(b, s, x)
			}
			b.ReportMetric(float64(c)/b.Elapsed().Seconds(), "docs/s")
			closed(b, s)
		})
	}
}

func BenchmarkDraft(b *testing.B) {
	ctx := context.Background()
	const docs, size = 200_000, 2000
	rng := rand.New(rand.NewPCG(1, 1))
	var list []Batch
	for c := int64(0); c < docs; c += size {
		list = append(list, batch(rng, c, size))
	}
	s := open(b, Config{Dir: b.TempDir(), BuildBytes: 64 << 20})
	for b.Loop() {
		d, err := s.Draft(ctx)
		for _, x := range list {
			if err == nil {
				err = d.Apply(ctx, x)
			}
		}
		if err == nil {
			err = d.Commit(ctx)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(docs*float64(b.N)/b.Elapsed().Seconds(), "docs/s")
	closed(b, s)
}

// BenchmarkOpen opens a store of many segments, whose tail is long.
func BenchmarkOpen(b *testing.B) {
	for _, tail := range []int{0, 2000, 8000} {
		b.Run(fmt.Sprintf("tail=%d", tail), func(b *testing.B) {
			cfg := Config{Dir: b.TempDir(), FlushDocs: 50}
			s := open(b, cfg)
			s.now.Load().merger.stop()
			rng := rand.New(rand.NewPCG(1, 1))
			for i := range int64(60) {
				apply(b, s, batch(rng, i*100, 100))
			}
			closed(b, s)
			cfg.FlushDocs = 1 << 20 // so that it stays in the tail
			s = open(b, cfg)
			s.now.Load().merger.stop()
			for i := range int64(tail / 10) {
				apply(b, s, batch(rng, 6000+i*10, 10))
			}
			closed(b, s)
			cfg.ReadOnly = true
			for b.Loop() {
				closed(b, open(b, cfg))
			}
		})
	}
}

func BenchmarkSnapshot(b *testing.B) {
	for _, ro := range []bool{false, true} {
		b.Run(fmt.Sprintf("readonly=%v", ro), func(b *testing.B) {
			cfg := Config{Dir: b.TempDir()}
			s := open(b, cfg)
			apply(b, s, batch(rand.New(rand.NewPCG(1, 1)), 0, 100))
			cfg.ReadOnly = ro
			r := s
			if ro {
				r = open(b, cfg)
				time.Sleep(2 * young)
			}
			for b.Loop() {
				_, release := r.Snapshot()
				release()
			}
		})
	}
}
