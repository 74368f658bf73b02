package index

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestAnalyzeGolden holds the analysis to testdata/analyze.golden: a text, then
// its tokens with the part of the text that each is of. A change there needs
// another format number.
func TestAnalyzeGolden(t *testing.T) {
	texts := []string{
		"The Origin of Species", "Running runners run", "Sorcerer's Stone", "don’t", "L'amour d’Artagnan O'Brien",
		"紅樓夢", "红楼梦", "梦", "乾隆 後漢書 裏裡里 髮發", "紅樓夢study2", "C++ and C#", "GPT-3.5", "e\u0301tranger étranger", "Erdős Łódź Straße Øre Æsir þing",
		"Война и мир, Ёлка", "Ἰλιάς Ὀδύσσεια", "الكِتَاب", "סֵפֶר", "हिन्दी", "ไทยแลนด์", "吾輩は猫である", "スーパーマン ｽｰﾊﾟｰ", "한국의 역사", "\u1112\u1161\u11ab\u1100\u116e\u11a8",
		"Ｆｕｌｌ　ｗｉｄｔｈ１２３", "ﬁne ① ㍿ x²", "a\u200bb soft\u00adhyphen", "\ue000abc\ue001", "𠮷野家 㐂", "々〇", "🙂 emoji", "1234-567X", strings.Repeat("x", 70), "İstanbul ISTANBUL ı",
	}
	var b strings.Builder
	for _, text := range texts {
		fmt.Fprintf(&b, "%q\n", text)
		for _, tok := range Analyze(text) {
			fmt.Fprintf(&b, "\t%s\t%q\n", tok.Text, text[tok.Start:tok.End])
		}
	}
	const golden = "testdata/analyze.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the analysis has changed; if that is meant, change the format number and run with -update:\n%s", b.String())
	}
}

func TestTableFolds(t *testing.T) {
	table := t2s()
	if len(table.high) < 100 || simplify('樓') != '楼' || simplify('夢') != '梦' || simplify('楼') != '楼' || simplify('a') != 'a' {
		t.Error("the table is not what it should be")
	}
	for i, to := range table.low {
		if to != 0 && simplify(to) != to {
			t.Errorf("%c folds to %c, which folds on to %c", rune(i+foldFrom), to, simplify(to))
		}
	}
}

func FuzzAnalyze(f *testing.F) {
	for _, s := range []string{"", "The Origin", "紅樓夢", "e\u0301", "l'étranger", "\xff\xe7\xb4", "ﷺ", "\U000e0100", "क्\u200dष"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, whole := range []bool{false, true} {
			last := 0
			for _, tok := range analyze(text, whole) {
				if tok.Start < last || tok.End <= tok.Start || tok.End > len(text) || tok.Text == "" {
					t.Fatalf("token %+v after %d", tok, last)
				}
				last = tok.Start
				if strings.ContainsFunc(tok.Text, func(r rune) bool {
					return r < utf8.RuneSelf && !('a' <= r && r <= 'z' || '0' <= r && r <= '9')
				}) {
					t.Fatalf("%q is no token", tok.Text)
				}
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "a*", `"a b" c`, "NEAR(a b)", "红楼梦", `"""`, "10.1000/x", "ISBN 0-439-55493-4", "\x00", "a\xffb", "《红楼》楼"} {
		f.Add(s)
	}
	g := matcher(f)
	f.Fuzz(func(t *testing.T, text string) {
		p := parse(text)
		if len(p.terms) > MaxTerms {
			t.Fatalf("%d terms", len(p.terms))
		}
		for _, match := range []string{p.match(), suggestMatch(text)} {
			if match == "" {
				continue
			}
			if err := g(match); err != nil {
				t.Fatalf("%q is %s: %v", text, match, err)
			}
		}
		highlight(text, p.terms)
	})
}

func matcher(f *testing.F) func(match string) error {
	x, err := Open(f.Context(), Config{Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { x.Close() })
	g, release, err := x.db.Acquire()
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(release)
	return func(match string) error {
		var n int
		return g.Reader().QueryRow("SELECT COUNT(*) FROM fts WHERE fts MATCH ?", match).Scan(&n)
	}
}
