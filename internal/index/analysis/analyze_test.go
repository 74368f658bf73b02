package analysis

import (
	"flag"
	"fmt"
	"os"
	"slices"
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
		"Nguyễn Đình Thi", "広辞苑 図書館 桜", "芸 弁", "١٩٨٤ १२३ ۱۲۳", "مكتبة على کتاب ی", "ʿAbd al-Raḥmān Mysʹl", "oﬃce Ĳssel", "が か\u3099 葛\U000e0100城",
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

func TestSame(t *testing.T) {
	// What people write in several ways gives the same tokens.
	for _, same := range [][]string{
		{"红楼梦", "紅樓夢", "紅楼夢"},
		{"図書館", "圖書館", "图书馆"},
		{"広辞苑", "廣辭苑"},
		{"Straße", "STRASSE", "strasse"},
		{"ﬁle", "file", "ｆｉｌｅ", "FILE"},
		{"Nguyễn", "Nguyen", "NGUYÊN"},
		{"ıstanbul", "İstanbul", "istanbul"},
		{"ёлка", "елка", "Ёлка"},
		{"כָּתַב", "כתב"},
		{"كِتَاب", "كتاب", "کتاب"},
		{"أحمد", "احمد"},
		{"1984", "١٩٨٤", "１９８４", "१९८४"},
		{"スーパー", "ｽｰﾊﾟｰ"},
		{"don't", "don’t", "dont"},
		{"co-operation", "co operation", "co–operation"},
		{"studies", "study", "Studied"},
	} {
		want := (&Analyzer{}).Append(nil, same[0])
		for _, text := range same[1:] {
			if got := (&Analyzer{}).Append(nil, text); !slices.Equal(got, want) {
				t.Errorf("%s is %q and %s is %q", same[0], want, text, got)
			}
		}
	}
}

func TestValues(t *testing.T) {
	var a Analyzer
	got := a.Values([]string{"before"}, "", "A b", "...", "红楼", strings.Repeat("x ", MaxField), "never")
	if want := []string{"before", "a", "b", "", "红楼", "楼", "", "x"}; !slices.Equal(got[:8], want) {
		t.Errorf("%q", got[:8])
	}
	if slices.Contains(got, "never") {
		t.Error("a field has no limit")
	}
	if got := a.Values(nil, "!", "?"); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func TestPrefixStems(t *testing.T) {
	for word, want := range map[string]string{"evolutio": "evolut", "computin": "comput", "studies": "studi", "relativit": "relat"} {
		if got := PrefixStems(word); !slices.Contains(got, want) {
			t.Errorf("%s: %q", word, got)
		}
	}
	for _, word := range []string{"", "abc", "红楼", "x2ing", strings.Repeat("x", 100)} {
		if got := PrefixStems(word); len(got) > 0 {
			t.Errorf("%s: %q", word, got)
		}
	}
}

func TestTableFolds(t *testing.T) {
	table := tables()
	for from, to := range map[rune]rune{'樓': '楼', '夢': '梦', '楼': '楼', 'a': 'a', '広': '广', '芸': '芸', '弁': '弁'} {
		if table.simplify(from) != to {
			t.Errorf("%c folds to %c", from, table.simplify(from))
		}
	}
	if len(table.high) < 100 {
		t.Errorf("%d characters above the basic plane", len(table.high))
	}
	for i, to := range table.low {
		if to != 0 && table.simplify(to) != to {
			t.Errorf("%c folds to %c, which folds on to %c", rune(i+lowFrom), to, table.simplify(to))
		}
	}
}

// TestFast compares the short ways with the long one for every character that has
// one, alone and with marks that could change it.
func TestFast(t *testing.T) {
	for _, x := range ranges {
		for r := x.lo; r < x.hi; r++ {
			for _, beside := range []string{"", "a", "\u0301", "\u0323", "\u3099", "\u11a8", "\u0345", "\ufe00", "梦", "e\u0301"} {
				checkFast(t, string(r)+beside)
				checkFast(t, beside+string(r)+beside)
			}
		}
	}
}

func checkFast(t *testing.T, text string) {
	t.Helper()
	for _, whole := range []bool{false, true} {
		fast, slow := analyze(text, mode{whole: whole}), analyze(text, mode{whole: whole, slow: true})
		// The long way may count a mark that becomes a token with what is before it, too.
		same := func(a, b Token) bool {
			return a.Text == b.Text && a.Single == b.Single && a.Start >= b.Start && a.End <= b.End
		}
		if !slices.EqualFunc(fast, slow, same) {
			t.Fatalf("%q: %+v, the long way %+v", text, fast, slow)
		}
	}
}

func FuzzAnalyze(f *testing.F) {
	for _, s := range []string{"", "The Origin", "紅樓夢", "e\u0301", "l'étranger", "\xff\xe7\xb4", "ﷺ", "\U000e0100", "क्\u200dष", "か\u3099\u3099", "가\u11a8", "½…"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		checkFast(t, text)
		for _, whole := range []bool{false, true} {
			last := 0
			for _, tok := range analyze(text, mode{whole: whole}) {
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
