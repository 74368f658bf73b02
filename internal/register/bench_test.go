package register

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

// benchBatch is n entries of 600 bytes, all different.
func benchBatch(n int) [][]byte {
	batch := make([][]byte, n)
	for i := range batch {
		e := fmt.Appendf(nil, `{"type":"accession","n":%d,"pad":"`, i)
		batch[i] = append(append(e, bytes.Repeat([]byte{'x'}, 598-len(e))...), `"}`...)
	}
	return batch
}

// BenchmarkAppendBulk appends batches of 65,536 entries of 600 bytes, each
// durable before the next.
func BenchmarkAppendBulk(b *testing.B) {
	r, _, _ := library(b, nil, b.TempDir(), 1)
	batch := benchBatch(1 << 16)
	entries := 0
	for b.Loop() {
		if _, err := r.Append(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		entries += len(batch)
	}
	b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkAppendOne appends one entry at a time, each durable before the next.
func BenchmarkAppendOne(b *testing.B) {
	r, _, _ := library(b, nil, b.TempDir(), 1)
	batch := benchBatch(1)
	var took []time.Duration
	for b.Loop() {
		start := time.Now()
		if _, err := r.Append(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	ms := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1000 }
	b.ReportMetric(ms(0.5), "p50-ms")
	b.ReportMetric(ms(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkVerify verifies a register of 131,072 entries of 600 bytes.
func BenchmarkVerify(b *testing.B) {
	r, cfg, _ := library(b, nil, b.TempDir(), 1)
	if _, err := r.Append(context.Background(), benchBatch(MaxBatch)); err != nil {
		b.Fatal(err)
	}
	entries := int64(0)
	for b.Loop() {
		sum := verifyClean(b, cfg)
		entries += sum.Entries
	}
	b.ReportMetric(float64(entries)/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkEntry reads single entries, as pages do, far apart.
func BenchmarkEntry(b *testing.B) {
	r, _, _ := library(b, nil, b.TempDir(), 1)
	if _, err := r.Append(context.Background(), benchBatch(MaxBatch)); err != nil {
		b.Fatal(err)
	}
	i := int64(0)
	for b.Loop() {
		i = (i + 7919) % r.Size()
		if _, err := r.Entry(context.Background(), i); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkExtend copies a register of 1,000,000 small entries from another one
// in the same process, and tells how long plain copying of its files takes.
func BenchmarkExtend(b *testing.B) {
	ctx := context.Background()
	origin, cfg, _ := library(b, nil, b.TempDir(), 1)
	for n := 1; n < 1_000_000; {
		batch := batchOf(n, min(MaxBatch, 1_000_000-n))
		if _, err := origin.Append(ctx, batch); err != nil {
			b.Fatal(err)
		}
		n += len(batch)
	}
	start := time.Now()
	if err := os.CopyFS(b.TempDir(), os.DirFS(cfg.Dir)); err != nil {
		b.Fatal(err)
	}
	plain := time.Since(start)
	var took time.Duration
	for b.Loop() {
		r, _ := replica(b, origin, nil, b.TempDir())
		start := time.Now()
		extend(b, r, origin)
		took += time.Since(start)
	}
	b.ReportMetric(float64(origin.Size())*float64(b.N)/took.Seconds(), "entries/s")
	b.ReportMetric(plain.Seconds()*float64(b.N)/took.Seconds(), "of-copying")
	b.ReportMetric(0, "ns/op")
}
