package query

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"wenlan/internal/index/analysis"
	"wenlan/internal/index/segment"
)

// show writes a tree: (a b) all of, {a | b} any of, <a / b> alternatives, -a,
// "a b" a phrase, ~"a b" a loose one, a* a prefix, a! whole; @ for MarkID and ^ for
// MarkReading; the fields before it, unless they are all of those of a text.
func show(n Node) string {
	list := func(of []Node, sep string) string {
		var out []string
		for _, x := range of {
			out = append(out, show(x))
		}
		return strings.Join(out, sep)
	}
	fields := func(mask uint8) string {
		if mask == Text {
			return ""
		}
		out := ""
		for f := range segment.NumFields {
			if mask&(1<<f) != 0 {
				out += string("TCAPBIRX"[f])
			}
		}
		return out + ":"
	}
	sign := func(prefix, whole bool) string {
		return map[bool]string{true: "*"}[prefix] + map[bool]string{true: "!"}[whole]
	}
	marks := strings.NewReplacer(analysis.MarkID, "@", analysis.MarkReading, "^")
	switch n := n.(type) {
	case nil:
		return "all"
	case *And:
		return "(" + list(n.Of, " ") + ")"
	case *Or:
		if n.Alternatives {
			return "<" + list(n.Of, " / ") + ">"
		}
		return "{" + list(n.Of, " | ") + "}"
	case *Not:
		return "-" + show(n.Of)
	case *Term:
		return fields(n.Fields) + marks.Replace(n.Text) + sign(n.Prefix, n.Whole)
	case *Phrase:
		return fields(n.Fields) + map[bool]string{true: "~"}[n.Loose] + `"` + marks.Replace(strings.Join(n.Tokens, " ")) + `"` + sign(n.Prefix, n.Whole)
	}
	return fmt.Sprintf("%T", n)
}

