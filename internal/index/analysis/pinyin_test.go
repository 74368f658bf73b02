package analysis

import (
	"slices"
	"strings"
	"testing"
)

func readings(value string, name bool) string {
	return strings.ReplaceAll(strings.Join(Readings(nil, value, name), " "), MarkReading, "")
}

func TestReadings(t *testing.T) {
	for _, c := range []struct {
		value string
		name  bool
		want  string
	}{
		{"红楼梦", false, "hong lou meng  hongloumeng hlm"},
		{"紅樓夢", false, "hong lou meng  hongloumeng hlm"},
		{"三国演义 : 毛宗岗评", false, "san guo yan yi  sanguoyanyi sgyy  mao zong gang ping  maozonggangping mzgp"},
		{"C语言", false, "yu yan  yuyan yy"},
		{"道", false, "dao"},
		{"银行", false, "yin hang  yinhang yh"},
		{"音乐", false, "yin yue  yinyue yy"},
		{"重庆", false, "chong qing  chongqing cq"},
		{"长安", false, "chang an  changan ca"},
		{"女书", false, "nu shu  nushu ns"},
		{"单田芳", true, "shan tian fang  shantianfang stf"},
		{"曾朴", true, "zeng pu  zengpu zp"},
		{"曾經", false, "ceng jing  cengjing cj"},
		{"仇英", true, "qiu ying  qiuying qy"},
		{"尉迟恭", true, "yu chi gong  yuchigong ycg"},
		{"曹雪芹", true, "cao xue qin  caoxueqin cxq"},
		{"吾輩は猫である", false, ""},
		{"한국 漢字", false, ""},
		{"plain", false, ""},
		{"", false, ""},
		{"\xff紅\xff", false, "hong"},
	} {
		if got := readings(c.value, c.name); got != c.want {
			t.Errorf("%s: %q, want %q", c.value, got, c.want)
		}
	}
	long := strings.Repeat("梦", 1000)
	if n := len(Readings(nil, long, false)); n != maxSyllables {
		t.Errorf("%d tokens of a long value", n)
	}
	if got := Readings([]string{"x"}, "道", false); !slices.Equal(got, []string{"x", "", MarkReading + "dao"}) {
		t.Errorf("%q", got)
	}
}

func TestReadPinyin(t *testing.T) {
	for word, want := range map[string]string{
		"hongloumeng":    "hongloumeng: hong lou meng",
		"HongLouMeng":    "hongloumeng: hong lou meng",
		"hónglóumèng":    "hongloumeng: hong lou meng",
		"hong2lou2meng4": "hongloumeng: hong lou meng",
		"hong":           "hong: hong",
		"hong2":          "hong: hong",
		"hlm":            "hlm!",
		"xian":           "xian: xian, xi an",
		"xi'an":          "xian: xi an",
		"xi’an":          "xian: xi an",
		"chang'an":       "changan: chang an",
		"fangan":         "fangan: fang an, fan gan",
		"nvshu":          "nushu: nu shu",
		"nǚshū":          "nushu: nu shu",
		"lüeduo":         "lueduo: lue duo",
		"anklnn":         "anklnn!",
		"the":            "",
		"analysis":       "",
		"x":              "",
		"":               "",
		"2":              "",
		"hong9":          "",
		"红楼":             "",
		"hong红":          "",
		"sql":            "sql!",
		"sea":            "",
		"eguo":           "eguo: e guo",
		"tiananmen":      "tiananmen: tian an men, ti an an men",
	} {
		r := ReadPinyin(word)
		got := strings.TrimPrefix(r.Whole, MarkReading)
		if r.Initials {
			got += "!"
		}
		for i, p := range r.Parses {
			got += map[bool]string{true: ": ", false: ", "}[i == 0] + strings.Join(unmarked(p), " ")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
	// Nothing that is typed takes long.
	for _, word := range []string{strings.Repeat("a", 128), strings.Repeat("fangan", 10), strings.Repeat("xian", 16), strings.Repeat("xian'", 25)} {
		if r := ReadPinyin(word); len(r.Parses) > maxParses {
			t.Errorf("%s: %d parses", word, len(r.Parses))
		}
	}
}

func TestBeginsPinyin(t *testing.T) {
	for text, want := range map[string]bool{"hon": true, "honglo": true, "hlm": true, "evol": false, "comput": false, "ho": false, "": false, "红楼梦": false, "x2yz": false} {
		if BeginsPinyin(text) != want {
			t.Errorf("%q", text)
		}
	}
}

// TestTableReads looks at the table itself: what characters that every reader
// knows are read as, and that it speaks of folded characters only.
func TestTableReads(t *testing.T) {
	p := pinyinTables()
	if len(p.known) < 390 || len(p.words) < 1500 {
		t.Errorf("%d syllables, %d words", len(p.known), len(p.words))
	}
	for c, want := range map[string]string{"中国文学史": "zhong guo wen xue shi", "的": "de", "了": "le", "大": "da", "行": "xing", "诗经": "shi jing", "论语": "lun yu", "史记": "shi ji", "会计学": "kuai ji xue", "朝鲜": "chao xian", "唐朝": "tang chao", "水浒传": "shui hu zhuan", "宣传": "xuan chuan", "曾国藩家书": "zeng guo fan jia shu"} {
		ids, ok := p.read(nil, []rune(c), false)
		var got []string
		for _, n := range ids {
			got = append(got, p.syllables[n])
		}
		if s := strings.Join(unmarked(got), " "); s != want || !ok {
			t.Errorf("%s is read %s", c, s)
		}
	}
	for w := range p.words {
		if Simplify(w) != w {
			t.Errorf("%s is not folded", w)
		}
	}
	for i, n := range p.of {
		if r := rune(i + lowFrom); n != 0 && tables().simplify(r) != r {
			t.Errorf("%c is not folded", r)
		}
	}
	common := 0
	for r := rune(0x4e00); r <= 0x9fa5; r++ {
		if to := tables().simplify(r); to < 0xa000 && p.of[to-lowFrom] != 0 {
			common++
		}
	}
	if common < 20000 {
		t.Errorf("%d characters have a reading", common)
	}
}

func FuzzReadPinyin(f *testing.F) {
	for _, s := range []string{"hongloumeng", "xi'an", "hong2", "u:", "红楼梦", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := ReadPinyin(text)
		for _, p := range r.Parses {
			if len(p) == 0 || strings.ReplaceAll(strings.Join(unmarked(p), ""), "v", "u") != strings.TrimPrefix(r.Whole, MarkReading) {
				t.Fatalf("%q: %+v", text, r)
			}
		}
		for _, tok := range Readings(nil, text, true) {
			if tok != "" && (!strings.HasPrefix(tok, MarkReading) || len(tok) == len(MarkReading)) {
				t.Fatalf("%q: %q", text, tok)
			}
		}
	})
}
