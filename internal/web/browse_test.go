package web

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"testing"

	"wenlan/internal/index"
	"wenlan/internal/record"

	"golang.org/x/net/html"
)

// browsed is a library to browse.
func browsed(t testing.TB) *library {
	l := newLibrary(t)
	erdos := record.ID{Scheme: "orcid", Value: "0000-0002-1825-0097"}
	add := func(title, issued, lang string, kind record.Kind, c record.Creator, subjects ...record.Subject) {
		l.add(record.Record{Title: title, Issued: issued, Languages: []string{lang}, Kind: kind, Creators: []record.Creator{c}, Subjects: subjects}, nil)
	}
	austen := record.Creator{Name: "Jane Austen", AltNames: []string{"Austen, Jane", "简·奥斯汀"}}
	add("Emma", "1815", "en", record.Book, austen, record.Subject{Label: "English literature"}, record.Subject{Scheme: "ddc", Code: "823.7", Label: "Regency novels"})
	add("Persuasion", "1817", "en", record.Book, austen, record.Subject{Label: "English literature"}, record.Subject{Scheme: "ddc", Code: "823/.7", Label: "Regency novels"})
	add("Emma, traduit", "1997", "fr", record.Report, austen, record.Subject{Scheme: "ddc", Code: "843"})
	add("On graphs", "1959", "en", record.Article, record.Creator{Name: "Paul Erdős", AltNames: []string{"Erdős, Paul"}, IDs: []record.ID{erdos}}, record.Subject{Scheme: "clc", Code: "O157.5"})
	add("On numbers", "1960", "en", record.Article, record.Creator{Name: "P. Erdös", IDs: []record.ID{erdos}}, record.Subject{Label: "<Numbers> & more"})
	add("On graphs again", "1961", "en", record.Article, record.Creator{Name: "Paul Erdős", IDs: []record.ID{erdos}})
	add("狂人日记", "1918", "zh", record.Book, record.Creator{Name: "鲁迅"}, record.Subject{Scheme: "clc", Code: "I210.6"})
	return l
}

// linked are the texts of links, with their addresses.
func linked(t testing.TB, root *html.Node, selector string) string {
	var out []string
	for _, a := range all(t, root, selector) {
		out = append(out, text(a)+"="+attr(a, "href"))
	}
	return strings.Join(out, " ")
}

func TestBrowseLists(t *testing.T) {
	l := browsed(t)
	root := l.page("/browse/authors", 200)
	if got := linked(t, root, "section[aria-labelledby=list] .tally a"); got != "Austen, Jane=/authors?name=Jane+Austen Erdös, P.=/authors?name=P.+Erd%C3%B6s Erdős, Paul=/authors?name=Paul+Erd%C5%91s 鲁迅=/authors?name=%E9%B2%81%E8%BF%85" {
		t.Errorf("authors: %s", got)
	}
	if got := linked(t, root, ".initials a"); got != "A=/browse/authors?from=a E=/browse/authors?from=e L=/browse/authors?from=l" {
		t.Errorf("initials: %s", got)
	}
	holds(t, linked(t, root, "section[aria-labelledby=most] a"), "Jane Austen=/authors?name=Jane+Austen")
	root = l.page("/browse/authors?from=%E9%B2%81", 200)
	if got := text(one(t, root, "section[aria-labelledby=list] .tally")); got != "鲁迅 1" {
		t.Errorf("from 鲁: %s", got)
	}
	one(t, root, `meta[name=robots][content=noindex]`)
	root = l.page("/browse/subjects", 200)
	holds(t, text(one(t, root, "section[aria-labelledby=list] .tally")), "English literature 2", "<Numbers> & more 1")
	holds(t, text(one(t, l.page("/browse/languages", 200, "Accept-Language", "zh"), ".tally")), "英语 5", "中文 1")
	holds(t, text(one(t, l.page("/browse/kinds", 200), ".tally")), "Book 3", "Article 3")
	root = l.page("/browse/years", 200)
	if got := linked(t, root, ".century h2 a"); got != "1900 to 1999=/search?year=1900-1999 1800 to 1899=/search?year=1800-1899" {
		t.Errorf("centuries: %s", got)
	}
	holds(t, linked(t, root, ".century .tally a"), "1950s=/search?year=1950-1959", "1810s=/search?year=1810-1819")
	holds(t, text(one(t, l.page("/browse", 200), "main")), "English literature 2", "Jane Austen 3", "800 Literature 3", "I Literature 1", "French 1", "Emma")
	l.page("/browse/authors?after=!", 400)
	l.page("/browse/authors?after="+strings.Repeat("a", 600), 400)
}

