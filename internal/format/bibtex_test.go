package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
)

// parsed is a record of a stream, or why it is none.
type parsed struct {
	number int64
	d      *Described
	err    error
}

// readBulk reads a stream of a form to its end.
func readBulk(t testing.TB, name string, r io.Reader) (out []parsed) {
	t.Helper()
	form, err := FindBulk(name)
	if err != nil {
		t.Fatal(err)
	}
	for e := form.Elements(r); ; {
		raw, n, err := e.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			out = append(out, parsed{n, nil, err})
			if !errs.Is(err, errs.TooLarge) {
				return out
			}
			continue
		}
		d, err := form.Parse(raw)
		out = append(out, parsed{n, d, err})
	}
}

func TestLatexText(t *testing.T) {
	for in, want := range map[string]string{
		`plain`: `plain`, `{\'e}t{\'{e}} \"{o} \"o {\"O} \^{\i} \~n \c{c} \c c \v{s} {\v S} \u{g} \H{o} \.z \=a \r{a} \k{e} \d{h} \b{k} \t{oo}`: "été ö ö Ö î ñ ç ç š Š ğ ő ż ā å ę ḥ ḵ o͡o",
		`Stra{\ss}e {\o}re {\O}l \aa ngstr{\"o}m {\L}{\'o}d{\'z} \ae\ {\oe}uvre \i`:               "Straße øre Øl ångström Łódź æ œuvre ı",
		"1--2 --- ``x'' 'y' ?`no !`s{\\'\\i}":                                                     "1–2 — “x” 'y' ¿no ¡sí",
		`A~B \& C\% \$5 \#1 a\_b \{x\}`:                                                           `A B & C% $5 #1 a_b {x}`,
		`{The {NASA} \emph{Story}} {\em of} \textbf{bold} \textsc{Caps} \mbox{a-b}`:               `The NASA Story of bold Caps a-b`,
		`$\alpha$-particles, H$_2$O, $10^{-3}$ m$^2$, $E=mc^2$`:                                   `α-particles, H₂O, 10⁻³ m², E=mc²`,
		`$\frac{a}{b}$ and $x_{i_j}$`:                                                             `$\frac{a}{b}$ and $x_{i_j}$`,
		`costs $5 only`:                                                                           `costs $5 only`,
		`\enquote{inner \enquote{most}} \textsuperscript{2} \href{http://x}{text} \unknown{kept}`: "“inner “most”” ² text \\unknownkept",
		`-{}-{}- '{}' \textbackslash{}x \textasciitilde{} \textbraceleft{}`:                       `--- '' \x ~ {`,
		`\`: `\`, `\'`: " \u0301", `{\"`: " \u0308", `\"}x`: "x", `$`: `$`, `Knuth, D.\,E.`: `Knuth, D. E.`, "\\par": "",
	} {
		if got := cleanLine(latexText(in), 1000); got != cleanLine(want, 1000) {
			t.Errorf("%s\ngot  %q\nwant %q", in, got, want)
		}
	}
}

