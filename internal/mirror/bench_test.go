package mirror

import (
	"crypto/sha256"
	"testing"
	"time"
)

// BenchmarkCopy mirrors 512 MB of files from one server on loopback, both on the
// same machine, all verified and durable at the end.
func BenchmarkCopy(b *testing.B) {
	o := newOrigin(b)
	sizes := make([]int, 256)
	for i := range sizes {
		sizes[i] = 2 << 20
	}
	sizes[0] = 33 << 20 // one that would be resumed
	for len(sizes) > 0 {
		n := min(len(sizes), 100)
		o.add(sizes[:n]...)
		sizes = sizes[n:]
	}
	site := start(b, o)
	var total int64
	for _, ref := range o.files {
		total += ref.Bytes
	}
	b.SetBytes(total)
	for b.Loop() {
		b.StopTimer()
		m := copyOf(b, o, nil, site.URL)
		b.StartTimer()
		once(b, m)
	}
}

// BenchmarkHash is what hashing alone would allow, with one core.
func BenchmarkHash(b *testing.B) {
	data := make([]byte, 64<<20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		sha256.Sum256(data)
	}
}

// BenchmarkBundles follows a register of 200,000 entries without files.
func BenchmarkBundles(b *testing.B) {
	o := newOrigin(b)
	for range 50 {
		o.add(make([]int, 4000)...)
	}
	site := start(b, o)
	for b.Loop() {
		b.StopTimer()
		m := copyOf(b, o, func(c *Config) { c.Wanted = nil }, site.URL)
		b.StartTimer()
		begin := time.Now()
		once(b, m)
		b.ReportMetric(float64(o.reg.Size())/time.Since(begin).Seconds(), "entries/s")
	}
}
