package catalog

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/view/viewtest"
)

// shelf is a catalogue over a register to which records are added by hand.
type shelf struct {
	*Catalog
	t   *testing.T
	reg *viewtest.Register
	f   func()
}

func newShelf(t *testing.T) *shelf {
	reg := viewtest.New(t)
	c := open(t, reg, t.TempDir())
	f := follower(t, reg, c, 0)
	return &shelf{c, t, reg, func() { catch(t, f) }}
}

// add takes in a book.
func (s *shelf) add(title, author, lang string, relations ...record.Relation) int64 {
	r := record.Record{Title: title, Kind: record.Book, Languages: []string{lang}, Relations: relations}
	if author != "" {
		r.Creators = []record.Creator{{Name: author, Role: "aut"}}
	}
	return s.reg.Accession(r, nil, nil)
}

func (s *shelf) editions(n int64, want ...Edition) {
	s.t.Helper()
	s.f()
	got, err := s.Editions(s.t.Context(), n)
	if err != nil || !slices.Equal(got, want) {
		s.t.Errorf("editions of %d: %v, %v; want %v", n, got, err, want)
	}
}

func (s *shelf) works(want map[int64]int64) {
	s.t.Helper()
	s.f()
	var numbers []int64
	for n := range want {
		numbers = append(numbers, n)
	}
	got, err := s.Works(s.t.Context(), numbers)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		s.t.Errorf("works: %v, %v; want %v", got, err, want)
	}
}

func TestEditionsByTitleAndRelation(t *testing.T) {
	s := newShelf(t)
	hans := s.add("红楼梦", "曹雪芹", "zh-Hans")
	hant := s.add("紅樓夢", "曹雪芹", "zh-Hant")
	other := s.add("红楼梦辞典", "曹雪芹", "zh-Hans")
	laozi := s.add("老子", "老聃", "zh-Hans")
	legge := s.add("Tao Te Ching", "Laozi", "en-GB", record.Relation{Type: record.TranslationOf, Record: &laozi})
	again := s.add("Tao Te Ching: The Classic of the Way", "Laozi", "en")
	s.editions(hans, Edition{hant, ""})
	s.editions(hant, Edition{hans, ""})
	s.editions(other)
	s.editions(laozi, Edition{legge, record.HasTranslation}, Edition{again, ""})
	s.editions(legge, Edition{laozi, record.TranslationOf}, Edition{again, ""})
	s.editions(again, Edition{laozi, ""}, Edition{legge, ""})
	s.works(map[int64]int64{hans: hans, hant: hans, other: other, laozi: laozi, legge: laozi, again: laozi})
	s.works(map[int64]int64{again: legge}) // one step alone does not lead to laozi
	if got, err := s.Works(t.Context(), []int64{99, hant}); err != nil || len(got) != 1 || got[hant] != hans {
		t.Errorf("works: %v %v", got, err)
	}
}

func TestEditionsByIdentifierAndOriginalTitle(t *testing.T) {
	s := newShelf(t)
	doi := record.ID{Scheme: "doi", Value: "10.1000/ORIGINAL"}
	german := s.add("Stolz und Vorurteil", "Jane Austen", "de", record.Relation{Type: record.TranslationOf, ID: &doi})
	french := s.add("Orgueil et Préjugés", "Jane Austen", "fr", record.Relation{Type: record.TranslationOf, ID: &record.ID{Scheme: "doi", Value: "https://doi.org/10.1000/original"}})
	s.editions(german, Edition{french, record.EditionOf}) // the original is not here, and still joins them
	original := s.reg.Accession(record.Record{Title: "Pride and Prejudice", Kind: record.Book, Languages: []string{"en"},
		Creators: []record.Creator{{Name: "Jane Austen"}}, IDs: []record.ID{doi}}, nil, nil)
	titled := s.add("Orgullo y prejuicio", "Austen, Jane, 1775-1817", "es", record.Relation{Type: record.TranslationOf, Title: "Pride and prejudice / by Jane Austen"})
	local := s.add("Nothing", "Nobody", "en", record.Relation{Type: record.EditionOf, ID: &record.ID{Scheme: "local", Value: "1"}})
	s.reg.Accession(record.Record{Title: "Something", IDs: []record.ID{{Scheme: "local", Value: "1"}}}, nil, nil)
	s.editions(original, Edition{german, record.HasTranslation}, Edition{french, record.HasTranslation}, Edition{titled, ""})
	s.editions(german, Edition{original, record.TranslationOf}, Edition{french, record.EditionOf}, Edition{titled, ""})
	s.editions(local)
	s.works(map[int64]int64{german: german, french: german, original: german, titled: german, local: local})
}

