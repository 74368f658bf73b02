package segment

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
)

// benchDocs makes records in the manner of the search benchmark: two fifths Chinese, as bigrams; half
// with an abstract of sixty words; words drawn by Zipf's law from some 100,000. With WENLAN_BENCH_TSV, records of
// that file, which the benchmark's generator wrote.
var benchDocs = sync.OnceValue(func() []*Doc {
	const n = 100_000
	if name := os.Getenv("WENLAN_BENCH_TSV"); name != "" {
		raw, err := os.ReadFile(name)
		if err != nil {
			panic(err)
		}
		var docs []*Doc
		for line := range strings.Lines(string(raw)) {
			c := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
			d := &Doc{Record: int64(len(docs)), Kind: c[1], Languages: []string{c[7]}, Subjects: strings.Split(c[8], ";"), Access: []string{c[10]}}
			d.Tokens[Title], d.Tokens[Creators] = strings.Fields(c[2]), strings.Fields(c[3])
			d.Tokens[Publisher], d.Tokens[Abstract] = strings.Fields(c[4]), strings.Fields(c[5])
			d.Tokens[ID] = []string{"\ue000" + c[9]}
			fmt.Sscan(c[6], &d.Year)
			docs = append(docs, d)
		}
		return docs
	}
	rnd := rand.New(rand.NewPCG(11, 12))
	syllables := strings.Fields("ba ke li mo tu ra sen tor vi gla phe no xi dro cy mar qua zel wi jon hap est ur ib ol am eth os pri fen lac dul gor nis tek vam")
	latin := make([]string, 100_000)
	for i := range latin {
		for k := i + 40; k > 0; k /= len(syllables) {
			latin[i] += syllables[k%len(syllables)]
		}
	}
	zipf := rand.NewZipf(rnd, 1.05, 2, uint64(len(latin)-1))
	words := func(k int) (out []string) {
		for range k {
			out = append(out, latin[zipf.Uint64()])
		}
		return out
	}
	han := func(k int) (out []string) {
		var runes []rune
		for range k {
			w := zipf.Uint64()
			runes = append(runes, rune(0x4e00+w%2500), rune(0x4e00+w*7919%6000))
		}
		for i := range len(runes) - 1 {
			out = append(out, string(runes[i:i+2]))
		}
		return out
	}
	var docs []*Doc
	for i := range n {
		d := &Doc{Record: int64(i), Year: int16(2025 - min(224, rnd.ExpFloat64()*16)), Kind: []string{"book", "article"}[min(1, rnd.IntN(8))], Languages: []string{"en"}, Access: []string{"open"}}
		text := words
		if rnd.IntN(5) < 2 {
			d.Languages, text = []string{"zh"}, han
		}
		d.Tokens[Title] = text(8 + rnd.IntN(4))
		d.Tokens[Creators] = text(2 + rnd.IntN(6))
		d.Tokens[Publisher] = words(2)
		if rnd.IntN(2) == 0 {
			d.Tokens[Abstract] = text(60)
		}
		d.Tokens[ID] = []string{fmt.Sprintf("\ue00010.%d/%d", 1000+rnd.IntN(3000), i)}
		for range 1 + rnd.IntN(3) {
			d.Subjects = append(d.Subjects, fmt.Sprint("subject ", int(math.Exp(rnd.Float64()*5.5))))
		}
		docs = append(docs, d)
	}
	return docs
})

func benchSegment(b *testing.B, positions bool) *Reader {
	return open(b, build(b, benchDocs(), positions))
}

func BenchmarkBuild(b *testing.B) {
	for _, positions := range []bool{false, true} {
		b.Run(fmt.Sprintf("positions=%v", positions), func(b *testing.B) {
			docs := benchDocs()
			size, held := 0, int64(0)
			for b.Loop() {
				x := NewBuilder(Options{Positions: positions})
				for _, d := range docs {
					if err := x.Add(d); err != nil {
						b.Fatal(err)
					}
				}
				held = x.Size()
				var buf bytes.Buffer
				if err := x.Finish(&buf); err != nil {
					b.Fatal(err)
				}
				size = buf.Len()
			}
			n := float64(len(docs))
			b.ReportMetric(n*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(size)/n, "B/record")
			b.ReportMetric(float64(held)/n, "held-B/record")
		})
	}
}