func TestBibNames(t *testing.T) {
	for in, want := range map[string][]string{
		`Jane Austen`:                                             {"Jane Austen|Austen, Jane"},
		`Austen, Jane and Bront{\"e}, Charlotte`:                  {"Jane Austen|Austen, Jane", "Charlotte Brontë|Brontë, Charlotte"},
		`Ludwig van Beethoven`:                                    {"Ludwig van Beethoven|van Beethoven, Ludwig"},
		`van der Berg, Jr., Jan`:                                  {"Jan van der Berg Jr.|van der Berg, Jan, Jr."},
		`{World Health Organization}`:                             {"World Health Organization"},
		`{Barnes and Noble} and {\'E}mile Zola`:                   {"Barnes and Noble", "Émile Zola|Zola, Émile"},
		`Plato`:                                                   {"Plato"},
		`毛泽东 and 鲁, 迅 AND 巴 金`:                                    {"毛泽东", "鲁迅", "巴金"},
		`Charles Louis Xavier Joseph de la Vall{\'e}e Poussin`:    {"Charles Louis Xavier Joseph de la Vallée Poussin|de la Vallée Poussin, Charles Louis Xavier Joseph"},
		`family=Duck, given={Donald}, prefix=von, useprefix=true`: {"Donald von Duck|von Duck, Donald"},
		`J.~K. Rowling`:                                           {"J. K. Rowling|Rowling, J. K."},
		`Sand, Andrea`:                                            {"Andrea Sand|Sand, Andrea"},
		``:                                                        nil,
	} {
		people, others := bibPeople(in)
		var got []string
		for _, c := range people {
			got = append(got, strings.Join(append([]string{c.Name}, c.AltNames...), "|"))
		}
		if !reflect.DeepEqual(got, want) || others {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
	if people, others := bibPeople("A B and others"); len(people) != 1 || !others {
		t.Errorf("%v %v", people, others)
	}
}

const bibSample = `This is a comment, with an address: someone@example.org.
@comment{jabref-meta: databaseType:biblatex;}
@preamble{ "\newcommand{\noopsort}[1]{} " # "x" }
@string{jot = "Journal of " # things}
@STRING(things = {Things})
@String{jot2 = "Journal of " # things}
@article{Muller2019,
  author = "M{\"u}ller, J{\"o}rg and Wang, Xiaoming and others",
  title = {On {B}races, {"Quotes"} and {{\'E}t{\'e}}},
  journal = jot2, volume = 12, number = {3}, pages = {101--110},
  year = 2019, month = 5 # "~" # may, doi = {https://doi.org/10.1234/ABC.5}, issn = {1234-5679},
  keywords = {braces, {Fiction, English}; quotes}, abstract = {First
  line.

  Second paragraph, 5\% more.}, file = {:a.pdf:PDF}, note = {Best paper}, author+an:orcid = {2="0000-0002-1825-0097"},
  language = {english and french}, mytag = {x}
}
@inproceedings{child, author = {Anna Karenina}, title = "Late parents", crossref = {Proc2020}, pages = "1-2", isbn = {},
}
@InCollection(paren, title = {In parentheses (really)}, booktitle = {A Book}, isbn = {978-0-14-143951-8}, year = {c. 1900}, xdata = {common})
@book{tr, title = {红楼梦: a novel}, translator = {Hawkes, David}, origtitle = {紅樓夢}, origlanguage = {chinese}, date = {1973/1986}, isbn = {0140442936, 9780140443714 (vol. 3)},
 publisher = {Penguin}, address = {London}, series = {Penguin Classics}, number = 7, langid = {british}}
@misc{arx, title = {Preprint}, eprint = {2101.00001}, archivePrefix = {arXiv}, primaryClass = {cs.CL}, year = {2021}, howpublished = {\url{https://x.example/a_b}}}
@proceedings{Proc2020, title = {Proceedings of Everything}, editor = {Editor, Ed}, year = 2020, isbn = {9780141439518}, publisher = {Press}, doi = {10.1/proc}}
@xdata{common, publisher = {Common Press}, location = {Basel}}
@thesis{bad1, title = {Bad numbers}, type = {PhD}, isbn = {978-0-14-143951-0}, issn = {1234-5678}, doi = {nonsense}, date = {sometime}, school = {MIT}}
@article{nokey-brace, title = {Not closed, journal = {X}, year = 2000
@article{after, title = {After the broken one}, year = 2001}
@article{, title = {No key}}
@article{title = {No key at all}, year = {1850}}
@book{empty}
@book{twice, title = {A}, title = {B}, year = undefinedmacro}
@article{cut, title = {The file ends here`

func TestBibTeX(t *testing.T) {
	got := readBulk(t, "bibtex", strings.NewReader(bibSample))
	byID := map[string]*Described{}
	var why []string
	for _, p := range got {
		if p.err != nil {
			why = append(why, fmt.Sprintf("%d: %v", p.number, p.err))
			continue
		}
		checkRecord(t, p.d.Record)
		byID[p.d.ID+"/"+p.d.Record.Title] = p.d
	}
	if want := []string{"8: a brace or quotation mark in it is not closed", "12: it has no title", "14: the file ends in the middle of this entry"}; !reflect.DeepEqual(why, want) {
		t.Errorf("%q", why)
	}
	if len(got) != 14 {
		t.Errorf("%d entries", len(got))
	}
	check := func(id string, want record.Record) *Described {
		t.Helper()
		d := byID[id+"/"+want.Title]
		if d == nil {
			t.Fatalf("%s is missing", id)
		}
		if !reflect.DeepEqual(d.Record, want) {
			t.Errorf("%s\ngot  %+v\nwant %+v", id, d.Record, want)
		}
		return d
	}
	id := func(scheme, value string) record.ID { return record.ID{Scheme: scheme, Value: value} }
	isbn := id("isbn", "9780141439518")
	d := check("Muller2019", record.Record{
		Title: `On Braces, "Quotes" and Été`, Kind: record.Article, Issued: "2019-05-05", Languages: []string{"en", "fr"}, Abstract: "First line.\nSecond paragraph, 5% more.",
		Creators: []record.Creator{{Name: "Jörg Müller", AltNames: []string{"Müller, Jörg"}, Role: "aut"},
			{Name: "Xiaoming Wang", AltNames: []string{"Wang, Xiaoming"}, Role: "aut", IDs: []record.ID{id("orcid", "0000-0002-1825-0097")}}},
		Container: &record.Container{Title: "Journal of Things", Volume: "12", Issue: "3", Pages: "101–110", ISSN: "1234-5679"},
		Subjects:  []record.Subject{{Label: "braces"}, {Label: "Fiction, English"}, {Label: "quotes"}}, IDs: []record.ID{id("doi", "10.1234/abc.5")}})
	if fmt.Sprint(d.Extra, d.Left) != "map[author:[and others] mytag:[x] note:[Best paper]] [file]" {
		t.Errorf("%v %v", d.Extra, d.Left)
	}
	d = check("child", record.Record{Title: "Late parents", Kind: record.Article, Issued: "2020", Publisher: "Press",
		Creators:  []record.Creator{{Name: "Anna Karenina", AltNames: []string{"Karenina, Anna"}, Role: "aut"}, {Name: "Ed Editor", AltNames: []string{"Editor, Ed"}, Role: "edt"}},
		Container: &record.Container{Title: "Proceedings of Everything", Pages: "1-2"}, Relations: []record.Relation{{Type: "part_of", ID: &isbn, Title: "Proceedings of Everything"}}})
	if fmt.Sprint(d.Extra) != "map[entrytype:[inproceedings]]" {
		t.Error(d.Extra)
	}
	check("paren", record.Record{Title: "In parentheses (really)", Kind: record.Chapter, Issued: "1900~", Publisher: "Common Press", Place: "Basel",
		Container: &record.Container{Title: "A Book"}, Relations: []record.Relation{{Type: "part_of", ID: &isbn, Title: "A Book"}}})
	d = check("tr", record.Record{Title: "红楼梦: a novel", AltTitles: []string{"紅樓夢"}, Kind: record.Book, Issued: "1973/1986", Publisher: "Penguin", Place: "London", Languages: []string{"en-GB"},
		Creators:  []record.Creator{{Name: "David Hawkes", AltNames: []string{"Hawkes, David"}, Role: "trl"}},
		Container: &record.Container{Title: "Penguin Classics", Volume: "7"}, IDs: []record.ID{id("isbn", "9780140442939"), id("isbn", "9780140443714")},
		Relations: []record.Relation{{Type: "translation_of", Title: "紅樓夢"}}})
	if fmt.Sprint(d.Extra) != "map[origlanguage:[chinese]]" {
		t.Error(d.Extra)
	}
	check("arx", record.Record{Title: "Preprint", Kind: record.Article, Issued: "2021", IDs: []record.ID{id("arxiv", "2101.00001"), id("url", "https://x.example/a_b")},
		Subjects: []record.Subject{{Scheme: "arxiv", Code: "cs.CL", Label: "cs.CL"}}})
	d = check("bad1", record.Record{Title: "Bad numbers", Kind: record.Thesis, Publisher: "MIT", IDs: []record.ID{id("local", "1234-5678"), id("local", "978-0-14-143951-0"), id("local", "nonsense")}})
	if len(d.Warnings) != 4 || fmt.Sprint(d.Extra) != "map[date:[sometime] type:[PhD]]" {
		t.Errorf("%q %v", d.Warnings, d.Extra)
	}
	check("after", record.Record{Title: "After the broken one", Kind: record.Article, Issued: "2001"})
	check("", record.Record{Title: "No key", Kind: record.Article})
	check("", record.Record{Title: "No key at all", Kind: record.Article, Issued: "1850"})
	d = check("twice", record.Record{Title: "A", Kind: record.Book})
	if fmt.Sprint(d.Extra) != "map[title:[B] year:[undefinedmacro]]" || len(d.Warnings) != 2 {
		t.Errorf("%v %q", d.Extra, d.Warnings)
	}
}

// TestBibTeXInterop reads the files of other programs, each of which has one entry.
func TestBibTeXInterop(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testdata.Dir(t), "interop", "bibtex", "*.bib"))
	if err != nil || len(files) != 25 {
		t.Fatal(len(files), err)
	}
	for _, path := range files {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		got := readBulk(t, "bibtex", bytes.NewReader(raw))
		if len(got) != 1 || got[0].err != nil {
			t.Errorf("%s: %+v", name, got)
			continue
		}
		r := got[0].d.Record
		checkRecord(t, r)
		if r.Kind != record.Article || len(r.Creators) == 0 || len(r.Issued) < 4 || r.Container == nil || strings.ContainsAny(r.Title, `\{}`) {
			t.Errorf("%s: %+v", name, r)
		}
		switch name {
		case "gbk_test.bib":
			if got[0].d.ID != "凯撒2013" || r.Creators[0].Name != "凯撒" || r.Container.Title != "测试期刊" || r.Issued != "2013" {
				t.Errorf("%s: %+v", got[0].d.ID, r)
			}
		case "rescience.5347786.bib":
			if r.Creators[0].AltNames[0] != "Eglen, Stephen J." || r.Issued != "2021-08" || r.Container.Pages != "#22" || fmt.Sprint(r.IDs) != "[{doi 10.5281/zenodo.5347786} {url https://zenodo.org/record/5347786/files/article.pdf}]" ||
				len(r.Subjects) != 3 || fmt.Sprint(got[0].d.Extra["language"], got[0].d.Extra["review_url"]) != "[R] [https://github.com/ReScience/submissions/issues/34]" {
				t.Errorf("%+v %v", r, got[0].d.Extra)
			}
		}
	}
}

func FuzzBibTeX(f *testing.F) {
	f.Add([]byte(bibSample))
	f.Add([]byte("@string{a=\"\\'\"} @book{k,title=a#a#{\\v{\\c{\\\"{x}}}}$\\alpha_{1}$}"))
	f.Add([]byte("@ARTICLE{@ARTICLE{\xbf\xad\xc8\xf62013,\n author={\xbf\xad\xc8\xf6}, title={T}}"))
	f.Add([]byte("@a{x,crossref=y}@a{y,crossref=x}@xdata{z,xdata=z}@b{q,xdata={z,z},title={T}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		last := int64(0)
		for _, p := range readBulk(t, "bibtex", bytes.NewReader(data)) {
			if p.number < 1 {
				t.Fatal(p.number, last)
			}
			if p.err == nil {
				checkRecord(t, p.d.Record)
			}
		}
	})
}
