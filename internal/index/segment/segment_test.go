package segment

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/blevesearch/vellum"
	"github.com/blevesearch/vellum/levenshtein"
	"pgregory.net/rapid"

	"wenlan/internal/errs"
)

// Short lists have groups here, and rare words are common, so that all tests see them.
func TestMain(m *testing.M) {
	leastGroup, leastCommon = 2, 40
	keptCounts[Subject] = 4
	os.Exit(m.Run())
}

// modelPosting is a posting of the naive model.
type modelPosting struct {
	doc  uint32
	mask uint8
	tf   int
	pos  []Pos
}

// model is what a segment of the documents should say.
type model struct {
	docs   []*Doc
	terms  map[string][]modelPosting
	words  []string
	fields [NumFields]uint64
	lens   []uint8
}

func newModel(docs []*Doc) *model {
	m := &model{docs: slices.Clone(docs), terms: map[string][]modelPosting{}}
	slices.SortFunc(m.docs, func(x, y *Doc) int { return cmp.Or(cmp.Compare(x.Record, y.Record), cmp.Compare(x.Part, y.Part)) })
	for i, d := range m.docs {
		length := 0.0
		for f, words := range d.Tokens {
			for at, w := range words {
				if w == "" || len(w) > MaxToken {
					continue
				}
				m.fields[f]++
				length += float64(DefaultWeights[f])
				l := m.terms[w]
				if len(l) == 0 || l[len(l)-1].doc != uint32(i) {
					l = append(l, modelPosting{doc: uint32(i)})
				}
				p := &l[len(l)-1]
				p.tf++
				p.mask |= Field(f).Bit()
				p.pos = append(p.pos, Pos{Field(f), uint32(at)})
				m.terms[w] = l
			}
		}
		m.lens = append(m.lens, LenCode(uint32(length)))
	}
	for w := range m.terms {
		m.words = append(m.words, w)
	}
	slices.Sort(m.words)
	return m
}

func values(d *Doc, f Facet) (out []string) {
	for _, v := range [NumFacets][]string{d.Languages, {d.Kind}, d.Subjects, d.Creators, d.Access}[f] {
		if v = v[:min(len(v), MaxValue)]; v != "" && !slices.Contains(out, v) && len(out) < MaxPerDoc {
			out = append(out, v)
		}
	}
	return out
}

type tester interface {
	Fatalf(string, ...any)
	Helper()
}

// compareCounts holds what is counted of a word to the model.
func compareCounts(t tester, r *Reader, term Term, m *model, l []modelPosting) {
	t.Helper()
	var have WordCounts
	if counted := r.Counts(term, &have); counted != (len(l) >= max(leastCommon, len(m.docs)/commonPart)) {
		t.Fatalf("the facets of a word with %d of %d documents are counted: %v", len(l), len(m.docs), counted)
	} else if !counted {
		return
	}
	for f := range Facet(NumFacets) {
		want := map[string]uint32{}
		for _, p := range l {
			for _, v := range values(m.docs[p.doc], f) {
				want[v]++
			}
		}
		if n := min(len(want), keptCounts[f]); len(have.Values[f]) != n {
			t.Fatalf("%d values of facet %d, want %d", len(have.Values[f]), f, n)
		}
		least := uint32(math.MaxUint32)
		for _, x := range have.Values[f] {
			v := r.Facet(f).Value(x.Ord)
			if want[v] != x.N {
				t.Fatalf("%q: %d documents, want %d", v, x.N, want[v])
			}
			delete(want, v)
			least = min(least, x.N)
		}
		rest := uint32(0)
		for _, n := range want {
			rest = max(rest, n)
		}
		if rest != have.Rest[f] || rest > least {
			t.Fatalf("the most frequent value left out has %d documents, want %d; one that is kept has %d", have.Rest[f], rest, least)
		}
	}
	years := map[int16]uint32{}
	for _, p := range l {
		years[m.docs[p.doc].Year]++
	}
	for _, y := range have.Years {
		if years[y.Year] != y.N {
			t.Fatalf("year %d: %d documents, want %d", y.Year, y.N, years[y.Year])
		}
		delete(years, y.Year)
	}
	if len(years) > 0 {
		t.Fatalf("years are missing: %v", years)
	}
}

