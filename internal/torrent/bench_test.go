package torrent

import (
	"fmt"
	"testing"
)

// BenchmarkBuild makes the manifest of a shelf; mktorrent reads the same bytes and
// hashes them once, not twice.
func BenchmarkBuild(b *testing.B) {
	sizes := make([]int, 32)
	for i := range sizes {
		sizes[i] = 8<<20 + i
	}
	st := stock(b, sizes...)
	b.SetBytes(st.m.Bytes())
	for b.Loop() {
		if _, err := Build(b.Context(), st.blobs, st.refs, BuildOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPiece reads and checks pieces, as for a client that wants them all.
func BenchmarkPiece(b *testing.B) {
	st := stock(b, 64<<20)
	s := st.start(Config{CacheBytes: 1})
	l, err := s.store.get(b.Context(), st.shelf.Infohash)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(PieceSmall)
	i := 0
	for b.Loop() {
		if _, err := s.store.piece(b.Context(), l, i%l.pieces); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkLoad loads the torrent of a full shelf.
func BenchmarkLoad(b *testing.B) {
	for _, n := range []int{1, 500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			sizes := make([]int, n)
			for i := range sizes {
				sizes[i] = 100 + i
			}
			st := stock(b, sizes...)
			s := st.start(Config{})
			for b.Loop() {
				if _, err := s.store.load(b.Context(), st.shelf.Infohash); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