func TestEditionsOfAChainAndACircle(t *testing.T) {
	s := newShelf(t)
	var chain []int64
	for i := range 6 {
		var rel []record.Relation
		if i > 0 {
			rel = append(rel, record.Relation{Type: record.EditionOf, Record: &chain[i-1]})
		}
		chain = append(chain, s.add(fmt.Sprintf("Chain number %c", 'a'+i), "A. Smith", "en", rel...))
	}
	s.editions(chain[0], Edition{chain[1], record.EditionOf}, Edition{chain[2], record.EditionOf}, Edition{chain[3], record.EditionOf})

	next := s.reg.Size() + 1
	a := s.add("Circle", "B", "en", record.Relation{Type: record.TranslationOf, Record: &next})
	b := s.add("Kreis", "C", "de", record.Relation{Type: record.TranslationOf, Record: &a}, record.Relation{Type: record.EditionOf, Record: &next})
	if b != next {
		t.Fatal("the circle is open")
	}
	s.editions(a, Edition{b, record.TranslationOf})
	s.editions(b, Edition{a, record.TranslationOf})
	s.works(map[int64]int64{a: a, b: a})
}

func TestMergedRecordsSpeakForTheirTarget(t *testing.T) {
	s := newShelf(t)
	ctx := t.Context()
	original := s.add("Der Prozess", "Franz Kafka", "de")
	a := s.add("The Trial", "F. Kafka", "en", record.Relation{Type: record.TranslationOf, Record: &original})
	b := s.add("Trial, The", "Kafka", "en")
	c := s.add("Trial", "Kafka F", "en")
	first := s.reg.Append(record.Entry{Type: record.TypeMerge, From: &a, Into: &b})
	s.reg.Append(record.Entry{Type: record.TypeMerge, From: &b, Into: &c})
	s.editions(c, Edition{original, record.TranslationOf})
	s.editions(a, Edition{original, record.TranslationOf}) // as of c
	s.editions(original, Edition{c, record.HasTranslation})
	s.works(map[int64]int64{original: original, a: original, b: original, c: original})
	merged := func(n int64, want ...int64) {
		t.Helper()
		if got, err := s.Merged(ctx, n); err != nil || !slices.Equal(got, want) {
			t.Errorf("merged into %d: %v %v, want %v", n, got, err, want)
		}
	}
	merged(c, b, a)
	merged(b, a)
	merged(a)
	if got, err := s.Target(ctx, a); got != c || err != nil {
		t.Errorf("a leads to %d %v", got, err)
	}
	if got, err := s.MergesOf(ctx, a); err != nil || !slices.Equal(got, []int64{first}) {
		t.Errorf("merges of a: %v %v", got, err)
	}
	s.reg.Append(record.Entry{Type: record.TypeUnmerge, Of: &first})
	s.editions(original, Edition{a, record.HasTranslation}, Edition{c, ""})
	merged(c, b)
	if got, err := s.MergesOf(ctx, a); err != nil || len(got) != 0 {
		t.Errorf("merges of a, unmerged: %v %v", got, err)
	}
	// a register that says what the program refuses to say: a circle
	s.reg.Append(record.Entry{Type: record.TypeMerge, From: &c, Into: &b})
	s.f()
	if got, err := s.Target(ctx, b); (got != b && got != c) || err != nil {
		t.Errorf("round and round: %d %v", got, err)
	}
	merged(c, b)
	if _, err := s.Editions(ctx, b); err != nil {
		t.Error(err)
	}
	if _, err := s.Target(ctx, 9999); !errs.Is(err, errs.NotFound) {
		t.Errorf("the target of no record: %v", err)
	}
}

