package analysis

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// BenchmarkRecord analyses records like those of the benchmark of the index: 40%
// Chinese titles, an abstract of 60 words in half of them.
func BenchmarkRecord(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func() string {
		n := int(20000 * r.Float64() * r.Float64() * r.Float64())
		return strings.TrimRight(fmt.Sprintf("%s%s%s", []string{"con", "re", "inter", "micro", "pan"}[n%5], []string{"struct", "form", "ver", "gress", "duc", "ti", "mo"}[n/5%7], []string{"ation", "ing", "ed", "s", ""}[n/35%5])+string(rune('a'+n%26))+string(rune('a'+n/700%26)), " ")
	}
	words := func(n int) string {
		var out []string
		for range n {
			out = append(out, word())
		}
		return strings.Join(out, " ")
	}
	han := func(n int) string {
		var out []rune
		for range n {
			out = append(out, rune(0x4e00+int(3000*r.Float64()*r.Float64())))
		}
		return string(out)
	}
	type record struct{ title, creators, about, publisher, abstract string }
	records := make([]record, 4096)
	size := 0
	for i := range records {
		x := &records[i]
		if i%5 < 2 {
			x.title, x.creators, x.about, x.publisher = han(9), han(3), han(4), han(6)
		} else {
			x.title, x.creators, x.about, x.publisher = words(7), words(2)+" ; "+words(2), words(3), words(3)
		}
		if i%2 == 0 {
			x.abstract = words(60)
		}
		size += len(x.title) + len(x.creators) + len(x.about) + len(x.publisher) + len(x.abstract)
	}
	for _, reading := range []bool{false, true} {
		b.Run(map[bool]string{false: "tokens", true: "tokens+readings"}[reading], func(b *testing.B) {
			b.SetBytes(int64(size / len(records)))
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				var a Analyzer
				var fields [6][]string
				for i := 0; pb.Next(); i++ {
					x := &records[i%len(records)]
					fields[0] = a.Values(fields[0][:0], x.title)
					fields[1] = a.Values(fields[1][:0], x.creators)
					fields[2] = a.Values(fields[2][:0], x.about)
					fields[3] = a.Values(fields[3][:0], x.publisher)
					fields[4] = a.Values(fields[4][:0], x.abstract)
					if reading {
						fields[5] = Readings(fields[5][:0], x.title, false)
						fields[5] = Readings(fields[5], x.creators, true)
					}
				}
			})
		})
	}
}

// BenchmarkStart is what the tables cost, once a process.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		buildTables()
		buildPinyin()
	}
}