// compare holds all that a reader says to the model.
func compare(t tester, r *Reader, m *model, positions, fields bool) {
	t.Helper()
	if err := r.Verify(); err != nil {
		t.Fatalf("Verify: %v", err)
	}
	if r.Docs() != len(m.docs) || r.Positions() != positions && len(m.docs) > 0 {
		t.Fatalf("%d documents, want %d", r.Docs(), len(m.docs))
	}
	if fields && r.FieldLengths() != m.fields {
		t.Fatalf("field lengths %v, want %v", r.FieldLengths(), m.fields)
	}
	var p *Postings
	it := r.Terms(nil, "", "")
	for _, w := range m.words {
		if !it.Next() || string(it.Text()) != w {
			t.Fatalf("word %q, want %q", it.Text(), w)
		}
		term, ok := r.Term(w)
		if !ok || term != it.Term() || term.DF != len(m.terms[w]) {
			t.Fatalf("%q: %v %v %v, want df %d", w, term, ok, it.Term(), len(m.terms[w]))
		}
		p = r.Postings(term, p)
		comparePostings(t, p, m, m.terms[w], positions)
		compareCounts(t, r, term, m, m.terms[w])
	}
	if it.Next() {
		t.Fatalf("one more word: %q", it.Text())
	}
	if _, ok := r.Term("no such word"); ok {
		t.Fatalf("a word that is not there")
	}
	for i, d := range m.docs {
		doc := uint32(i)
		if r.Record(doc) != d.Record || r.Part(doc) != d.Part || r.Year(doc) != d.Year || r.Years()[i] != d.Year ||
			r.Len(doc) != m.lens[i] || r.Lens()[i] != m.lens[i] ||
			!bytes.Equal(r.TitleKey(doc), d.TitleKey[:min(len(d.TitleKey), MaxTitleKey)]) {
			t.Fatalf("document %d: %d/%d year %d len %d key %q, want %+v", i, r.Record(doc), r.Part(doc), r.Year(doc), r.Len(doc), r.TitleKey(doc), d)
		}
		lo, hi := r.Find(d.Record)
		if doc < lo || doc >= hi || r.Record(lo) != d.Record || r.Record(hi-1) != d.Record || hi < r.docs && r.Record(hi) == d.Record {
			t.Fatalf("Find(%d) = %d, %d", d.Record, lo, hi)
		}
	}
	for f := range Facet(NumFacets) {
		c := r.Facet(f)
		all := map[string]bool{}
		for i, d := range m.docs {
			var got []string
			ords := c.Of(uint32(i), nil)
			for _, o := range ords {
				got = append(got, c.Value(o))
				if back, ok := c.Ord(c.Value(o)); !ok || back != o {
					t.Fatalf("Ord(%q) = %d", c.Value(o), back)
				}
				all[c.Value(o)] = true
			}
			if !slices.Equal(got, values(d, f)) {
				t.Fatalf("facet %d of %d: %q, want %q", f, i, got, values(d, f))
			}
			if b := c.Bytes(); b != nil && (len(ords) > 1 || len(ords) == 0 && b[i] != NoByte || len(ords) == 1 && uint32(b[i]) != ords[0]) {
				t.Fatalf("Bytes()[%d] = %d, %v", i, b[i], ords)
			}
			if b := c.MostBytes(); b != nil && (b[i] == ManyByte) != (len(ords) > 1) {
				t.Fatalf("MostBytes()[%d] = %d, %v", i, b[i], ords)
			}
			if starts, narrow := c.Lists16(); starts != nil {
				if l := narrow[starts[i]:starts[i+1]]; len(l) != len(ords) || len(l) > 0 && uint32(l[0]) != ords[0] {
					t.Fatalf("Lists16 of %d: %v, %v", i, l, ords)
				}
			}
			if starts, wide := c.Lists32(); starts != nil && !slices.Equal(wide[starts[i]:starts[i+1]], ords) {
				t.Fatalf("Lists32 of %d: %v", i, ords)
			}
		}
		if c.Cardinality() != len(all) {
			t.Fatalf("facet %d has %d values, used are %d", f, c.Cardinality(), len(all))
		}
	}
	if err := r.Err(); err != nil {
		t.Fatalf("Err: %v", err)
	}
}