// BenchmarkTiny makes segments of one document, as small batches do.
func BenchmarkTiny(b *testing.B) {
	docs := benchDocs()[:1000]
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		x := NewBuilder(Options{Positions: true})
		if err := x.Add(docs[i%len(docs)]); err != nil {
			b.Fatal(err)
		}
		var buf bytes.Buffer
		if err := x.Finish(&buf); err != nil {
			b.Fatal(err)
		}
		i++
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "segments/s")
}

func BenchmarkMerge(b *testing.B) {
	docs := benchDocs()
	var in []Input
	for k := range 8 {
		x := Input{Reader: open(b, build(b, docs[k*len(docs)/8:(k+1)*len(docs)/8], true)), Deleted: roaring.New()}
		x.Deleted.Add(3)
		in = append(in, x)
	}
	for b.Loop() {
		var buf bytes.Buffer
		if err := Merge(&buf, in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(docs))*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkVerify(b *testing.B) {
	r := benchSegment(b, true)
	for b.Loop() {
		if err := open(b, r.data).Verify(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(r.data))*float64(b.N)/b.Elapsed().Seconds()/1e6, "MB/s")
}

// BenchmarkDecode decodes whole lists, of words that are in a tenth of the documents or
// more and in a hundredth.
func BenchmarkDecode(b *testing.B) {
	r := benchSegment(b, false)
	var common, middling []Term
	for it := r.Terms(nil, "", ""); it.Next(); {
		switch t := it.Term(); {
		case t.DF > r.Docs()/10:
			common = append(common, t)
		case t.DF > r.Docs()/100:
			middling = append(middling, t)
		}
	}
	for _, c := range []struct {
		name  string
		terms []Term
	}{{"common", common}, {"middling", middling}} {
		run := func(name string, f func(p *Postings) int) {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				n := 0
				var p *Postings
				for b.Loop() {
					for _, t := range c.terms {
						p = r.Postings(t, p)
						n += f(p)
					}
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mpostings/s")
			})
		}
		run("docs", func(p *Postings) (n int) {
			for p.NextBlock() {
				n += len(p.BlockDocs())
			}
			return n
		})
		run("all", func(p *Postings) (n int) {
			for p.NextBlock() {
				docs, masks, tfs := p.Block()
				n += len(docs) + len(masks) + len(tfs)
			}
			return n / 3
		})
		run("next", func(p *Postings) (n int) {
			for p.Next() != NoMore {
				n++
			}
			return n
		})
	}
}

func BenchmarkAdvance(b *testing.B) {
	r := benchSegment(b, false)
	var best Term
	for it := r.Terms(nil, "", ""); it.Next(); {
		if t := it.Term(); t.DF > best.DF {
			best = t
		}
	}
	for _, step := range []uint32{3, 30, 300, 3000} {
		b.Run(fmt.Sprint(step), func(b *testing.B) {
			var p *Postings
			n := 0
			for b.Loop() {
				p = r.Postings(best, p)
				for d := p.Next(); d != NoMore; d = p.Advance(d + step) {
					n++
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/advance")
		})
	}
}

func BenchmarkTerm(b *testing.B) {
	r := benchSegment(b, false)
	var words []string
	for it := r.Terms(nil, "", ""); it.Next(); {
		if len(words) < 1<<16 {
			words = append(words, string(it.Text()))
		}
	}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := r.Term(words[i*7919%len(words)]); !ok {
			b.Fatal("lost")
		}
		i++
	}
}

func BenchmarkTerms(b *testing.B) {
	r := benchSegment(b, false)
	n := 0
	for b.Loop() {
		for it := r.Terms(nil, "", ""); it.Next(); {
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mwords/s")
}