// TestYearsBeforeOurEra: they are on the list, after the others, in words, and found.
func TestYearsBeforeOurEra(t *testing.T) {
	l := newLibrary(t)
	for title, issued := range map[string]string{"Elements": "-0300", "Laws": "-0347~", "Analects": "-0479", "Ars amatoria": "-0001", "Res gestae": "0014"} {
		l.add(record.Record{Title: title, Kind: record.Book, Issued: issued}, nil)
	}
	root := l.page("/browse/years", 200)
	if got := linked(t, root, ".century h2 a"); got != "1 to 99=/search?year=1-99 100–1 BC=/search?year=-100..-1 400–301 BC=/search?year=-400..-301 500–401 BC=/search?year=-500..-401" {
		t.Errorf("centuries: %s", got)
	}
	holds(t, linked(t, root, ".century .tally a"), "310–301 BC=/search?year=-310..-301", "350–341 BC=/search?year=-350..-341")
	holds(t, text(one(t, l.page("/browse/years", 200, "Accept-Language", "zh"), "main")), "公元前 400–301 年 2")
	root = l.page("/search?year=-400..-301", 200)
	holds(t, text(one(t, root, ".hits")), "Elements", "301 BC", "Laws")
	holds(t, text(one(t, root, "#found")), "2 results")
	holds(t, text(one(t, root, ".chips")), "400–301 BC")
	one(t, root, "input[name=from][value='-400']")
	holds(t, linked(t, root, ".facets a"), "301 BC=/search?year=-301..-301")
	holds(t, text(one(t, l.page("/search?year=-301..-301", 200), "#found")), "1 result")
	holds(t, text(one(t, l.page("/search?from=-301&to=50", 200), "#found")), "3 results")
	holds(t, text(one(t, l.page("/search?q=year:-301", 200), "#found")), "1 result")
}

// miscounting is an index whose rough counts are wrong, and that says how many records it has.
type miscounting struct {
	Index
	total int64
}

func (g *miscounting) Search(ctx context.Context, q index.Query) (*index.Result, error) {
	res, err := g.Index.Search(ctx, q)
	if err == nil && q.Rough {
		res.Exact, res.Total = false, g.total
		for _, counts := range res.Facets {
			for i := range counts {
				counts[i].N += 100
			}
		}
	}
	return res, err
}

// TestRoughCounts: what was counted roughly is counted again as the page behind a link does,
// or is shown as an estimate where that takes too long.
func TestRoughCounts(t *testing.T) {
	g := &miscounting{total: 3}
	l := newLibrary(t, func(c *Config) { g.Index, c.Index = c.Index, g })
	for i := range 3 {
		l.add(record.Record{Title: number(int64(i)), Kind: record.Book, Subjects: []record.Subject{{Label: "Numbers"}}, Creators: []record.Creator{{Name: "Ada Lovelace"}}}, nil)
	}
	for _, path := range []string{"/browse", "/browse/subjects", "/browse/authors"} {
		if got := text(one(t, l.page(path, 200), "main")); strings.Contains(got, "10") || !strings.Contains(got, " 3 ") {
			t.Errorf("%s: %s", path, got)
		}
	}
	g.total = 1 << 30
	holds(t, text(one(t, l.page("/browse?again", 200), "main")), "Numbers ≈ 100", "Ada Lovelace ≈ 100")
}

