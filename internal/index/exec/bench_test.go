package exec

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// corpus is generated records and what the queries are made of.
type corpus struct {
	segments []segment.View
	en, zh   []string
	docs     [][]string // title words of some records
	authors  []string
	ids      []string
	n        int
	raw      [][]byte
}

// draw is a rank by Zipf's law, out of n.
func draw(r *rand.Rand, n int, off float64) int {
	// The inverse of the integral of 1/(x+off).
	return min(n-1, int(off*(math.Pow((float64(n)+off)/off, r.Float64())-1)))
}

// word is a made-up one for a rank.
func word(rank int) string {
	syl := strings.Fields("ba ke li mo tu ra sen tor vi gla phe no xi dro cy mar qua zel wi jon hap est ur ib ol am eth os pri fen lac dul gor nis tek vam con pre")
	x := uint64(rank)*0x9e3779b97f4a7c15 + 12345
	var b strings.Builder
	for n := 1 + rank%3 + min(1, rank/50); n >= 0; n-- {
		x ^= x >> 31
		x *= 0xbf58476d1ce4e5b9
		b.WriteString(syl[x>>33%uint64(len(syl))])
	}
	return b.String()
}

func generate(n, per int) *corpus {
	c := &corpus{n: n}
	seen := map[string]bool{}
	for i := 0; len(c.en) < 120_000; i++ {
		if w := word(i); !seen[w] {
			seen[w] = true
			c.en = append(c.en, w)
		} else {
			c.en = append(c.en, w+string(rune('a'+i%26)))
		}
	}
	for i := range 4000 {
		c.zh = append(c.zh, string(rune(0x4e00+i)))
	}
	r := rand.New(rand.NewPCG(3, 3))
	b := segment.NewBuilder(segment.Options{Positions: true})
	finish := func() {
		var buf bytes.Buffer
		if err := b.Finish(&buf); err != nil {
			panic(err)
		}
		s, err := segment.Open(buf.Bytes())
		if err != nil {
			panic(err)
		}
		c.segments = append(c.segments, segment.View{Reader: s, Live: s.Docs()})
		c.raw = append(c.raw, buf.Bytes())
	}
	for i := range n {
		d := &segment.Doc{Record: int64(i), Kind: "paper", Year: int16(2025 - int(min(224, r.ExpFloat64()*16)))}
		words := func(k int) (out []string) {
			for range k {
				out = append(out, c.en[draw(r, len(c.en), 1.5)])
			}
			return out
		}
		bigrams := func(k int) (out []string) {
			last := draw(r, len(c.zh), 20)
			for range k {
				// Characters come in pairs more often than by chance.
				next := (last*7 + draw(r, 40, 1)) % len(c.zh)
				if r.IntN(2) == 0 {
					next = draw(r, len(c.zh), 20)
				}
				out = append(out, c.zh[last]+c.zh[next])
				last = next
			}
			return out
		}
		chinese := r.IntN(100) < 40
		if chinese {
			d.Tokens[segment.Title], d.Languages = bigrams(10+r.IntN(8)), []string{"zh"}
			d.Tokens[segment.Creators] = bigrams(2 + r.IntN(4))
		} else {
			d.Tokens[segment.Title], d.Languages = words(8+r.IntN(5)), []string{[]string{"en", "de", "fr", "en"}[r.IntN(4)]}
			for range 1 + r.IntN(4) {
				d.Tokens[segment.Creators] = append(d.Tokens[segment.Creators], c.en[1000+draw(r, 50_000, 10)], c.en[1000+draw(r, 50_000, 10)])
			}
		}
		for range 1 + r.IntN(3) {
			d.Subjects = append(d.Subjects, fmt.Sprint("subject ", draw(r, 500, 3)))
		}
		d.Creators = []string{fmt.Sprint("person ", r.IntN(n))}
		d.Tokens[segment.Publisher] = []string{c.en[500+draw(r, 3000, 5)], "press"}
		if r.IntN(2) == 0 {
			if chinese {
				d.Tokens[segment.Abstract] = bigrams(100)
			} else {
				d.Tokens[segment.Abstract] = words(60)
			}
		}
		id := "\ue000" + strconv.Itoa(i*7919+13)
		d.Tokens[segment.ID] = []string{id}
		d.TitleKey = []byte(strings.Join(d.Tokens[segment.Title], " "))
		if i%97 == 0 {
			c.docs = append(c.docs, d.Tokens[segment.Title])
			c.authors = append(c.authors, d.Tokens[segment.Creators][0])
			c.ids = append(c.ids, id)
		}
		if err := b.Add(d); err != nil {
			panic(err)
		}
		if b.Docs() == per {
			finish()
		}
	}
	if b.Docs() > 0 {
		finish()
	}
	return c
}