func comparePostings(t tester, p *Postings, m *model, want []modelPosting, positions bool) {
	t.Helper()
	if p.DF() != len(want) {
		t.Fatalf("DF %d, want %d", p.DF(), len(want))
	}
	for i, q := range want {
		if d := p.Next(); d != q.doc || p.Doc() != d || p.Mask() != q.mask || int(p.TF()) != min(255, q.tf) {
			t.Fatalf("posting %d: %d mask %b tf %d, want %+v", i, d, p.Mask(), p.TF(), q)
		}
		if i%3 != 1 || len(want) < 10 { // also out of turn
			got := p.Positions(nil)
			if positions != (len(got) > 0) || positions && !slices.Equal(got, q.pos) {
				t.Fatalf("positions of %d: %v, want %v", q.doc, got, q.pos)
			}
		}
		docs, masks, tfs := p.Block()
		if docs[p.Index()] != q.doc || len(masks) != len(docs) || len(tfs) != len(docs) || p.BlockLast() != docs[len(docs)-1] {
			t.Fatalf("Block, at %d of %v; last %d", p.Index(), docs, p.BlockLast())
		}
		covered := false
		for _, x := range p.Impacts(nil) {
			covered = covered || x.Mask == q.mask && x.MaxTF >= p.TF() && x.MinLen <= m.lens[q.doc]
		}
		if !covered || p.MaxTF() < p.TF() || p.MinLen() > m.lens[q.doc] {
			t.Fatalf("posting %+v is over its bounds %v", q, p.Impacts(nil))
		}
	}
	if p.Next() != NoMore || p.Doc() != NoMore || p.Next() != NoMore || p.Advance(3) != NoMore || p.NextBlock() || p.BlockLast() != NoMore {
		t.Fatalf("no end")
	}
}

// walk goes through postings in a random way and holds each step to the model.
func walk(t tester, r *Reader, term Term, want []modelPosting, rnd *rand.Rand) {
	t.Helper()
	p := r.Postings(term, nil)
	i := -1
	for i < len(want) {
		switch rnd.IntN(4) {
		case 0:
			i++
			p.Next()
		case 1, 2:
			target := uint32(rnd.IntN(int(r.docs) + 2))
			if i >= 0 {
				target = want[i].doc + uint32(rnd.IntN(1<<rnd.IntN(16)))
			}
			if rnd.IntN(2) == 0 {
				has := p.ShallowAdvance(target)
				last := p.BlockLast()
				k, _ := slices.BinarySearchFunc(want, target, func(q modelPosting, d uint32) int { return cmp.Compare(q.doc, d) })
				if k < len(want) && (!has || last < want[k].doc || last != NoMore-1 && last < target) || k == len(want) && has && last != NoMore-1 {
					t.Fatalf("ShallowAdvance(%d) = %v, last %d", target, has, last)
				}
				for ; k < len(want) && want[k].doc <= last; k++ {
					covered := false
					for _, x := range p.Impacts(nil) {
						covered = covered || x.Mask == want[k].mask && int(x.MaxTF) >= min(255, want[k].tf)
					}
					if !covered || int(p.MaxTF()) < min(255, want[k].tf) {
						t.Fatalf("posting %+v is over its bounds %v", want[k], p.Impacts(nil))
					}
				}
			}
			i = max(i, 0)
			for i < len(want) && want[i].doc < target {
				i++
			}
			p.Advance(target)
		case 3:
			if i < 0 {
				i = 0
			} else {
				docs, _, _ := p.Block()
				i += len(docs) - p.Index()
			}
			if p.NextBlock() != (i < len(want)) {
				t.Fatalf("NextBlock at %d", i)
			}
		}
		switch {
		case i >= len(want):
			if p.Doc() != NoMore {
				t.Fatalf("Doc %d past the end", p.Doc())
			}
			return
		case p.Doc() != want[i].doc || p.Mask() != want[i].mask:
			t.Fatalf("Doc %d mask %b, want %+v", p.Doc(), p.Mask(), want[i])
		case r.positions && rnd.IntN(3) == 0 && !slices.Equal(p.Positions(nil), want[i].pos):
			t.Fatalf("positions %v, want %v", p.Positions(nil), want[i].pos)
		}
	}
}

