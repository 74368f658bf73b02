package exec

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"weak"

	"pgregory.net/rapid"

	"wenlan/internal/errs"
	"wenlan/internal/index/query"
	"wenlan/internal/index/segment"
)

// titles makes a library of titles, two segments, records from 1 on.
func titles(t testing.TB, lines ...string) *library {
	var parts [][]*segment.Doc
	for i, line := range lines {
		if i%2 == 0 && len(parts) < 2 {
			parts = append(parts, nil)
		}
		d := &segment.Doc{Record: int64(i + 1), TitleKey: []byte(line)}
		d.Tokens[segment.Title] = strings.Fields(line)
		d.Creators = []string{"Author " + line[:1], "Other"}
		d.Tokens[segment.Creators] = []string{"author", line[:1]}
		parts[len(parts)-1] = append(parts[len(parts)-1], d)
	}
	return makeLibrary(t, parts, nil, true)
}

func words(s string) query.Node {
	a := &query.And{}
	for w := range strings.FieldsSeq(s) {
		a.Of = append(a.Of, &query.Term{Text: w, Fields: text})
	}
	return a
}

func ask(t testing.TB, l *library, n query.Node) *Answer {
	t.Helper()
	a, err := Run(context.Background(), l.segments, &Request{Query: &query.Query{Root: n}, Limit: 100}, Budget{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func records(a *Answer) (out []int64) {
	for _, h := range a.Hits {
		out = append(out, h.Record)
	}
	return out
}

func TestForgiveness(t *testing.T) {
	l := titles(t, "dream of the red chamber", "the red house", "history of architecture", "history and memory",
		"story of architects", "红楼 楼梦", "architectural drawing", "lisp programming", "list of lists", "list of kings", "list of ships", "list of towns", "the list", "list price")
	for _, c := range []struct {
		query   string
		want    []int64 // all hits, in any order
		partial bool
		from    string
		to      string
		applied bool
	}{
		{query: "red chamber", want: []int64{1}},
		{query: "chmaber", want: []int64{1}, from: "chmaber", to: "chamber", applied: true}, // a transposition
		{query: "chambr", want: []int64{1}, from: "chambr", to: "chamber", applied: true},   // a letter missing
		{query: "architecure", want: []int64{3}, from: "architecure", to: "architecture", applied: true},
		{query: "archetectire", want: []int64{3}, from: "archetectire", to: "architecture", applied: true}, // two edits
		{query: "memory xistory", want: []int64{4}, from: "xistory", to: "history", applied: true},
		{query: "rde", want: nil}, // too short
		{query: "红梦", want: nil},
		{query: "red kings", want: []int64{1, 2, 10}, partial: true},
		{query: "lisp kings", want: []int64{10}, from: "lisp", to: "list", applied: true}, // lisp is there, but not with kings
		{query: "lisp", want: []int64{8, 9, 10, 11, 12, 13, 14}, from: "lisp", to: "list"},
	} {
		a := ask(t, l, words(c.query))
		got := records(a)
		slices.Sort(got)
		if !slices.Equal(got, c.want) || a.Partial != c.partial || a.Total != int64(len(c.want)) {
			t.Errorf("%s: %v partial %v total %d, want %v", c.query, got, a.Partial, a.Total, c.want)
		}
		if c.from == "" && len(a.Corrections) > 0 || c.from != "" && (len(a.Corrections) != 1 || a.Corrections[0].From != c.from || a.Corrections[0].To != c.to || a.Corrections[0].Applied != c.applied) {
			t.Errorf("%s: corrections %+v", c.query, a.Corrections)
		}
	}
	if a := ask(t, l, words("lisp")); a.Hits[0].Record != 8 {
		t.Errorf("what was typed does not come first: %v", records(a))
	}
	// More words first, when they are as rare.
	a := ask(t, l, words("history architecture kings the"))
	if !a.Partial || a.Hits[0].Record != 3 {
		t.Errorf("partial: %v", records(a))
	}
	// But one rare word says more than two that many have.
	a = ask(t, titles(t, "the way of all", "the house of one", "the life of pi", "zebra crossing", "the end of it", "the art of war"), words("the of zebra nothing"))
	if !a.Partial || a.Hits[0].Record != 4 || len(a.Hits) != 6 {
		t.Errorf("a rare word: %v", records(a))
	}
	strict, err := Run(context.Background(), l.segments, &Request{Query: &query.Query{Root: words("chmaber")}, Limit: 10, Strict: true}, Budget{})
	if err != nil || len(strict.Hits) > 0 {
		t.Errorf("strict: %v %v", records(strict), err)
	}
	// A loose phrase of which a part is missing.
	a = ask(t, l, &query.Phrase{Tokens: []string{"红楼", "楼梦", "梦境"}, Fields: text, Loose: true})
	if !a.Partial || !slices.Equal(records(a), []int64{6}) {
		t.Errorf("loose: %v", records(a))
	}
	// Nobody excludes what is only like it.
	a = ask(t, l, &query.And{Of: []query.Node{&query.Term{Text: "history", Fields: text}, &query.Not{Of: &query.Term{Text: "memoru", Fields: text}}}})
	if len(a.Hits) != 2 || len(a.Corrections) != 0 {
		t.Errorf("not: %v", records(a))
	}
}

// TestWidened sees that totals are of what the corrections say, or not exact.
func TestWidened(t *testing.T) {
	l := titles(t, "sanding floors", "timeliest news", "sanding timelest", "standing timelest", "nothing else")
	a := ask(t, l, words("sanding timeliest"))
	if !slices.Equal(records(a), []int64{3}) || a.Total != 1 || !a.Exact || len(a.Corrections) != 1 || a.Corrections[0].From != "timeliest" {
		t.Errorf("%v of %d (%v), %+v", records(a), a.Total, a.Exact, a.Corrections)
	}
	l = titles(t, "distributed lists", "perone distributed", "parone distributed")
	if a := ask(t, l, words("dstributed perone")); a.Total == 2 && a.Exact {
		t.Errorf("%v of %d (%v), %+v", records(a), a.Total, a.Exact, a.Corrections)
	}
	var lines []string
	for i := range maxNear + 5 {
		lines = append(lines, "architec"+string(rune(0x3b1+i)))
	}
	if a := ask(t, titles(t, lines...), words("architecx")); a.Total != maxNear || a.Exact {
		t.Errorf("many near words: %d (%v)", a.Total, a.Exact)
	}
}

// TestRange holds a prefix of many words to the oracle, however they are read: in one
// list, one by one with a list of the rare ones, or, then it must say so, without those.
// Beside another word it is exact.
func TestRange(t *testing.T) {
	defer func(n int64) { maxList = n }(maxList)
	var lines []string
	r := rand.New(rand.NewPCG(3, 3))
	for i := range 300 {
		line := fmt.Sprintf("rare%d w%03d", i%100, r.IntN(600)*r.IntN(600)/600)
		for r.IntN(3) > 0 {
			line += fmt.Sprintf(" w%03d", r.IntN(600))
		}
		lines = append(lines, line)
	}
	lines = append(lines, "leucotriene w", "w and more")
	for _, list := range []int64{1 << 20, 400, 20} {
		maxList = list
		l := titles(t, lines...)
		for i := range 12 {
			root := &query.And{Of: []query.Node{&query.Term{Text: "w", Fields: text, Prefix: true}}}
			switch i {
			case 0:
			case 1:
				root.Of = append(root.Of, &query.Term{Text: "leucotriene", Fields: text})
			default:
				root.Of = append(root.Of, &query.Term{Text: fmt.Sprintf("rare%d", i), Fields: text})
			}
			want := l.answer(root, Filters{}, Relevance)
			a, err := Run(context.Background(), l.segments, &Request{Query: &query.Query{Root: root}, Limit: 10, Strict: true, TotalUpTo: -1}, Budget{})
			if err != nil {
				t.Fatal(err)
			}
			if alone := len(root.Of) == 1; a.Exact == (alone && list == 20) {
				t.Errorf("%s, lists of %d: exact %v", show(root), list, a.Exact)
			}
			if !a.Exact {
				continue
			}
			if a.Total != int64(len(want)) {
				t.Errorf("%s: total %d, want %d", show(root), a.Total, len(want))
			}
			if err := check(want, a, Relevance, 0, 10); err != nil {
				t.Errorf("%s: %v", show(root), err)
			}
		}
	}
}

// forget makes the ranges that are kept those of a program that was just started.
func forget() {
	ranges.mu.Lock()
	defer ranges.mu.Unlock()
	clear(ranges.entries)
	ranges.used.Init()
	ranges.size = 0
}

// TestLongRange asks for long prefixes beside other words, once and again, with lists of
// any length: the answers are those of one list of everything.
func TestLongRange(t *testing.T) {
	defer func(list, read int64) { maxList, maxRead = list, read }(maxList, maxRead)
	c := small()
	title := segment.Title.Bit()
	for _, fields := range []uint8{title, title | segment.Abstract.Bit(), text} {
		for i := range 60 {
			and := &query.And{Of: []query.Node{
				&query.Term{Text: c.en[i*i], Fields: text},
				&query.Term{Text: c.en[i][:1+i%2], Fields: fields, Prefix: true},
			}}
			if i%4 == 3 {
				and.Of = append(and.Of, &query.Term{Text: c.en[i/2], Fields: text})
			}
			if i%6 == 5 {
				and.Of = append(and.Of, &query.Term{Text: c.en[i/3][:1], Fields: fields, Prefix: true})
			}
			if i%5 == 4 { // as what is being typed
				and.Of[1] = &query.Or{Of: []query.Node{words(c.en[i+1]), and.Of[1]}, Alternatives: true}
			}
			req := &Request{Query: &query.Query{Root: and}, Limit: 30, Strict: true, TotalUpTo: -1}
			var want *Answer
			for _, most := range [][2]int64{{1 << 40, 1 << 40}, {1 << 20, 1 << 23}, {20_000, 1 << 23}, {5000, 1 << 23}, {5000, 50_000}, {20, 50_000}} {
				maxList, maxRead = most[0], most[1]
				forget()
				for range 3 {
					a, err := Run(context.Background(), c.segments, req, Budget{})
					if err != nil {
						t.Fatal(err)
					}
					if want == nil {
						want = a
					}
					if !a.Exact || a.Total != want.Total || !slices.Equal(a.Hits, want.Hits) {
						t.Fatalf("%s, lists of %d: total %d (%v), want %d; hits %v, want %v", show(and), most, a.Total, a.Exact, want.Total, a.Hits, want.Hits)
					}
				}
			}
		}
	}
}

// TestNarrow holds what is found among some documents to the list of all.
func TestNarrow(t *testing.T) {
	defer func(n uint32) { maxSieve = n }(maxSieve)
	c := small()
	x := runs.Get().(*run)
	defer x.release()
	x.begin(context.Background(), c.segments, &Request{}, Budget{})
	r := rand.New(rand.NewPCG(8, 8))
	for _, size := range []uint32{1 << 22, 1 << 10} { // the second takes documents for others
		maxSieve = size
		for i := range 40 {
			v := c.segments[i%len(c.segments)]
			fields := []uint8{segment.Title.Bit(), text, 0xff}[i%3]
			w := x.collectWords(v.Reader, c.en[i][:1+i%2])
			all := x.collectList(v.Reader, w, nil, fields)
			among := []uint32{}
			for d := range uint32(v.Docs()) {
				if r.IntN([]int{1, 3, 100, 5000}[i%4]) == 0 {
					among = append(among, d)
				}
			}
			got := x.narrow(v.Reader, w, fields, among)
			weights := func(g *ranged) (out []float32) { // of all, 0 where a document is not in it
				out = make([]float32, v.Docs())
				for k, d := range g.docs {
					out[d] = x.scale.weigh(g.masks[k], g.tfs[k])
				}
				return out
			}
			want, have := make([]float32, v.Docs()), weights(got)
			for d, weight := range weights(all) {
				if _, ok := slices.BinarySearch(among, uint32(d)); ok {
					want[d] = weight
				}
			}
			if !got.whole || !slices.IsSorted(got.docs) || !slices.Equal(have, want) {
				t.Fatalf("%d of %d documents among %d: not those of the list", len(got.docs), v.Docs(), len(among))
			}
			for _, b := range x.sieve {
				if b != 0 {
					t.Fatal("something was left behind")
				}
			}
		}
	}
}

func TestRangeCache(t *testing.T) {
	l := titles(t, "a b", "b c", "c d")
	c := rangeCache{limit: 20_000, entries: map[rangeKey]*list.Element{}}
	r := rand.New(rand.NewPCG(4, 4))
	for i := range 200 {
		k := rangeKey{of: weak.Make(l.segments[i%2].Reader), text: fmt.Sprint(i)}
		c.put(k, &ranged{docs: make([]uint32, r.IntN(1500))})
		c.put(k, &ranged{docs: make([]uint32, 1)})
		sum := 0
		for e := c.used.Front(); e != nil; e = e.Next() {
			sum += e.Value.(*rangeEntry).g.size()
		}
		if sum != c.size || sum > c.limit || c.used.Len() != len(c.entries) {
			t.Fatalf("%d bytes, counted %d, of %d; %d and %d entries", sum, c.size, c.limit, c.used.Len(), len(c.entries))
		}
	}
	if c.used.Len() < 3 {
		t.Errorf("%d entries", c.used.Len())
	}
	for _, n := range []int{0, 1, 511, 512, 5000} {
		keys := make([]uint64, n)
		for i := range keys {
			keys[i] = uint64(r.IntN(3_000_000))<<16 | uint64(r.IntN(1<<16))
		}
		want := map[uint64]int{}
		for _, k := range keys {
			want[k]++
		}
		got, _ := sortKeys(keys, nil, 3_000_000)
		for i, k := range got {
			want[k]--
			if want[k] < 0 || i > 0 && got[i-1]>>16 > k>>16 {
				t.Fatalf("%d keys: not sorted at %d", n, i)
			}
		}
	}
}

// TestTypos holds the expansion to a plain edit distance.
func TestTypos(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		letters := rapid.StringOfN(rapid.SampledFrom([]rune("abcé")), 4, 10, -1)
		vocab := rapid.SliceOfNDistinct(letters, 1, 30, rapid.ID[string]).Draw(rt, "vocabulary")
		l := titles(t, vocab...)
		typed := letters.Draw(rt, "typed")
		if slices.Contains(vocab, typed) {
			return
		}
		try := func(max int, first bool) (out []int64) {
			for i, w := range vocab {
				if (!first || []rune(w)[0] == []rune(typed)[0]) && distance(w, typed) <= max {
					out = append(out, int64(i+1))
				}
			}
			return out
		}
		want := try(1, true)
		if want == nil && len([]rune(typed)) >= 8 {
			want = try(2, true)
		}
		if want == nil {
			want = try(1, false)
		}
		got := records(ask(t, l, words(typed)))
		slices.Sort(got)
		if !slices.Equal(got, want) {
			rt.Fatalf("%q in %q: %v, want %v", typed, vocab, got, want)
		}
	})
}

// distance is the least number of letters to replace, add, take away or swap with the next.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	d := make([][]int, len(x)+1)
	for i := range d {
		d[i] = make([]int, len(y)+1)
		for j := range d[i] {
			switch {
			case i == 0:
				d[i][j] = j
			case j == 0:
				d[i][j] = i
			default:
				cost := 1
				if x[i-1] == y[j-1] {
					cost = 0
				}
				d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
				if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
					d[i][j] = min(d[i][j], d[i-2][j-2]+1)
				}
			}
		}
	}
	return d[len(x)][len(y)]
}