var generated = sync.OnceValue(func() *corpus {
	n := 200_000
	if s := os.Getenv("EXEC_DOCS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	// EXEC_CACHE names a folder in which the segments are kept between runs.
	dir := os.Getenv("EXEC_CACHE")
	if dir == "" {
		return generate(n, 500_000)
	}
	name := func(i any) string { return filepath.Join(dir, fmt.Sprint("exec-", n, "-", i)) }
	kept := &corpusFile{}
	if raw, err := os.ReadFile(name("queries")); err == nil && gob.NewDecoder(bytes.NewReader(raw)).Decode(kept) == nil {
		c := &corpus{en: kept.En, docs: kept.Docs, authors: kept.Authors, ids: kept.IDs, n: n}
		for i := range kept.Segments {
			raw, err := os.ReadFile(name(i))
			if err != nil {
				panic(err)
			}
			s, err := segment.Open(raw)
			if err != nil {
				panic(err)
			}
			c.segments = append(c.segments, segment.View{Reader: s, Live: s.Docs()})
		}
		return c
	}
	c := generate(n, 500_000)
	for i, raw := range c.raw {
		if err := os.WriteFile(name(i), raw, 0o600); err != nil {
			panic(err)
		}
	}
	var buf bytes.Buffer
	if err := gob.NewEncoder(&buf).Encode(corpusFile{c.en, c.docs, c.authors, c.ids, len(c.raw)}); err != nil {
		panic(err)
	}
	if err := os.WriteFile(name("queries"), buf.Bytes(), 0o600); err != nil {
		panic(err)
	}
	return c
})

type corpusFile struct {
	En       []string
	Docs     [][]string
	Authors  []string
	IDs      []string
	Segments int
}

// cpu is the time that this process has computed, which other processes do not change.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// class makes the queries of one class of the race.
func (c *corpus) class(name string, r *rand.Rand) *Request {
	req := &Request{Limit: 20}
	term := func(w string, f uint8) query.Node { return &query.Term{Text: w, Fields: f} }
	and := func(of ...query.Node) { req.Query = &query.Query{Root: &query.And{Of: of}} }
	pick := func(zh bool) (int, []string) {
		for {
			i := r.IntN(len(c.docs))
			if (c.docs[i][0][0] >= 0xe4) == zh {
				return i, c.docs[i]
			}
		}
	}
	const title, creators = 1 << segment.Title, 1 << segment.Creators
	facets := func() {
		req.Facets, req.Years = []segment.Facet{segment.Language, segment.Subject}, true
	}
	switch name {
	case "and2":
		_, w := pick(false)
		and(term(w[0], text), term(w[5], text))
	case "zh3":
		_, w := pick(true)
		i := r.IntN(5)
		and(&query.Phrase{Tokens: w[i : i+5], Fields: text, Loose: true})
	case "authtitle":
		i, w := pick(r.IntN(5) < 2)
		and(term(c.authors[i], creators), term(w[3], title))
	case "ident":
		and(term(c.ids[r.IntN(len(c.ids))], 1<<segment.ID))
	case "prefix":
		_, w := pick(false)
		and(term(w[1], title), &query.Term{Text: w[4][:min(3, len(w[4]))], Fields: title, Prefix: true})
	case "typo":
		for {
			_, w := pick(false)
			if len(w[2]) < 6 {
				continue
			}
			b := []byte(w[2])
			b[3] = 'a' + (b[3]-'a'+7)%26
			and(term(string(b), text), term(w[6], text))
			break
		}
	case "common":
		and(term(c.en[r.IntN(6)], text))
	case "or3":
		i := r.IntN(1000)
		req.Query = &query.Query{Root: &query.Or{Of: []query.Node{term(c.en[i%8], text), term(c.en[10+i%10], text), term(c.en[200+i%400], text)}}}
	case "facetmid":
		and(term(c.en[20+r.IntN(100)], text))
		facets()
	case "facetcommon":
		and(term(c.en[r.IntN(4)], text))
		facets()
	case "sortyear":
		and(term(c.en[20+r.IntN(100)], text))
		req.Sort = Newest
	case "filter":
		and(term(c.en[20+r.IntN(100)], text))
		y := r.IntN(15)
		req.Filters = Filters{Languages: []string{"en"}, YearFrom: 2000 + y, YearTo: 2010 + y}
	}
	return req
}

var classes = strings.Fields("and2 zh3 authtitle ident prefix typo common or3 facetmid facetcommon sortyear filter")

func BenchmarkClasses(b *testing.B) {
	c := generated()
	for _, name := range classes {
		b.Run(name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			reqs := make([]*Request, 300)
			for i := range reqs {
				reqs[i] = c.class(name, r)
			}
			var work, hits int64
			b.ReportAllocs()
			i := 0
			from := cpu()
			for b.Loop() {
				a, err := Run(context.Background(), c.segments, reqs[i%len(reqs)], Budget{})
				if err != nil {
					b.Fatal(err)
				}
				work += a.Work
				hits += a.Total
				i++
			}
			b.ReportMetric(float64(cpu()-from)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(work)/float64(b.N), "work/op")
			b.ReportMetric(float64(hits)/float64(b.N), "hits/op")
		})
	}
}