func build(t tester, docs []*Doc, positions bool) []byte {
	t.Helper()
	b := NewBuilder(Options{Positions: positions})
	for _, d := range docs {
		if err := b.Add(d); err != nil {
			t.Fatalf("Add: %v", err)
		}
	}
	if b.Docs() != len(docs) || b.Size() <= 0 && len(docs) > 0 {
		t.Fatalf("Docs %d, Size %d", b.Docs(), b.Size())
	}
	var buf bytes.Buffer
	if err := b.Finish(&buf); err != nil {
		t.Fatalf("Finish: %v", err)
	}
	if b.Docs() != 0 {
		t.Fatalf("the builder is not empty")
	}
	return buf.Bytes()
}

func open(t tester, data []byte) *Reader {
	t.Helper()
	r, err := Open(data)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return r
}

// randomDocs makes documents over a small vocabulary with a few words in most of them.
func randomDocs(rnd *rand.Rand, n int) []*Doc {
	word := func() string {
		switch k := rnd.IntN(10); {
		case k < 4:
			return string(rune('a' + rnd.IntN(3)))
		case k < 7:
			return fmt.Sprint("w", int(math.Exp(rnd.Float64()*6)))
		case k < 8:
			return string(rune(0x4e00+rnd.IntN(40))) + string(rune(0x4e00+rnd.IntN(40)))
		case k < 9:
			return ""
		}
		return fmt.Sprintf("\ue000id%x", rnd.IntN(1<<20))
	}
	var docs []*Doc
	record := int64(rnd.IntN(1000))
	for range n {
		if rnd.IntN(4) > 0 || len(docs) == 0 {
			record += 1 + int64(rnd.IntN(3))
		}
		d := &Doc{Record: record, Year: int16(rnd.IntN(4000) - 1000), Kind: []string{"", "book", "article"}[rnd.IntN(3)]}
		if k := len(docs); k > 0 && docs[k-1].Record == record {
			d.Part = docs[k-1].Part + 1
		}
		for f := range d.Tokens {
			for range rnd.IntN(5) {
				d.Tokens[f] = append(d.Tokens[f], word())
			}
		}
		if rnd.IntN(200) == 0 { // a tf over 255, places far apart
			for range 300 {
				d.Tokens[Abstract] = append(d.Tokens[Abstract], "a", "")
			}
			d.Tokens[Body] = append(make([]string, 70000), "far")
		}
		if rnd.IntN(30) > 0 {
			d.Languages = append(d.Languages, []string{"zh", "en", "de"}[rnd.IntN(3)])
		}
		if rnd.IntN(20) == 0 {
			d.Languages = append(d.Languages, "fr", "en", "")
		}
		for range rnd.IntN(4) {
			d.Subjects = append(d.Subjects, fmt.Sprint("subject ", rnd.IntN(300)))
			d.Creators = append(d.Creators, fmt.Sprint("creator ", rnd.IntN(1<<20)))
		}
		d.Access = []string{"open"}
		d.TitleKey = []byte(strings.Repeat(fmt.Sprint(rnd.IntN(1000)), rnd.IntN(14)))
		docs = append(docs, d)
	}
	return docs
}

// small makes chunks small until the test ends.
func small(t interface{ Cleanup(func()) }, size int) {
	old := chunkSize
	chunkSize = size
	t.Cleanup(func() { chunkSize = old })
}