func showFilters(f Filters) string {
	return strings.NewReplacer("[]string(nil)", "-", "[]query.Years(nil)", "-").Replace(normal(nil, f))
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, tree, normal string }{
		// Everything, and nothing.
		{"", "all", ""},
		{" \t\n", "all", ""},
		{"*", "all", ""},
		{"???", "I:@!", `""`},
		{"-", "I:@!", `""`},
		{"()", "I:@!", `""`},
		{`"`, "I:@!", `""`},
		{`""`, "I:@!", `""`},
		// Numbers with signs between their groups.
		{"0439 5549!", `<04395549 / I:@04395549!>`, "04395549"},
		{"isbn:0000 !0493", `(I:@0000! 0493)`, `isbn:"0000" 0493`},
		// Words.
		{"Evolution", "evolut", "Evolution"},
		{"The  Origin of Species", "(the origin of speci)", "The Origin of Species"},
		{"the the", "the", "the"},
		{"C++", "c", "C"},
		{"e-mail", `<"e mail" / email>`, "e-mail"},
		{"foo,bar", `"foo bar"`, "foo,bar"},
		{"Être", "etr", "Être"},
		{"quantum -field", "(quantum -field)", "quantum -field"},
		{"-field", "(-field)", "-field"},
		{"quantum - field", "(quantum field)", "quantum field"},
		{"quantum --field", "(quantum field)", "quantum field"},
		{"+quantum", "quantum", "quantum"},
		{"-(quantum field)", "(-(quantum field))", "-(quantum field)"},
		{"--quantum", "quantum", "quantum"},
		{"-(-quantum)", "quantum", "quantum"},
		{"-(quantum OR field) theory", "(-{quantum | field} theori)", "-(quantum OR field) theory"},
		{`-"quantum field"`, `(-"quantum field"!)`, `-"quantum field"`},
		{"-title:quantum", "(-T:quantum)", "-title:quantum"},
		{"title:-quantum", "(-T:quantum)", "-title:quantum"},
		// Phrases.
		{`"quantum field"`, `"quantum field"!`, `"quantum field"`},
		{`"quantum"`, `quantum!`, `"quantum"`},
		{`"quantum  field`, "(quantum field)", "quantum field"},
		{`a" b`, "(a b)", "a b"},
		{`"quantum fie*"`, `"quantum fie"*!`, `"quantum fie*"`},
		{`“quantum field”`, `"quantum field"!`, `"quantum field"`},
		{`"quantum, “field" x`, `("quantum field"! x)`, `"quantum, field" x`},
		{`"quantum” field`, `(quantum! field)`, `"quantum" field`},
		{`„quantum field“`, `"quantum field"!`, `"quantum field"`},
		{`«quantum field»`, `"quantum field"!`, `"quantum field"`},
		{`»quantum field«`, `"quantum field"!`, `"quantum field"`},
		{`“quantum ‘a’ 《field》”`, `"quantum a field"!`, `"quantum ‘a’ field"`},
		{`"quantum""field"`, `(quantum! field!)`, `"quantum" "field"`},
		// OR, groups.
		{"quantum OR field", "{quantum | field}", "quantum OR field"},
		{"quantum or field", "(quantum or field)", "quantum or field"},
		{"theory quantum OR field history", "(theori {quantum | field} histori)", "theory (quantum OR field) history"},
		{"quantum | field || theory", "{quantum | field | theori}", "quantum OR field OR theory"},
		{"quantum OR OR field OR", "{quantum | field}", "quantum OR field"},
		{"OR quantum", "quantum", "quantum"},
		{"quantum OR", "quantum", "quantum"},
		{"OR", "or", "or"},
		{"AND", "and", "and"},
		{"AND OR AND", "(and or)", "and or"},
		{"war AND peace", "(war peac)", "war peace"},
		{"quantum OR -field", "(quantum -field)", "quantum -field"},
		{"quantum OR quantum", "quantum", "quantum"},
		{"(quantum field) OR (theory history)", "{(quantum field) | (theori histori)}", "(quantum field) OR (theory history)"},
		{"((quantum OR field) OR theory)", "{quantum | field | theori}", "quantum OR field OR theory"},
		{"(quantum (field (theory", "(quantum field theori)", "quantum field theory"},
		{"quantum) field)", "(quantum field)", "quantum field"},
		{"f(x) (g(y z) w)", `("f x" "g y" z w)`, "f,x g,y z w"},
		{"((((((quantum OR field) theory))))))", "({quantum | field} theori)", "(quantum OR field) theory"},
		// Fields.
		{"title:evolution", "T:evolut", "title:evolution"},
		{"Title: evolution", "T:evolut", "title:evolution"},
		{"TITLE：evolution", "T:evolut", "title:evolution"},
		{"title:", "titl", "title"},
		{"title: ", "titl", "title"},
		{"title:)", "titl", "title"},
		{"(title:) evolution", "(titl evolut)", "title evolution"},
		{"title:(quantum field) theory", "(T:quantum T:field theori)", "title:quantum title:field theory"},
		{"title:(quantum OR author:bohr)", "{T:quantum | <C:bohr / R:^bohr!>}", "title:quantum OR author:bohr"},
		{"title:author:bohr", "<C:bohr / R:^bohr!>", "author:bohr"},
		{`title:"quantum field"`, `T:"quantum field"!`, `title:"quantum field"`},
		{"title:OR", "T:or", "title:or"},
		{"subject:physics publisher:springer journal:nature abstract:light text:whale", "(A:physic P:springer A:natur B:light X:whale)", "subject:physics publisher:springer in:nature abstract:light text:whale"},
		{"foo:bar", `"foo bar"`, "foo:bar"},
		{"#title:quantum", "T:quantum", "title:quantum"},
		{"12:30", `"12 30"`, "12:30"},
		// Prefixes.
		{"evol*", "evol*", "evol*"},
		{"evolutio*", "<evolutio* / evolut! / evoluti!>", "evolutio*"},
		{"a*", "a*", "a*"},
		{"*foo", "foo", "foo"},
		{"a*b", `"a b"`, "a*b"},
		{"title:evol*", "T:evol*", "title:evol*"},
		// Identifiers.
		{"978-0-439-55493-0", `<"978 0 439 55493 0" / I:@9780439554930!>`, "978-0-439-55493-0"},
		{"ISBN 0 439 55493 4", "<(isbn 0 439 55493 4) / I:@9780439554930!>", "ISBN 0 439 55493 4"},
		{"isbn:0-439-55493-4", "<I:@9780439554930! / I:@0439554934!>", "isbn:0-439-55493-4"},
		{"isbn:0 439 55493 4 potter", "(<I:@9780439554930! / I:@0439554934!> potter)", "isbn:0439554934 potter"},
		{"isbn:foo", "I:@foo!", "isbn:foo"},
		{"doi:10.1000/ABC(1)", "<I:@10.1000/abc(1)! / I:@10.1000/abc(1!>", "doi:10.1000/ABC(1)"},
		{"doi:10.1000*", "I:@10.1000*!", "doi:10.1000*"},
		{"https://doi.org/10.1000/abc", `<"https doi org 10 1000 abc" / I:@10.1000/abc! / I:@https://doi.org/10.1000/abc! / I:@//doi.org/10.1000/abc!>`, "https://doi.org/10.1000/abc"},
		{"DOI: 10.1000/abc", "I:@10.1000/abc!", "doi:10.1000/abc"},
		{"issn:0317-8471", "I:@03178471!", "issn:0317-8471"},
		{"arXiv:2101.00001v2", "<I:@2101.00001! / I:@2101.00001v2!>", "arxiv:2101.00001v2"},
		{"1984", "1984", "1984"},
		// Chinese.
		{"红楼梦", `~"红楼 楼梦"`, "红楼梦"},
		{"紅樓夢", `~"红楼 楼梦"`, "紅樓夢"},
		{"红楼", "红楼", "红楼"},
		{"梦", "梦*", "梦"},
		{"红楼*", "红楼", "红楼*"},
		{"红楼梦study", `(~"红楼 楼梦" studi)`, "红楼梦 study"},
		{"红楼梦、西游记，study", `(~"红楼 楼梦" ~"西游 游记" studi)`, "红楼梦 西游记 study"},
		{"-红楼study", "(-(红楼 studi))", "-(红楼 study)"},
		{"《红楼梦》", `"红楼 楼梦"!`, `"红楼梦"`},
		{"《红楼梦》《西游记》", `("红楼 楼梦"! "西游 游记"!)`, `"红楼梦" "西游记"`},
		{"「红楼」", "红楼!", `"红楼"`},
		{"《红楼梦", `~"红楼 楼梦"`, "红楼梦"},
		{"题名：红楼 作者：曹雪芹", `(T:红楼 C:~"曹雪 雪芹")`, "title:红楼 author:曹雪芹"},
		{"題名:紅樓", "T:红楼", "title:紅樓"},
		{"书名:（红楼 OR 西游）", "{T:红楼 | T:西游}", "title:红楼 OR title:西游"},
		{"主题:诗歌 出版者:中华", "(A:诗歌 P:中华)", "subject:诗歌 publisher:中华"},
		{"题名:红楼study", "(T:红楼 T:studi)", "title:红楼 title:study"},
		{"列夫·托尔斯泰", `(列夫 ~"托尔 尔斯 斯泰")`, "列夫 托尔斯泰"},
		{"红楼OR西游", `(红楼 or 西游)`, "红楼 or 西游"},
		// Readings.
		{"hongloumeng", `<hongloumeng / R:^hongloumeng! / R:~"^hong ^lou ^meng"!>`, "hongloumeng"},
		{"hóng lóu mèng", `<(hong lou meng) / R:~"^hong ^lou ^meng"!>`, "hóng lóu mèng"},
		{"hong2lou2meng4", `<hong2lou2meng4 / I:@hong2lou2meng4! / R:^hongloumeng! / R:~"^hong ^lou ^meng"!>`, "hong2lou2meng4"},
		{"hlm", "<hlm / R:^hlm!>", "hlm"},
		{"hong lou", `<(hong lou) / R:~"^hong ^lou"!>`, "hong lou"},
		{"hong", "hong", "hong"},
		{"title:hlm", "<T:hlm / R:^hlm!>", "title:hlm"},
		{"subject:hlm", "A:hlm", "subject:hlm"},
		{"san guo yan yi", `<(san guo yan yi) / (R:^san! R:^guo! R:^yan! R:^yi!)>`, "san guo yan yi"},
		{"xi'an", `<"xi an" / R:^xian! / R:~"^xi ^an"!>`, "xi'an"},
		{"fangan", `<fangan / R:^fangan! / R:~"^fang ^an"! / R:~"^fan ^gan"!>`, "fangan"},
		{"-hongloumeng", "(-hongloumeng)", "-hongloumeng"},
		{`"hong lou meng"`, `"hong lou meng"!`, `"hong lou meng"`},
	} {
		q := Parse(c.text)
		if got := show(q.Root); got != c.tree {
			t.Errorf("%s is %s, want %s", c.text, got, c.tree)
		}
		if got := q.String(); got != c.normal {
			t.Errorf("%s: the normal form is %s, want %s", c.text, got, c.normal)
		}
		check(t, c.text)
	}
}

