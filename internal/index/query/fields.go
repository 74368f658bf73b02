package query

import (
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/index/analysis"
	"wenlan/internal/index/segment"
	"wenlan/internal/record"
)

// Masks of fields.
const (
	title     = uint8(1) << segment.Title
	creators  = uint8(1) << segment.Creators
	about     = uint8(1) << segment.About
	publisher = uint8(1) << segment.Publisher
	abstract  = uint8(1) << segment.Abstract
	ids       = uint8(1) << segment.ID
	reading   = uint8(1) << segment.Reading
	body      = uint8(1) << segment.Body

	// Text is where a word is looked for that names no field.
	Text = title | creators | about | publisher | abstract | body
)

// field is what can stand before a colon.
type field struct {
	name    string // in the normal form
	mask    uint8  // 0: a filter
	reading bool   // there are readings of it
	other   string // further names, folded
	zh      string // names in Chinese, simplified; the first is shown
}

var fields = []*field{
	{name: "title", mask: title, reading: true, other: "ti", zh: "题名 书名 标题 题目 篇名"},
	{name: "author", mask: creators, reading: true, other: "au creator editor translator", zh: "作者 著者 责任者 译者 编者"},
	{name: "subject", mask: about, other: "subjects about keyword keywords topic", zh: "主题 关键词 主题词"},
	{name: "in", mask: about, other: "journal container series", zh: "刊名 期刊 丛书 丛编"},
	{name: "publisher", mask: publisher, other: "place", zh: "出版者 出版社 出版地"},
	{name: "abstract", mask: abstract, other: "summary", zh: "摘要 提要"},
	{name: "text", mask: body, other: "fulltext body", zh: "全文 正文"},
	{name: "isbn", mask: ids, zh: "书号"},
	{name: "issn", mask: ids, zh: "刊号"},
	{name: "doi", mask: ids},
	{name: "arxiv", mask: ids},
	{name: "id", mask: ids, other: "identifier", zh: "标识 标识符"},
	{name: "lang", other: "language languages", zh: "语言 语种"},
	{name: "kind", other: "type", zh: "类型 文献类型"},
	{name: "year", other: "years date", zh: "年 年份 年代 出版年"},
}

var fieldByName = func() map[string]*field {
	out := map[string]*field{}
	for _, f := range fields {
		for name := range strings.FieldsSeq(f.name + " " + f.other + " " + f.zh) {
			out[name] = f
		}
	}
	return out
}()

// maxName bounds the name of a field, in bytes.
const maxName = 24

// fieldOf is the field of a name; nil when there is none.
func fieldOf(name string) *field {
	if len(name) > maxName {
		return nil
	}
	return fieldByName[analysis.Folded(name)]
}

// languages are the primary subtags of names and of codes of three letters
// (ISO 639-2) that people type.
var languages = mapOf(`zh: chinese mandarin chi zho 中文 汉语 汉文 中国语 | lzh: wenyan 文言 文言文 古文 | en: english eng 英文 英语 | ja: japanese jpn 日文 日语 日本语 | ko: korean kor 韩文 韩语 朝鲜语 |
fr: french fre fra 法文 法语 | de: german ger deu 德文 德语 | es: spanish spa 西班牙文 西班牙语 | it: italian ita 意大利文 意大利语 | ru: russian rus 俄文 俄语 | pt: portuguese por 葡萄牙文 葡萄牙语 |
nl: dutch dut nld 荷兰文 荷兰语 | sv: swedish swe 瑞典文 瑞典语 | la: latin lat 拉丁文 拉丁语 | el: greek gre ell 希腊文 希腊语 | grc: 古希腊文 古希腊语 | ar: arabic ara 阿拉伯文 阿拉伯语 | he: hebrew heb 希伯来文 希伯来语 |
fa: persian per fas 波斯文 波斯语 | tr: turkish tur 土耳其文 土耳其语 | vi: vietnamese vie 越南文 越南语 | th: thai tha 泰文 泰语 | hi: hindi hin 印地文 印地语 | sa: sanskrit san 梵文 梵语 | bo: tibetan tib bod 藏文 藏语 |
mn: mongolian mon 蒙文 蒙古文 蒙古语 | pl: polish pol 波兰文 波兰语 | uk: ukrainian ukr 乌克兰文 乌克兰语 | cs: czech cze ces 捷克文 捷克语 | hu: hungarian hun 匈牙利文 匈牙利语 | fi: finnish fin 芬兰文 芬兰语 | da: danish dan 丹麦文 丹麦语 | no: norwegian nor 挪威文 挪威语 | id: indonesian ind 印尼文 印尼语`)

// kinds are the names of kinds that people type.
var kinds = mapOf(`book: books monograph 书 图书 书籍 专著 | article: articles paper papers 文章 论文 期刊论文 | chapter: chapters 章 章节 篇章 | thesis: theses dissertation 学位论文 毕业论文 | report: reports 报告 |
issue: issues 期 刊期 | dataset: datasets data 数据 数据集 | audio: sound 音频 录音 | image: images picture 图像 图片 | other: 其他 其它`)