func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		docs, chunk int
		positions   bool
	}{{0, 100, true}, {1, 100, true}, {20, 300, false}, {300, 5000, true}, {3000, 1 << 20, true}, {3000, 40000, false}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			small(t, c.chunk)
			rnd := rand.New(rand.NewPCG(uint64(c.docs), 2))
			docs := randomDocs(rnd, c.docs)
			m := newModel(docs)
			data := build(t, docs, c.positions)
			r := open(t, data)
			compare(t, r, m, c.positions, true)
			sum := int64(0)
			for _, n := range r.Sections() {
				sum += n
			}
			if sum != int64(len(data)) {
				t.Fatalf("sections of %d bytes, the segment has %d: %v", sum, len(data), r.Sections())
			}
			for _, w := range m.words[:min(len(m.words), 300)] {
				term, _ := r.Term(w)
				for range 5 {
					walk(t, r, term, m.terms[w], rnd)
				}
			}
			rnd.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
			if again := build(t, docs, c.positions); !bytes.Equal(again, data) {
				t.Fatal("another order makes another segment")
			}
		})
	}
}

func TestWideFacet(t *testing.T) {
	var docs []*Doc
	for i := range 30000 {
		d := &Doc{Record: int64(i) << 33, Kind: fmt.Sprint(i % 300)}
		for k := range 3 {
			d.Creators = append(d.Creators, fmt.Sprint((i*3+k)*7%80000))
		}
		docs = append(docs, d)
	}
	r := open(t, build(t, docs, false))
	compare(t, r, newModel(docs), false, true)
	if starts, ords := r.Facet(Creator).Lists32(); starts == nil || ords == nil {
		t.Error("no Lists32")
	}
	if starts, ords := r.Facet(Kind).Lists16(); starts == nil || ords == nil {
		t.Error("no Lists16")
	}
}

func TestTwice(t *testing.T) {
	b := NewBuilder(Options{})
	for _, x := range []int64{5, 7, 6} {
		if err := b.Add(&Doc{Record: x}); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []int64{5, 7, 6} {
		if err := b.Add(&Doc{Record: x}); !errs.Is(err, errs.Invalid) {
			t.Fatalf("%d twice: %v", x, err)
		}
	}
	var one, two bytes.Buffer
	if err := b.Finish(&one); err != nil {
		t.Fatal(err)
	}
	r := open(t, one.Bytes())
	if err := Merge(&two, []Input{{Reader: r}, {Reader: r}}); !errs.Is(err, errs.Invalid) {
		t.Fatalf("merged twice: %v", err)
	}
}

// TestMerge: a merged segment says what one that was built at once says.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old := chunkSize
		chunkSize = rapid.SampledFrom([]int{200, 3000, 1 << 20}).Draw(t, "chunk")
		defer func() { chunkSize = old }()
		rnd := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		docs := randomDocs(rnd, rapid.IntRange(0, 600).Draw(t, "docs"))
		positions := rapid.Bool().Draw(t, "positions")
		k := rapid.IntRange(1, 5).Draw(t, "segments")
		mixed := rapid.Bool().Draw(t, "mixed")
		deletes := rapid.IntRange(0, 3).Draw(t, "deletes")
		parts := make([][]*Doc, k)
		for i, d := range docs {
			j := i * k / len(docs)
			if mixed {
				j = rnd.IntN(k)
			}
			parts[j] = append(parts[j], d)
		}
		var in []Input
		var live []*Doc
		for _, p := range parts {
			x := Input{Reader: open(t, build(t, p, positions))}
			if deletes > 0 {
				x.Deleted = roaring.New()
			}
			for i, d := range p {
				if rnd.IntN(3) < deletes {
					x.Deleted.Add(uint32(i))
				} else {
					live = append(live, d)
				}
			}
			in = append(in, x)
		}
		var buf bytes.Buffer
		if err := Merge(&buf, in); err != nil {
			t.Fatalf("Merge: %v", err)
		}
		compare(t, open(t, buf.Bytes()), newModel(live), positions, deletes == 0)
		var again bytes.Buffer
		if err := MergeParallel(&again, in, 2+rnd.IntN(4)); err != nil || !bytes.Equal(again.Bytes(), buf.Bytes()) {
			t.Fatalf("several goroutines give other bytes: %v", err)
		}
	})
}