func TestFilters(t *testing.T) {
	for _, c := range []struct{ text, tree, filters string }{
		{"whale lang:en", "whale", "lang:en"},
		{"lang:zh,en", "all", "lang:en,zh"},
		{"lang:zh lang:en", "all", "lang:en,zh"},
		{"lang:(zh en)", "all", "lang:en,zh"},
		{"lang:zh-Hant", "all", "lang:zh"},
		{"lang:Chinese lang:ger", "all", "lang:de,zh"},
		{"语言：中文、英文", "all", "lang:en,zh"},
		{"-lang:en", "all", "-lang:en"},
		{"-(lang:en)", "all", "-lang:en"},
		{"-(whale lang:en)", "(-whale)", "-lang:en"},
		{"lang:python3", "(lang <python3 / I:@python3!>)", ""},
		{"lang:", "lang", ""},
		{"kind:article", "all", "kind:article"},
		{"类型:图书", "all", "kind:book"},
		{"kind:papers,thesis", "all", "kind:article,thesis"},
		{"kind:thing", "(kind thing)", ""},
		{"-kind:book,image", "all", "-kind:book,image"},
		{"year:1990", "all", "year:1990"},
		{"year:1990..2000", "all", "year:1990..2000"},
		{"year:1990...2000", "all", "year:1990..2000"},
		{"year:1990-2000", "all", "year:1990..2000"},
		{"year:1990–2000", "all", "year:1990..2000"},
		{"year:2000..1990", "all", "year:1990..2000"},
		{"year:1990..", "all", "year:1990.."},
		{"year:1990-", "all", "year:1990.."},
		{"year:..2000", "all", "year:..2000"},
		{"year:>1990", "all", "year:1991.."},
		{"year:>=1990", "all", "year:1990.."},
		{"year:<1990", "all", "year:..1989"},
		{"year:<=1990", "all", "year:..1990"},
		{"year:>1990 year:<2000", "all", "year:1991..1999"},
		{"year:1990 year:2000", "all", "year:2000"},
		{"year:1990s", "all", "year:1990..1999"},
		{"年:１９９０～２０００", "all", "year:1990..2000"},
		{"年份：1990年至2000年", "all", "year:1990..2000"},
		{"year:-500..-400", "all", "year:-500..-400"},
		{"year:-500", "all", "year:-500"},
		{"year:>-1", "all", "year:1.."},
		{"year:0", "(year 0)", ""},
		{"year:99999", "(year 99999)", ""},
		{"year:abc", "(year abc)", ""},
		{"year:..", "year", ""},
		{"-year:1990..2000 -year:1980", "all", "-year:1990..2000 -year:1980"},
		{"whale OR lang:en sea", "{whale | sea}", "lang:en"},
		{"lang:(zh whale", "(lang <zh / R:^zh!> whale)", ""},
	} {
		q := Parse(c.text)
		if got := show(q.Root); got != c.tree {
			t.Errorf("%s is %s, want %s", c.text, got, c.tree)
		}
		if got := showFilters(q.Filters); got != c.filters {
			t.Errorf("%s: %s, want %s", c.text, got, c.filters)
		}
		check(t, c.text)
	}
}