func TestByCreatorID(t *testing.T) {
	s := newShelf(t)
	var want []int64
	for i := range 7 {
		id := record.ID{Scheme: "orcid", Value: "https://orcid.org/0000-0002-1825-0097"}
		if i == 3 {
			id = record.ID{Scheme: "isni", Value: "0000 0002 1825 0097"}
		}
		n := s.reg.Accession(record.Record{Title: fmt.Sprint("Paper ", i), Kind: record.Article, Creators: []record.Creator{{Name: "Someone"}, {Name: "Josiah Carberry", IDs: []record.ID{id}}}}, nil, nil)
		if i != 3 {
			want = append(want, n)
		}
	}
	s.reg.Append(record.Entry{Type: record.TypeMerge, From: &want[1], Into: &want[0]})
	want = slices.Delete(want, 1, 2)
	s.f()
	var got []int64
	for after := int64(0); ; {
		page, err := s.ByCreatorID(t.Context(), "ORCID", "0000-0002-1825-0097", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, page...)
		if len(page) < 2 {
			break
		}
		after = page[1]
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if none, err := s.ByCreatorID(t.Context(), "orcid", "0000-0002-1825-0098", 0, 2); err != nil || none != nil {
		t.Errorf("a wrong check digit: %v %v", none, err)
	}
}

// TestWorksOfOneHubAgree asks for records of one title that are not among the lowest
// that are looked at.
func TestWorksOfOneHubAgree(t *testing.T) {
	s := newShelf(t)
	want := map[int64]int64{}
	first := int64(0)
	for i := range 40 {
		n := s.add("Collected Letters", "A. Writer", "en")
		if i == 0 {
			first = n
		}
		if i >= 20 {
			want[n] = first
		}
	}
	s.works(want)
}

// TestHostileWork is a title that very many records have, and an identifier that
// all of them name: what is answered is bounded, and takes no time that matters.
func TestHostileWork(t *testing.T) {
	s := newShelf(t)
	id := record.ID{Scheme: "oclc", Value: "1"}
	const many = 20_000
	entries := make([]record.Entry, 0, 1000)
	var first int64
	for i := range many {
		r := record.Record{Title: "Works", Kind: record.Book, Languages: []string{"en"}, Creators: []record.Creator{{Name: "Anonymous Author"}},
			IDs: []record.ID{{Scheme: "x", Value: fmt.Sprint(i)}, {Scheme: "y", Value: "same"}}, Relations: []record.Relation{{Type: record.EditionOf, ID: &id}}}
		entries = append(entries, record.Entry{Type: record.TypeAccession, Record: &r})
		if len(entries) == cap(entries) {
			n := s.reg.Append(entries...)
			if first == 0 {
				first = n
			}
			entries = entries[:0]
		}
	}
	s.f()
	last := first + many - 1
	began := time.Now()
	got, err := s.Editions(t.Context(), last)
	if err != nil || len(got) != maxEditions || got[0] != (Edition{first, record.EditionOf}) {
		t.Errorf("%d editions, %v", len(got), err)
	}
	t.Logf("editions: %v", time.Since(began))
	numbers := make([]int64, 200)
	for i := range numbers {
		numbers[i] = last - 100*int64(i)
	}
	began = time.Now()
	works, err := s.Works(t.Context(), numbers)
	if err != nil || len(works) != len(numbers) {
		t.Fatalf("%d works, %v", len(works), err)
	}
	for n, w := range works {
		if w != first {
			t.Fatalf("the work of %d is %d", n, w)
		}
	}
	t.Logf("works: %v", time.Since(began))
}