// TestMergeUpdates: some records of a large segment are replaced by those of small ones.
func TestMergeUpdates(t *testing.T) {
	small(t, 1<<16)
	for seed := range uint64(6) {
		rnd := rand.New(rand.NewPCG(seed, 8))
		docs := randomDocs(rnd, 3000)
		parts := make([][]*Doc, 4)
		gone := roaring.New()
		parts[0] = docs
		live := slices.Clone(docs)
		for i := range docs {
			if rnd.IntN(2000) < 1<<seed {
				d := *docs[(i+1)%len(docs)]
				d.Record, d.Part = docs[i].Record, docs[i].Part
				gone.Add(uint32(i))
				k := 1 + rnd.IntN(3)
				parts[k] = append(parts[k], &d)
				live[i] = &d
			}
		}
		in := []Input{{Reader: open(t, build(t, docs, true)), Deleted: gone}}
		for _, p := range parts[1:] {
			in = append(in, Input{Reader: open(t, build(t, p, true))})
		}
		var buf bytes.Buffer
		if err := Merge(&buf, in); err != nil {
			t.Fatal(err)
		}
		compare(t, open(t, buf.Bytes()), newModel(live), true, false)
	}
}

// TestMergeOften merges one small segment after the other to the end of a large one: blocks of all sizes.
func TestMergeOften(t *testing.T) {
	rnd := rand.New(rand.NewPCG(31, 8))
	docs := randomDocs(rnd, 2500)
	r := open(t, build(t, docs[:500], true))
	for n := 500; n < len(docs); {
		k := min(len(docs), n+rnd.IntN(200))
		var buf bytes.Buffer
		if err := Merge(&buf, []Input{{Reader: r}, {Reader: open(t, build(t, docs[n:k], true))}}); err != nil {
			t.Fatal(err)
		}
		r, n = open(t, buf.Bytes()), k
	}
	m := newModel(docs)
	compare(t, r, m, true, true)
	for _, w := range m.words {
		if term, _ := r.Term(w); len(m.terms[w]) > blockLen {
			walk(t, r, term, m.terms[w], rnd)
			p := r.Postings(term, nil)
			for k := 0; p.NextBlock(); k++ {
				if n := len(p.BlockDocs()); n != p.BlockLen() || n < leastCopied && p.blk+1 < p.nblk {
					t.Fatalf("%q: block %d has %d postings", w, k, n)
				}
			}
		}
	}
}

// TestImpacts: the impacts of a block are few, and none is more than the postings with its mask reach.
func TestImpacts(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 30))
	for range 500 {
		var x impactTally
		x.reset()
		var masks, tfs, lens [blockLen]uint8
		most := 1 << rnd.IntN(9)
		for i := range masks {
			masks[i], tfs[i], lens[i] = uint8(1+rnd.IntN(3)), uint8(1+rnd.IntN(min(most, 255))), uint8(rnd.IntN(100))
			x.add(masks[i], tfs[i], lens[i])
		}
		for k, mask := range x.masks {
			impacts := x.impacts(k, nil)
			if len(impacts) > maxPairs {
				t.Fatalf("%d impacts", len(impacts))
			}
			for i, y := range impacts {
				tf, length := false, false
				for j := range masks {
					tf = tf || masks[j] == mask && tfs[j] == y.MaxTF
					length = length || masks[j] == mask && lens[j] == y.MinLen
				}
				if !tf || !length || y.Mask != mask || i > 0 && (impacts[i-1].MaxTF >= y.MaxTF || impacts[i-1].MinLen >= y.MinLen) {
					t.Fatalf("%v", impacts)
				}
			}
			for j := range masks {
				if masks[j] == mask && !slices.ContainsFunc(impacts, func(y Impact) bool { return tfs[j] <= y.MaxTF && lens[j] >= y.MinLen }) {
					t.Fatalf("tf %d, length %d is over %v", tfs[j], lens[j], impacts)
				}
			}
		}
	}
}