func TestComplete(t *testing.T) {
	l := titles(t, "dream of the red chamber", "the red house", "red dreams", "dreaming", "house of dreams", "Zebra book")
	got, err := Complete(context.Background(), l.segments, Typed{Tokens: []string{"red", "dr"}, Key: []byte("red dr")}, Budget{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Titles) != 2 || got.Titles[0].Record != 3 || got.Titles[1].Record != 1 {
		t.Errorf("titles: %+v", got.Titles)
	}
	got, err = Complete(context.Background(), l.segments, Typed{Tokens: []string{"auth"}, Limit: 3, Match: func(f segment.Facet, v string) bool { return f == segment.Creator && strings.HasPrefix(v, "Auth") }}, Budget{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []FacetCount{{"Author d", 2}, {"Author Z", 1}, {"Author h", 1}}; !slices.Equal(got.Creators, want) {
		t.Errorf("creators: %v", got.Creators)
	}
	for _, tokens := range [][]string{nil, {""}, {"x", ""}, slices.Repeat([]string{"red"}, 1000)} {
		if _, err := Complete(context.Background(), l.segments, Typed{Tokens: tokens}, Budget{}); err != nil {
			t.Error(err)
		}
	}
}

func TestKeys(t *testing.T) {
	for _, bad := range []string{"", "x", "AQ", "!!!!", strings.Repeat("A", 5000), (Key{Sort: Newest, Year: 3}).String() + "A", Key{Score: 1}.String() + "\n", Key{Sort: 9}.String()} {
		if _, err := ParseKey(bad); !errs.Is(err, errs.Invalid) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	l := titles(t, "a b", "b c")
	if _, err := Run(context.Background(), l.segments, &Request{Sort: Newest, After: &Key{}}, Budget{}); !errs.Is(err, errs.Invalid) {
		t.Errorf("a key of another order: %v", err)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(Key{Score: 12.5, Record: 77, Part: 3}.String())
	f.Add(Key{Sort: Title, Title: "红楼", Record: 1}.String())
	f.Add(Key{Sort: Oldest, Year: -300, Record: -1}.String())
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKey(text)
		if err != nil {
			if !errs.Is(err, errs.Invalid) {
				t.Fatal(err)
			}
			return
		}
		if k.String() != text {
			t.Fatalf("%q is also %q", text, k.String())
		}
	})
}

var small = sync.OnceValue(func() *corpus { return generate(30_000, 10_000) })

// hostile are queries that cost as much as they can.
func hostile(c *corpus) map[string]*Request {
	term := func(w string) *query.Term { return &query.Term{Text: w, Fields: 0xff} }
	many := func(n int, prefix bool) (of []query.Node) {
		for i := range n {
			w := term(c.en[i])
			if w.Prefix = prefix; prefix {
				w.Text = w.Text[:1]
			}
			of = append(of, w)
		}
		return of
	}
	deep := query.Node(term(c.en[0]))
	for range 5000 {
		deep = &query.And{Of: []query.Node{deep, &query.Or{Of: []query.Node{term(c.en[1]), &query.Not{Of: term(c.en[2])}}}}}
	}
	all := []segment.Facet{segment.Language, segment.Kind, segment.Subject, segment.Creator, segment.Access, segment.Facet(77)}
	out := map[string]*Request{
		"prefix":    {Query: &query.Query{Root: &query.Term{Text: "a", Fields: 0xff, Prefix: true}}},
		"empty":     {Query: &query.Query{Root: &query.Term{Prefix: true, Fields: 0xff}}},
		"any":       {Query: &query.Query{Root: &query.Or{Of: many(1000, false)}}},
		"every":     {Query: &query.Query{Root: &query.And{Of: many(1000, false)}}},
		"prefixes":  {Query: &query.Query{Root: &query.And{Of: many(1000, true)}}},
		"or prefix": {Query: &query.Query{Root: &query.Or{Of: many(300, true)}}},
		"common":    {Query: &query.Query{Root: term(c.en[0])}},
		"deep":      {Query: &query.Query{Root: deep}},
		"nothing":   {Query: &query.Query{Root: &query.And{}}},
		"nils":      {Query: &query.Query{Root: &query.And{Of: []query.Node{(*query.Term)(nil), &query.Or{}, &query.Or{Alternatives: true}, &query.Phrase{}, nil}}}},
		"page":      {Limit: 1 << 40, Offset: 1 << 40, Query: &query.Query{Root: term(c.en[0])}},
		"negative":  {Limit: -5, Offset: -7, MaxFacet: -1, TotalUpTo: -9},
		"phrase":    {Query: &query.Query{Root: &query.Phrase{Tokens: slices.Repeat([]string{c.en[0], c.en[1]}, 500), Fields: 0xff, Prefix: true}}},
		"typos":     {Query: &query.Query{Root: words(strings.Repeat("abcdefgh ijklmnop qrstuvwx ", 100))}},
	}
	for _, name := range []string{"prefix", "any", "common", "negative"} {
		r := *out[name]
		r.Facets, r.Years, r.TotalUpTo, r.MaxFacet = all, true, -1, 1<<30
		out[name+" facets"] = &r
		s := r
		s.Sort = Title
		out[name+" by title"] = &s
	}
	return out
}

func TestHostile(t *testing.T) {
	c := small()
	for name, req := range hostile(c) {
		if req.Limit == 0 {
			req.Limit = 20
		}
		for _, b := range []Budget{{}, {Work: 1}, {Work: 5000}, {Work: 50_000}, {Deadline: time.Now().Add(-time.Second)}} {
			a, err := Run(context.Background(), c.segments, req, b)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if len(a.Hits) > MaxLimit {
				t.Errorf("%s: %d hits", name, len(a.Hits))
			}
			if a.Cut && a.Exact {
				t.Errorf("%s %+v: cut and exact", name, b)
			}
			if a.Total < int64(len(a.Hits)) {
				t.Errorf("%s %+v: total %d of %d hits", name, b, a.Total, len(a.Hits))
			}
			if b.Work > 0 && a.Work > b.Work+3*checkWork {
				t.Errorf("%s: work %d of %d", name, a.Work, b.Work)
			}
		}
	}
}

func TestDeadline(t *testing.T) {
	c := small()
	for name, req := range hostile(c) {
		start := time.Now()
		if _, err := Run(context.Background(), c.segments, req, Budget{Deadline: start.Add(5 * time.Millisecond)}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d > 30*time.Second { // the machine may be busy, and the race detector slow
			t.Errorf("%s: %v", name, d)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, c.segments, &Request{}, Budget{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestCrowd runs a hundred hostile queries at once, behind a gate: memory stays bounded,
// and ordinary queries are answered meanwhile.
func TestCrowd(t *testing.T) {
	c := small()
	gate := NewGate(1)
	var reqs []*Request
	for _, r := range hostile(c) {
		reqs = append(reqs, r)
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := Run(context.Background(), c.segments, reqs[i%len(reqs)], Budget{Deadline: time.Now().Add(50 * time.Millisecond), Work: 10_000_000, Gate: gate}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	r := rand.New(rand.NewPCG(1, 1))
	var took []time.Duration
	for range 60 {
		req := c.class("and2", r)
		start := time.Now()
		if _, err := Run(context.Background(), c.segments, req, Budget{Gate: gate, Deadline: start.Add(300 * time.Millisecond)}); err != nil {
			t.Error(err)
		}
		took = append(took, time.Since(start))
	}
	runtime.ReadMemStats(&after)
	close(done)
	wg.Wait()
	slices.Sort(took)
	t.Logf("ordinary queries: median %v, last %v; heap %d MiB more", took[30], took[59], (int64(after.HeapInuse)-int64(before.HeapInuse))>>20)
	if more := int64(after.HeapInuse) - int64(before.HeapInuse); more > 400<<20 {
		t.Errorf("%d MiB of memory", more>>20)
	}
}

// TestCorpus compares what is skipped with what is not, on lists long enough for blocks,
// windows and priming.
func TestCorpus(t *testing.T) {
	c := small()
	r := rand.New(rand.NewPCG(5, 5))
	for _, name := range classes {
		for range 15 {
			req := c.class(name, r)
			if req.Sort != Relevance || len(req.Facets) > 0 {
				continue
			}
			all := *req
			all.TotalUpTo = -1
			req.TotalUpTo = 1
			if _, err := Run(context.Background(), c.segments, req, Budget{}); err != nil { // collects ranges
				t.Fatal(err)
			}
			got, err := Run(context.Background(), c.segments, req, Budget{})
			if err != nil {
				t.Fatal(err)
			}
			want, err := Run(context.Background(), c.segments, &all, Budget{})
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(got.Hits) != fmt.Sprint(want.Hits) {
				t.Fatalf("%s %s:\n%v\n%v", name, show(req.Query.Root), got.Hits, want.Hits)
			}
			if got.Exact && got.Total != want.Total || got.Total > 0 && want.Total > 3000 && (got.Total > 2*want.Total || 2*got.Total < want.Total) {
				t.Errorf("%s %s: total %d (%v), want %d", name, show(req.Query.Root), got.Total, got.Exact, want.Total)
			}
			if got.Work > want.Work+5000 {
				t.Errorf("%s %s: skipping costs %d, not skipping %d", name, show(req.Query.Root), got.Work, want.Work)
			}
		}
	}
}