// TestTwoRoles: a person with two roles is named once on a record's page.
func TestTwoRoles(t *testing.T) {
	l := newLibrary(t)
	n := l.add(record.Record{Title: "Songs", Kind: record.Book, Creators: []record.Creator{
		{Name: "William Blake", Role: "aut"}, {Name: "Ana Lima"}, {Name: "William Blake", Role: "ill"}, {Name: "Eva Ek", Role: "edt"}, {Name: "Ana Lima", Role: "aut"}}}, nil)
	var got []string
	for _, li := range all(t, l.page(recordPath(n), 200), ".creators li") {
		got = append(got, text(li))
	}
	if want := []string{"William Blake author, illustrator", "Ana Lima", "Eva Ek editor"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestAboutSoMany: a number that is an estimate says so.
func TestAboutSoMany(t *testing.T) {
	list := []countLink{{Name: "a", N: 12345}}
	if got := roughly(list, true)[0].Count(); got != "12345" {
		t.Errorf("exact: %s", got)
	}
	if got := roughly(list, false)[0].Count(); got != "≈ 12000" {
		t.Errorf("an estimate: %s", got)
	}
}

func TestAuthorPage(t *testing.T) {
	l := browsed(t)
	root := l.page("/authors?name=Jane++Austen", 200)
	if got := attr(one(t, root, "link[rel=canonical]"), "href"); got != "https://library.example/authors?name=Jane+Austen" {
		t.Errorf("canonical %s", got)
	}
	main := text(one(t, root, "main"))
	holds(t, main, "Austen, Jane · 简·奥斯汀", "3 records", "not told apart", "English 2", "French 1", "Report 1")
	var titles []string
	for _, n := range all(t, root, ".shelf .title") {
		titles = append(titles, text(n))
	}
	if got := strings.Join(titles, "|"); got != "Emma, traduit|Persuasion|Emma" {
		t.Errorf("newest first: %s", got)
	}
	holds(t, linked(t, root, ".counts-of a"), "French=/search?creator=Jane+Austen&lang=fr")
	titles = nil
	for _, n := range all(t, l.page("/authors?name=Jane+Austen&sort=title", 200), ".shelf .title") {
		titles = append(titles, text(n))
	}
	if got := strings.Join(titles, "|"); got != "Emma|Emma, traduit|Persuasion" {
		t.Errorf("by title: %s", got)
	}

	// By name there is one page for each spelling; by identifier, one for the person.
	root = l.page("/authors?name=Paul+Erd%C5%91s", 200)
	holds(t, text(one(t, root, "main")), "2 records")
	if got := linked(t, root, ".ids a"); got != "ORCID 0000-0002-1825-0097=/authors/orcid/0000-0002-1825-0097" {
		t.Errorf("ids %s", got)
	}
	root = l.page("/authors/orcid/0000-0002-1825-0097", 200)
	holds(t, text(one(t, root, "main")), "3 records", "P. Erdös", "Erdős, Paul")
	if got := text(one(t, root, "h1")); got != "Paul Erdős" {
		t.Errorf("the name of most records: %s", got)
	}
	if got := linked(t, root, ".ids a"); got != "ORCID 0000-0002-1825-0097=https://orcid.org/0000-0002-1825-0097" {
		t.Errorf("ids %s", got)
	}
	if res := l.get("GET", "/authors/orcid/0000000218250097"); res.StatusCode != 301 || res.Header.Get("Location") != "/authors/orcid/0000-0002-1825-0097" {
		t.Errorf("another form: %d to %s", res.StatusCode, res.Header.Get("Location"))
	}
	for path, status := range map[string]int{
		"/authors": 303, "/authors?name=" + strings.Repeat("x", 300): 303, "/authors?name=Nobody": 404, "/authors/orcid/0000-0002-1825-0098": 404, "/authors/orcid/0000-0001-5109-3700": 404,
		"/authors/isbn/9780141439518": 404, "/authors?name=%FF%00": 404, "/subjects": 303, "/subjects?label=Nothing": 404, "/authors?name=Jane+Austen&after=x": 400,
	} {
		if res := l.get("GET", path); res.StatusCode != status {
			t.Errorf("%s: %d, want %d", path, res.StatusCode, status)
		}
	}
}

// TestHeadingPaging goes through all records of a name, and meets each once.
func TestHeadingPaging(t *testing.T) {
	l := newLibrary(t)
	var entries []record.Entry
	for i := range 2*headingLimit + 5 {
		entries = append(entries, record.Entry{Type: record.TypeAccession, Record: &record.Record{Title: "No. " + number(int64(i)), Kind: record.Book, Issued: number(int64(1900 + i%3)),
			Creators: []record.Creator{{Name: "Anon"}}}, Source: &record.Source{Name: "files", ID: number(int64(i))}})
	}
	l.append(entries...)
	for _, sort := range headingSorts {
		path, seen := "/authors?name=Anon&sort="+sort, map[string]bool{}
		for pages := 0; path != ""; pages++ {
			root := l.page(path, 200)
			for _, a := range all(t, root, ".shelf a") {
				if seen[attr(a, "href")] {
					t.Fatalf("%s twice", attr(a, "href"))
				}
				seen[attr(a, "href")] = true
			}
			path = ""
			for _, a := range all(t, root, "a[rel=next]") {
				path = attr(a, "href")
			}
			if pages > 5 {
				t.Fatal("no end")
			}
		}
		if len(seen) != len(entries) {
			t.Errorf("%s: %d of %d", sort, len(seen), len(entries))
		}
	}
}

func TestClassPages(t *testing.T) {
	l := browsed(t)
	if got := linked(t, l.page("/classes/ddc", 200), ".classes a"); got != "800 Literature=/classes/ddc/8 820 English literature=/classes/ddc/82 840 French literature and its kin=/classes/ddc/84" {
		t.Errorf("DDC: %s", got)
	}
	holds(t, linked(t, l.page("/classes", 200, "Accept-Language", "zh"), ".classes a"), "I 文学=/classes/clc/I", "O 数理科学和化学=/classes/clc/O", "800 文学=/classes/ddc/8")
	root := l.page("/classes/ddc/823", 200)
	if got := linked(t, root, ".crumbs a"); got != "Dewey Decimal Classification=/classes/ddc 800 Literature=/classes/ddc/8 820 English literature=/classes/ddc/82" {
		t.Errorf("above: %s", got)
	}
	holds(t, text(one(t, root, "main")), "2 records", "823.7 Regency novels 2")
	root = l.page("/classes/ddc/823.7", 200)
	if got := text(one(t, root, "h1")); got != "823.7 Regency novels" {
		t.Errorf("heading %s", got)
	}
	if res := l.get("GET", "/classes/ddc/823%2F.7"); res.StatusCode != 301 || res.Header.Get("Location") != "/classes/ddc/823.7" {
		t.Errorf("another form: %d to %s", res.StatusCode, res.Header.Get("Location"))
	}
	holds(t, text(one(t, l.page("/classes/clc/I2", 200), "h1")), "I2 Chinese literature")
	for _, path := range []string{"/classes/lcc", "/classes/ddc/9", "/classes/ddc/x", "/classes/lcc/PR4034", "/classes/clc/%00"} {
		l.page(path, 404)
	}
	// A search can be kept within a class and a person.
	root = l.page("/search?class=ddc:82&q=emma", 200)
	holds(t, text(one(t, root, ".chips")), "DDC 820 English literature")
	if n := len(all(t, root, ".hits > li")); n != 1 {
		t.Errorf("%d hits", n)
	}
	if n := len(all(t, l.page("/search?person=orcid:0000-0002-1825-0097&sort=newest", 200), ".hits > li")); n != 3 {
		t.Errorf("%d hits of a person", n)
	}
}

// Every class that has words has those of the one above it, in both languages.
func TestCaptions(t *testing.T) {
	n := map[string]int{}
	for key, c := range captions() {
		scheme, class, _ := strings.Cut(key, " ")
		n[scheme]++
		if c[0] == "" || c[1] == "" {
			t.Errorf("%s: %q", key, c)
		}
		if len(class) > 1 && captions()[scheme+" "+class[:len(class)-1]][0] == "" {
			t.Errorf("%s: nothing above it", key)
		}
	}
	if n["ddc"] != 109 || n["clc"] < 200 {
		t.Errorf("%v", n)
	}
}

// TestSearchGrouped shows editions of one work once.
func TestSearchGrouped(t *testing.T) {
	l := newLibrary(t)
	emma := func(issued, title string) record.Record {
		return record.Record{Title: title, Kind: record.Book, Issued: issued, Languages: []string{"en"}, Creators: []record.Creator{{Name: "Jane Austen", Role: "aut"}}}
	}
	l.add(emma("1815", "Emma"), nil)
	l.add(emma("1995", "Emma"), nil)
	l.add(emma("2003", "Emma"), nil)
	l.add(emma("1817", "Persuasion and Emma"), nil)
	path := "/search?" + url.Values{"q": {"emma"}}.Encode()
	root := l.page(path, 200)
	if n := len(all(t, root, ".hits > li")); n != 4 {
		t.Fatalf("%d hits", n)
	}
	none(t, root, ".more-editions")
	together := attr(one(t, root, ".sorts .group"), "href")
	if together != "/search?group=1&q=emma" {
		t.Errorf("the switch leads to %s", together)
	}
	root = l.page(together, 200)
	if n := len(all(t, root, ".hits > li")); n != 2 {
		t.Errorf("%d works: %s", n, text(one(t, root, ".hits")))
	}
	if got := text(one(t, root, ".more-editions")); got != "3 editions here" {
		t.Errorf("%s", got)
	}
	holds(t, text(one(t, root, "#found")), "4 results")
	one(t, root, `.ask input[name=group][value="1"]`)
	if got := attr(one(t, root, ".sorts .group"), "href"); got != path {
		t.Errorf("back to %s", got)
	}
}

// TestSearchGroupedShows: of the editions of a work the one that can be read is shown, then
// one in the reader's language.
func TestSearchGroupedShows(t *testing.T) {
	l := newLibrary(t)
	emma := func(language string, rights *record.Rights, files ...record.File) int64 {
		return l.add(record.Record{Title: "Emma", Kind: record.Book, Languages: []string{language}, AltTitles: []string{"Edition in " + language},
			Creators: []record.Creator{{Name: "Jane Austen", Role: "aut"}}}, rights, files...)
	}
	shows := func(language string, want int64) {
		t.Helper()
		root := l.page("/search?group=1&q=emma", 200, "Accept-Language", language)
		if got := linked(t, root, ".hits h3 a"); got != "Emma="+recordPath(want) {
			t.Errorf("in %s: %s, want %d", language, got, want)
		}
	}
	english, chinese := emma("en-GB", nil), emma("zh-Hant", nil)
	shows("en", english)
	shows("zh", chinese)
	emma("en", nil, l.epub("shut"))
	open := emma("fr", openRights(), l.epub("open"))
	shows("en", open)
	shows("zh", open)
}