// TestTerms holds ranges and automata to the model, and the reading of the dictionary to vellum's.
func TestTerms(t *testing.T) {
	small(t, 2000)
	rnd := rand.New(rand.NewPCG(4, 4))
	m := newModel(randomDocs(rnd, 2000))
	r := open(t, build(t, m.docs, true))
	if len(r.chunks) < 5 {
		t.Fatalf("%d chunks", len(r.chunks))
	}
	for range 500 {
		from, to := "", ""
		if rnd.IntN(4) > 0 {
			from = m.words[rnd.IntN(len(m.words))]
			from = from[:rnd.IntN(len(from)+1)] + []string{"", "0", "\xff"}[rnd.IntN(3)]
		}
		if rnd.IntN(4) > 0 {
			to = m.words[rnd.IntN(len(m.words))] + []string{"", "x"}[rnd.IntN(2)]
		}
		var want, got []string
		for _, w := range m.words {
			if w >= from && (to == "" || w < to) {
				want = append(want, w)
			}
		}
		for it := r.Terms(nil, from, to); it.Next(); {
			got = append(got, string(it.Text()))
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%q to %q: %d words, want %d", from, to, len(got), len(want))
		}
	}
	lb, err := levenshtein.NewLevenshteinAutomatonBuilder(1, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []string{"w12", "w1", "a", "ab", "w403"} {
		dfa, err := lb.BuildDfa(w, 1)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, x := range m.words {
			if vellum.AutomatonContains(dfa, []byte(x)) {
				want = append(want, x)
			}
		}
		for it := r.Terms(dfa, "", ""); it.Next(); {
			got = append(got, string(it.Text()))
		}
		if !slices.Equal(got, want) || len(got) == 0 {
			t.Fatalf("like %q: %q, want %q", w, got, want)
		}
	}
	n := 0
	for i, c := range r.chunks {
		f, err := vellum.Load(r.data[c.fstOff : c.fstOff+c.fstLen])
		if err != nil {
			t.Fatal(err)
		}
		ours := r.Terms(nil, string(c.first), "")
		theirs, err := f.Iterator(nil, nil)
		for ; err == nil; err = theirs.Next() {
			word, value := theirs.Current()
			if !ours.Next() || !bytes.Equal(ours.Text(), word) || ours.value != value || ours.chunk-1 != i {
				t.Fatalf("%q %d, vellum reads %q %d", ours.Text(), ours.value, word, value)
			}
			n++
		}
	}
	if n != len(m.words) {
		t.Fatalf("%d words, want %d", n, len(m.words))
	}
}

// TestFlips: whichever byte is wrong, Open, reading or Verify says so, and nothing panics.
func TestFlips(t *testing.T) {
	small(t, 3000)
	rnd := rand.New(rand.NewPCG(9, 9))
	data := build(t, randomDocs(rnd, 150), true)
	var words []string
	for it := open(t, data).Terms(nil, "", ""); it.Next(); {
		words = append(words, string(it.Text()))
	}
	for at := range data {
		bad := bytes.Clone(data)
		bad[at] ^= byte(1 + rnd.IntN(255))
		r, err := Open(bad)
		if err == nil {
			if at%7 == 0 {
				readAll(r, words)
			}
			if at%11 == 0 && errs.KindOf(MergeParallel(new(bytes.Buffer), []Input{{Reader: r}}, 1+at%3)) != errs.Corrupt {
				t.Fatalf("byte %d: merged", at)
			}
			err = r.Verify()
		}
		if !errs.Is(err, errs.Corrupt) {
			t.Fatalf("byte %d: %v", at, err)
		}
	}
	for n := range len(data) {
		if n%5 == 0 {
			if _, err := Open(data[:n]); !errs.Is(err, errs.Corrupt) {
				t.Fatalf("cut at %d: %v", n, err)
			}
		}
	}
}

// readAll calls every method of a reader; at most so many words.
func readAll(r *Reader, words []string) {
	var p *Postings
	use := func(term Term) {
		p = r.Postings(term, p)
		p.ShallowAdvance(3)
		p.Impacts(nil)
		p.MaxTF()
		p.MinLen()
		for k := 0; p.Next() != NoMore && k < 1000; k++ {
			p.Positions(nil)
			docs, masks, tfs := p.Block()
			if len(docs) != len(masks) || len(docs) != len(tfs) || p.Doc() >= r.docs || p.Mask() == 0 || p.TF() == 0 {
				panic("a block that makes no sense")
			}
			p.Advance(p.Doc() + uint32(k))
			p.BlockLast()
		}
		p.NextBlock()
	}
	for _, w := range words {
		if t, ok := r.Term(w); ok {
			use(t)
		}
	}
	it := r.Terms(nil, "", "")
	for k := 0; k < 2000 && it.Next(); k++ {
		use(it.Term())
	}
	for d := range min(r.docs+2, 300) {
		r.Record(d)
		r.Part(d)
		r.Year(d)
		r.Len(d)
		r.TitleKey(d)
		r.Find(int64(d))
		for f := range Facet(NumFacets) {
			c := r.Facet(f)
			for _, o := range c.Of(d, nil) {
				c.Ord(c.Value(o))
			}
		}
	}
	if len(r.Years()) != r.Docs() || len(r.Lens()) != r.Docs() {
		panic("columns of another length")
	}
	for f := range Facet(NumFacets) {
		c := r.Facet(f)
		for _, b := range c.Bytes() {
			_ = b == NoByte || c.Value(uint32(b)) != ""
		}
		c.MostBytes()
		c.Lists16()
		c.Lists32()
	}
}

func TestLenCode(t *testing.T) {
	last := uint8(0)
	for _, x := range []uint32{0, 1, 23, 24, 25, 39, 40, 41, 42, 100, 1000, 12345, 1 << 20, math.MaxInt32, math.MaxUint32} {
		c := LenCode(x)
		if c < last || LenOf(c) > x || x < 40 && LenOf(c) != x || LenCode(LenOf(c)) != c {
			t.Errorf("LenCode(%d) = %d, which is %d", x, c, LenOf(c))
		}
		last = c
	}
	if LenCode(math.MaxInt32) != 255 {
		t.Error("the greatest length has not the greatest code")
	}
}

func TestPack(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	for width := range 33 {
		for _, n := range []int{1, 2, 63, 127, 128} {
			in, out := make([]uint32, n), make([]uint32, n)
			for i := range in {
				in[i] = uint32(rnd.Uint64() & (1<<width - 1))
			}
			b := pack(nil, in, width)
			if len(b) != packedLen(n, width) {
				t.Fatalf("width %d, %d numbers: %d bytes", width, n, len(b))
			}
			unpack(b, width, out)
			if !slices.Equal(in, out) {
				t.Fatalf("width %d, %d numbers", width, n)
			}
			if width > 0 && width <= 8 && bits.OnesCount(uint(width)) == 1 {
				in, out := make([]byte, n), make([]byte, n)
				for i := range in {
					in[i] = byte(rnd.Uint32() & (1<<width - 1))
				}
				unpackBytes(packBytes(nil, in, width), width, out)
				if !bytes.Equal(in, out) {
					t.Fatalf("bytes of width %d, %d numbers", width, n)
				}
			}
		}
	}
}

// TestParallel: many goroutines read one segment, each block for the first time.
func TestParallel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(21, 2))
	docs := randomDocs(rnd, 500)
	data := build(t, docs, true)
	m := newModel(docs)
	r := open(t, data)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { readAll(r, m.words[:100]) })
	}
	wg.Wait()
	compare(t, r, m, true, true)
}

// MaxTF is the greatest TF of the block that BlockLast is of; 0 past the last block.
func (p *Postings) MaxTF() uint8 {
	var most uint8
	for _, x := range p.Impacts(nil) {
		most = max(most, x.MaxTF)
	}
	return most
}

// MinLen is the least length code of the block that BlockLast is of; 255 past the last block.
func (p *Postings) MinLen() uint8 {
	least := uint8(255)
	for _, x := range p.Impacts(nil) {
		least = min(least, x.MinLen)
	}
	return least
}