func TestTyping(t *testing.T) {
	for text, want := range map[string]string{
		"evolutio":   "<evolutio / evolutio* / evolut! / evoluti!>",
		"origin of ": "(origin of)",
		"origin o":   "(origin <o / o*>)",
		"红楼":         "红楼",
		"梦":          "梦*",
		"honglo":     `<honglo / honglo* / R:^honglo*! / R:^honglo! / R:~"^hong ^lo"!>`,
		"title:evol": "<T:evol / T:evol*>",
		`"evol`:      "<evol / evol*>",
		`"evol"`:     "evol!",
		"":           "all",
	} {
		if got := show(Typing(text).Root); got != want {
			t.Errorf("%s is %s, want %s", text, got, want)
		}
	}
}

func TestReplace(t *testing.T) {
	q := Parse(`evolutoin "evolutoin x" title:(evolutoin OR whale) -evolutoin lang:en`)
	if got, want := q.Replace(map[string]string{"evolutoin": "evolution"}), `evolution "evolutoin x" (title:evolution OR title:whale) -evolution lang:en`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := q.String(), `evolutoin "evolutoin x" (title:evolutoin OR title:whale) -evolutoin lang:en`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestHostile: long and crooked texts are cut, and cost little.
func TestHostile(t *testing.T) {
	var words, ored []string
	for i := range 1000 {
		words = append(words, fmt.Sprintf("w%d", i))
	}
	for i := range 1000 {
		ored = append(ored, fmt.Sprintf("w%d OR", i))
	}
	for _, text := range []string{
		strings.Join(words, " "), strings.Join(ored, " "), strings.Repeat("(", 2048), strings.Repeat("title:", 400), strings.Repeat("title:(", 400),
		strings.Repeat("-(", 1000) + "x", strings.Repeat(`"`, 2048), strings.Repeat("《", 1000), strings.Repeat("a.", 1024), strings.Repeat("红", 1000), strings.Repeat("红a", 500),
		strings.Repeat("hong ", 400), strings.Repeat("xian", 500), strings.Repeat("fangan ", 300), strings.Repeat("a*", 1000), strings.Repeat("a* ", 700), strings.Repeat("year:1 ", 300),
		strings.Repeat("-year:1..2 ", 300), "ti:" + strings.Repeat("x", 2045), `au:"` + strings.Repeat("x ", 1020) + `"`, strings.Repeat("ti:x.", 400), strings.Repeat("au:x ", 400), strings.Repeat("(a OR b) ", 200),
		strings.Repeat("\xff\x00", 1000), strings.Repeat("e\u0301", 900), strings.Repeat("ʹ", 1100), strings.Repeat("-lang:en", 200), strings.Repeat("isbn:1 ", 300), strings.Repeat("9", 2048), strings.Repeat("x-", 1000),
	} {
		check(t, text)
		if q := Parse(text); q.Terms > MaxTerms || len(q.Text) > MaxText {
			t.Errorf("%.20s: %d terms, %d bytes", text, q.Terms, len(q.Text))
		}
	}
	if q := Parse(strings.Join(words, " ")); q.Terms != MaxTerms {
		t.Errorf("%d terms", q.Terms)
	}
}

// check holds a query to what tree.go says of it, and to its normal form.
func check(t *testing.T, text string) {
	t.Helper()
	q := Parse(text)
	normal := q.String()
	again := Parse(normal)
	if again.String() != normal || show(again.Root) != show(q.Root) || !reflect.DeepEqual(again.Filters, q.Filters) || !reflect.DeepEqual(again.Root, q.Root) || again.Terms != q.Terms {
		t.Errorf("%q: the normal form %q gives another query:\n%s %s\n%s %s %q", text, normal, show(q.Root), showFilters(q.Filters), show(again.Root), showFilters(again.Filters), again.String())
	}
	if !utf8.ValidString(normal) || len(normal) > MaxText {
		t.Errorf("%q: a normal form of %d bytes: %q", text, len(normal), normal)
	}
	nodes := 0
	var walk func(n, parent Node, depth int)
	walk = func(n, parent Node, depth int) {
		if nodes++; nodes > 2000 || depth > MaxDepth {
			t.Fatalf("%q: %d nodes, %d deep", text, nodes, depth)
		}
		masked := func(mask uint8) {
			if mask == 0 {
				t.Fatalf("%q: no field", text)
			}
		}
		switch n := n.(type) {
		case *And:
			if _, flat := parent.(*And); flat || len(n.Of) == 0 {
				t.Fatalf("%q: And", text)
			}
			for _, x := range n.Of {
				walk(x, n, depth+1)
			}
		case *Or:
			if len(n.Of) < 2 {
				t.Fatalf("%q: Or", text)
			}
			for _, x := range n.Of {
				walk(x, n, depth+1)
				if or, ok := x.(*Or); ok && or.Alternatives == n.Alternatives {
					t.Fatalf("%q: Or in Or", text)
				}
			}
		case *Not:
			if _, ok := parent.(*And); !ok {
				t.Fatalf("%q: Not", text)
			}
			walk(n.Of, n, depth+1)
		case *Term:
			masked(n.Fields)
			if n.Text == "" {
				t.Fatalf("%q: an empty term", text)
			}
		case *Phrase:
			masked(n.Fields)
			if len(n.Tokens) < 2 || len(n.Tokens) > MaxTokens {
				t.Fatalf("%q: %d tokens", text, len(n.Tokens))
			}
			for _, tok := range n.Tokens {
				if tok == "" {
					t.Fatalf("%q: an empty token", text)
				}
			}
		default:
			t.Fatalf("%q: %T", text, n)
		}
	}
	for _, q := range []*Query{q, Typing(text)} {
		if q.Root != nil {
			nodes = 0
			walk(q.Root, nil, 1)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "a*", `"a b" c`, "NEAR(a b)", "红楼梦", `"""`, "10.1000/x", "ISBN 0-439-55493-4", "\x00", "a\xffb", "《红楼》楼", "title:(a OR -b) -(c d) year:1990..2000 lang:zh,en",
		"题名：红楼（梦", "hong lou meng", "-(-(-a b) c)", "isbn:0 439 55493 4", "a OR (b OR c) OR d", "(title:) x", "f(x (y) z)", "红*楼", "-year:>3 kind:book,article",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) { check(t, text) })
}

func BenchmarkParse(b *testing.B) {
	for _, text := range []string{"origin species darwin", "红楼梦 曹雪芹", "hongloumeng cao xueqin", "9780439554930"} {
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Parse(text)
			}
		})
	}
}

// TestRandom checks texts made of all that the language has, in any order.
func TestRandom(t *testing.T) {
	parts := strings.Split(`a b OR AND - -- ( ) ( ) " " 《 》 title: title: author: year: lang: kind: isbn: doi: 1990..2000 >1990 zh,en book 红楼梦 红 hong lou hlm xi'an 10.1/x(2) 10.1000/x(2) 0-439-55493-4 * + : . ， f(x e-mail x* 题名： -year:1..2 "a b" éÉ`, " ")
	r := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		var b strings.Builder
		for range r.IntN(14) {
			b.WriteString(parts[r.IntN(len(parts))])
			if r.IntN(3) > 0 {
				b.WriteByte(' ')
			}
		}
		check(t, b.String())
		if t.Failed() {
			return
		}
	}
}