func mapOf(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.SplitSeq(text, "|") {
		to, names, _ := strings.Cut(strings.TrimSpace(line), ":")
		out[to] = to
		for name := range strings.FieldsSeq(names) {
			out[name] = to
		}
	}
	return out
}

// listSeparators part the values of lang: and kind:.
const listSeparators = ",;|/，、；"

// values reads a list of values.
func values(text string, one func(string) (string, bool)) []string {
	var out []string
	for v := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || strings.ContainsRune(listSeparators, r) }) {
		if v, ok := one(v); ok && !slices.Contains(out, v) && len(out) < maxValues {
			out = append(out, v)
		}
	}
	return out
}

func language(text string) (string, bool) {
	text = analysis.Simplify(strings.ToLower(text))
	if to, ok := languages[text]; ok {
		return to, true
	}
	text, _, _ = strings.Cut(text, "-")
	if to, ok := languages[text]; ok {
		return to, true
	}
	if len(text) < 2 || len(text) > 3 || strings.ContainsFunc(text, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return "", false
	}
	return text, true
}

func kind(text string) (string, bool) {
	text = analysis.Simplify(strings.ToLower(text))
	to, ok := kinds[text]
	return to, ok && slices.Contains(record.Kinds, record.Kind(to))
}

// years reads a range of years: 1990, 1990..2000, 1990-2000, 1990.., ..2000,
// >1990, >=1990, <1990, <=1990, 1990s, 1990年; years before our era have a minus.
func years(text string) (Years, bool) {
	text = strings.Map(func(r rune) rune {
		switch {
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		case r == '＞':
			return '>'
		case r == '＜':
			return '<'
		case r == '＝':
			return '='
		case r == '．' || r == '。':
			return '.'
		case r == '–' || r == '—' || r == '~' || r == '～' || r == '〜' || r == '至' || r == '到' || r == ',' || r == '，' || r == '/':
			return '~'
		case r == '年' || r == ' ':
			return -1
		}
		return r
	}, strings.ReplaceAll(text, "…", ".."))
	for strings.Contains(text, "...") {
		text = strings.ReplaceAll(text, "...", "..")
	}
	for op, edge := range map[string]func(int) Years{
		">=": func(y int) Years { return Years{From: y} }, "<=": func(y int) Years { return Years{To: y} },
		">": func(y int) Years { return Years{From: after(y)} }, "<": func(y int) Years { return Years{To: before(y)} },
		"≥": func(y int) Years { return Years{From: y} }, "≤": func(y int) Years { return Years{To: y} },
	} {
		if rest, ok := strings.CutPrefix(text, op); ok && !strings.HasPrefix(rest, "=") {
			y, ok := year(rest)
			return edge(y), ok
		}
	}
	if decade, ok := strings.CutSuffix(text, "s"); ok {
		y, ok := year(decade)
		return Years{From: y, To: y + 9}, ok && y > 0 && y%10 == 0
	}
	from, to, ok := strings.Cut(text, "..")
	if !ok {
		from, to, ok = strings.Cut(text, "~")
	}
	if !ok && len(text) > 1 {
		if i := strings.IndexByte(text[1:], '-'); i >= 0 { // not the minus of a year
			from, to, ok = text[:i+1], text[i+2:], true
		}
	}
	if !ok {
		y, ok := year(text)
		return Years{From: y, To: y}, ok
	}
	var r Years
	var okFrom, okTo = true, true
	if from != "" {
		r.From, okFrom = year(from)
	}
	if to != "" {
		r.To, okTo = year(to)
	}
	if r.From != 0 && r.To != 0 && r.From > r.To {
		r.From, r.To = r.To, r.From
	}
	return r, okFrom && okTo && (from != "" || to != "")
}

// There is no year 0: the year after 1 BC is 1.
func after(y int) int {
	if y == -1 {
		return 1
	}
	return y + 1
}

func before(y int) int {
	if y == 1 {
		return -1
	}
	return y - 1
}

func year(text string) (int, bool) {
	digits := strings.TrimPrefix(text, "-")
	if len(digits) == 0 || len(digits) > 4 || digits[0] == '+' || digits[0] == '-' {
		return 0, false
	}
	y, err := strconv.Atoi(text)
	return y, err == nil && y != 0
}

// narrow is the years that are in both ranges; the second, when there are none.
func narrow(a, b Years) Years {
	out := b
	if a.From != 0 && (b.From == 0 || a.From > b.From) {
		out.From = a.From
	}
	if a.To != 0 && (b.To == 0 || a.To < b.To) {
		out.To = a.To
	}
	if out.From != 0 && out.To != 0 && out.From > out.To {
		return b
	}
	return out
}

func (y Years) String() string {
	from, to := "", ""
	if y.From != 0 {
		from = strconv.Itoa(y.From)
	}
	if y.To != 0 {
		to = strconv.Itoa(y.To)
	}
	if from == to {
		return from
	}
	return from + ".." + to
}
