package format

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	utf16enc "golang.org/x/text/encoding/unicode"

	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/testdata"
)

// Article 1 of the Universal Declaration of Human Rights, or a few plain
// sentences, in many languages.
var samples = map[string]string{
	"en":      "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and should act towards one another in a spirit of brotherhood.",
	"fr":      "Tous les êtres humains naissent libres et égaux en dignité et en droits. Ils sont doués de raison et de conscience et doivent agir les uns envers les autres dans un esprit de fraternité.",
	"de":      "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt und sollen einander im Geist der Brüderlichkeit begegnen.",
	"es":      "Todos los seres humanos nacen libres e iguales en dignidad y derechos y, dotados como están de razón y conciencia, deben comportarse fraternalmente los unos con los otros.",
	"it":      "Tutti gli esseri umani nascono liberi ed eguali in dignità e diritti. Essi sono dotati di ragione e di coscienza e devono agire gli uni verso gli altri in spirito di fratellanza.",
	"pt":      "Todos os seres humanos nascem livres e iguais em dignidade e em direitos. Dotados de razão e de consciência, devem agir uns para com os outros em espírito de fraternidade.",
	"nl":      "Alle mensen worden vrij en gelijk in waardigheid en rechten geboren. Zij zijn begiftigd met verstand en geweten, en behoren zich jegens elkander in een geest van broederschap te gedragen.",
	"sv":      "Alla människor är födda fria och lika i värde och rättigheter. De har utrustats med förnuft och samvete och bör handla gentemot varandra i en anda av gemenskap.",
	"pl":      "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw. Są oni obdarzeni rozumem i sumieniem i powinni postępować wobec innych w duchu braterstwa.",
	"fi":      "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan. Heille on annettu järki ja omatunto, ja heidän on toimittava toisiaan kohtaan veljeyden hengessä.",
	"tr":      "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar. Akıl ve vicdana sahiptirler ve birbirlerine karşı kardeşlik zihniyeti ile hareket etmelidirler. Bu da çok önemli bir şey.",
	"la":      "Gallia est omnis divisa in partes tres, quarum unam incolunt Belgae, aliam Aquitani, tertiam qui ipsorum lingua Celtae, nostra Galli appellantur. Hi omnes lingua, institutis, legibus inter se differunt.",
	"ru":      "Все люди рождаются свободными и равными в своём достоинстве и правах. Они наделены разумом и совестью и должны поступать в отношении друг друга в духе братства.",
	"uk":      "Всі люди народжуються вільними і рівними у своїй гідності та правах. Вони наділені розумом і совістю і повинні діяти у відношенні один до одного в дусі братерства.",
	"ar":      "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق. وقد وهبوا عقلا وضميرا وعليهم أن يعامل بعضهم بعضا بروح الإخاء. هذا من كل ما كان في ذلك.",
	"fa":      "تمام افراد بشر آزاد به دنیا می آیند و از لحاظ حیثیت و حقوق با هم برابرند. همه دارای عقل و وجدان می باشند و باید نسبت به یکدیگر با روح برادری رفتار کنند.",
	"he":      "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם. כולם חוננו בתבונה ובמצפון, לפיכך חובה עליהם לנהוג איש ברעהו ברוח של אחווה. הוא לא היה על זה.",
	"el":      "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. Είναι προικισμένοι με λογική και συνείδηση, και οφείλουν να συμπεριφέρονται μεταξύ τους με πνεύμα αδελφοσύνης.",
	"hi":      "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। उन्हें बुद्धि और अन्तरात्मा की देन प्राप्त है और परस्पर उन्हें भाईचारे के भाव से बर्ताव करना चाहिए।",
	"th":      "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
	"ja":      "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
	"ko":      "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. 인간은 천부적으로 이성과 양심을 부여받았으며 서로 형제애의 정신으로 행동하여야 한다.",
	"zh-Hans": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。这个国家的人们说，我们从来没有见过这样的书。",
	"zh-Hant": "人人生而自由，在尊嚴和權利上一律平等。他們賦有理性和良心，並應以兄弟關係的精神相對待。這個國家的人們說，我們從來沒有見過這樣的書。",
	"zh":      "子曰：君子不器。人之生也直，性相近也，習相遠也。天何言哉。",
}

func TestDetectLanguage(t *testing.T) {
	for want, text := range samples {
		got, confidence := DetectLanguage(text)
		if got != want || confidence < 0.3 {
			t.Errorf("told %q (%.2f), want %q", got, confidence, want)
		}
	}
	for _, text := range []string{"", "12345 67.8 ----", "\x00\xff\xfe", "☃☃☃"} {
		if got, confidence := DetectLanguage(text); got != "" || confidence != 0 {
			t.Errorf("%q: told %q (%.2f)", text, got, confidence)
		}
	}
}

func TestNormalLanguage(t *testing.T) {
	for in, want := range map[string]string{
		"en": "en", "en_GB": "en-GB", "EN-us": "en-US", "eng": "en", "zh-hans-CN": "zh-Hans-CN", "chi": "zh", "English": "en", "中文": "zh",
		"und": "", "": "", "not a language": "", "zxx": "", "x-default": "", "de-1996": "de-1996", strings.Repeat("a", 100): "",
	} {
		if got := normalLanguage(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestCharsets(t *testing.T) {
	zhHans := strings.Repeat(samples["zh-Hans"]+"\n", 2)
	zhHant := strings.Repeat(samples["zh-Hant"]+"\n", 2)
	cases := []struct {
		name string
		enc  encoding.Encoding
		text string
	}{
		{"gb18030", simplifiedchinese.GB18030, zhHans},
		{"gb18030", simplifiedchinese.GBK, "第一回 甄士隐梦幻识通灵\n\n此开卷第一回也。作者自云：因曾历过一番梦幻之后，故将真事隐去。\n"},
		{"gb18030", simplifiedchinese.GB18030, "我们"},
		{"big5", traditionalchinese.Big5, zhHant},
		{"big5", traditionalchinese.Big5, "道可道，非常道；名可名，非常名。無名天地之始。\r\n"},
		{"shift_jis", japanese.ShiftJIS, samples["ja"] + "\r\n吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"},
		{"euc-jp", japanese.EUCJP, samples["ja"] + "\n吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。"},
		{"iso-2022-jp", japanese.ISO2022JP, samples["ja"]},
		{"euc-kr", korean.EUCKR, samples["ko"]},
		{"windows-1252", charmap.Windows1252, samples["fr"]},
		{"windows-1252", charmap.Windows1252, samples["de"]},
		{"windows-1252", charmap.Windows1252, "“It’s a long way,” he said—and was gone. The old man had seen it all before."},
		{"windows-1251", charmap.Windows1251, samples["ru"]},
		{"koi8-r", charmap.KOI8R, samples["ru"]},
		{"windows-1250", charmap.Windows1250, samples["pl"]},
		{"windows-1253", charmap.Windows1253, strings.ReplaceAll(samples["el"], "·", "")},
		{"windows-1255", charmap.Windows1255, samples["he"]},
		{"windows-1256", charmap.Windows1256, samples["ar"]},
		{"utf-16le", utf16enc.UTF16(utf16enc.LittleEndian, utf16enc.UseBOM), zhHans},
		{"utf-16be", utf16enc.UTF16(utf16enc.BigEndian, utf16enc.UseBOM), zhHans},
		{"utf-16le", utf16enc.UTF16(utf16enc.LittleEndian, utf16enc.IgnoreBOM), zhHans},
		{"utf-16be", utf16enc.UTF16(utf16enc.BigEndian, utf16enc.IgnoreBOM), zhHant},
		{"utf-16le", utf16enc.UTF16(utf16enc.LittleEndian, utf16enc.IgnoreBOM), samples["en"]},
		{"utf-16be", utf16enc.UTF16(utf16enc.BigEndian, utf16enc.IgnoreBOM), samples["ru"]},
		{"utf-8", encoding.Nop, samples["hi"]},
		{"utf-8", encoding.Nop, "\ufeff" + samples["fr"]},
		{"utf-8", encoding.Nop, samples["en"]},
	}
	for _, c := range cases {
		data, err := c.enc.NewEncoder().Bytes([]byte(c.text))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		text, charset, broken, err := decodeText(data)
		if err != nil || charset != c.name || broken != 0 || strings.TrimPrefix(text, "\ufeff") != strings.TrimPrefix(c.text, "\ufeff") {
			t.Errorf("%s: got %s, %d broken, %v: %.60s", c.name, charset, broken, err, text)
		}
	}
	for _, data := range []string{"\x00\x01\x02\x03\x04\x05", "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00"} {
		if _, charset, _, err := decodeText([]byte(data)); !errs.Is(err, errs.Refused) {
			t.Errorf("%q was read as %s", data, charset)
		}
	}
}

// Chapters of real books, written in the encodings of their time and place.
func TestRealCharsets(t *testing.T) {
	dir := testdata.Dir(t)
	for _, c := range []struct {
		name, file string
		enc        encoding.Encoding
	}{
		{"gb18030", "books/zh/三国演义.epub", simplifiedchinese.GB18030},
		{"gb18030", "books/zh/红楼梦.epub", simplifiedchinese.GB18030},
		{"gb18030", "books/zh/孟子.epub", simplifiedchinese.GB18030},
		{"big5", "books/zh/紅樓夢.epub", traditionalchinese.Big5},
		{"big5", "books/zh/吶喊.epub", traditionalchinese.Big5},
	} {
		data, err := os.ReadFile(filepath.Join(dir, c.file))
		if err != nil {
			t.Fatal(err)
		}
		for i, chapter := range chaptersOf(t, data, MediaEPUB) {
			if len(chapter.Text) < 600 || i%10 != 3 {
				continue
			}
			// Rare characters that the encoding lacks become question marks.
			raw, err := encoding.ReplaceUnsupported(c.enc.NewEncoder()).Bytes([]byte(chapter.Text))
			if err != nil {
				t.Fatal(err)
			}
			raw = bytes.ReplaceAll(raw, []byte{0x1a}, []byte("?"))
			if _, charset, broken, err := decodeText(raw); charset != c.name || broken != 0 || err != nil {
				t.Errorf("%s, %s: read as %q, %d broken, %v", c.file, chapter.Href, charset, broken, err)
			}
		}
	}
}

func TestPlainText(t *testing.T) {
	text := "书名：西游记\n作者：吴承恩\n\n第一回　灵根育孕源流出\n诗曰：混沌未分天地乱。\n第二回 悟彻菩提真妙理\n话表美猴王得了姓名。\n"
	raw, err := simplifiedchinese.GB18030.NewEncoder().Bytes([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	doc := parseBytes(t, "unnamed.txt", raw)
	if doc.Record.Title != "西游记" || len(doc.Record.Creators) != 1 || doc.Record.Creators[0].Name != "吴承恩" ||
		doc.MediaType != "text/plain; charset=gb18030" || !reflect.DeepEqual(doc.Record.Languages, []string{"zh-Hans"}) {
		t.Errorf("got %+v as %s", doc.Record, doc.MediaType)
	}
	list := chaptersOf(t, raw, doc.MediaType)
	if len(list) != 3 || list[1].Title != "第一回 灵根育孕源流出" || !strings.Contains(list[2].Text, "美猴王") {
		t.Errorf("chapters %+v", list)
	}
	doc = parseBytes(t, "some/folder/The_Old_Book.txt", []byte("It was the best of times.\n"))
	if doc.Record.Title != "The Old Book" {
		t.Errorf("title %q", doc.Record.Title)
	}
	long := chaptersOf(t, bytes.Repeat([]byte("好"), 100_000), MediaText)
	if len(long) != 5 {
		t.Errorf("%d chapters of one long line", len(long))
	}
}

func TestMarkdown(t *testing.T) {
	data := []byte("---\ntitle: \"A Guide\"\nsubtitle: For All\nauthor:\n  - Ann One\n  - name: Bo Two\nlang: en-GB\ndate: 2024-03-05\nlicense: CC-BY-4.0\nkeywords: [a, 'b c']\n---\n\n" +
		"# First *part*\n\nSee [the page](http://x.example/) and ![a picture](p.png).\n\n```\n# not a heading\n```\n\nSecond part\n-----------\n\n> quoted `code`\n\n<script>evil()</script>The end of it.\n")
	doc := parseBytes(t, "guide.md", data)
	r := doc.Record
	if r.Title != "A Guide" || len(r.Creators) != 2 || r.Creators[1].Name != "Bo Two" || r.Languages[0] != "en-GB" || r.Issued != "2024-03-05" ||
		len(r.Subjects) != 2 || doc.Rights == nil || doc.Rights.Licence != "CC-BY-4.0" || r.AltTitles[0] != "A Guide: For All" {
		t.Errorf("got %+v, rights %+v", r, doc.Rights)
	}
	list := chaptersOf(t, data, doc.MediaType)
	if len(list) != 2 || list[0].Title != "First *part" && list[0].Title != "First part" || list[1].Title != "Second part" ||
		!strings.Contains(list[0].Text, "See the page and a picture.") || strings.Contains(list[0].Text, "not a heading") ||
		!strings.Contains(list[1].Text, "quoted code") || strings.Contains(list[1].Text, "evil") {
		t.Errorf("chapters %+v", list)
	}
	if doc := parseBytes(t, "x.md", []byte("Text first.\n\n## The heading ##\n\nMore.")); doc.Record.Title != "The heading" {
		t.Errorf("title %q", doc.Record.Title)
	}
}

func TestHTML(t *testing.T) {
	data := []byte(`<!DOCTYPE html><html lang="fr"><head><meta charset="iso-8859-1"><title>L'` + "\xe9t\xe9" + `</title><meta name="author" content="Anne B">
<meta name="DC.rights" content="All of it is mine"><link rel="license" href="https://creativecommons.org/publicdomain/zero/1.0/"><script>var x = "</p>";</script></head>
<body onload="x()"><h1>Un</h1><p>Le premier.<h2>Deux</h2><p>La suite &amp; la fin.<a rel="license" href="https://creativecommons.org/licenses/by/4.0/">x</a></body></html>`)
	doc := parseBytes(t, "page.bin", data)
	r := doc.Record
	if r.Title != "L'été" || len(r.Creators) != 1 || r.Languages[0] != "fr" || doc.Rights == nil || doc.Rights.Licence != "CC0-1.0" ||
		doc.RightsText != "All of it is mine" || len(doc.Warnings) != 1 || doc.MediaType != MediaHTML {
		t.Errorf("got %+v, rights %+v %q, warnings %q", r, doc.Rights, doc.RightsText, doc.Warnings)
	}
	list := chaptersOf(t, data, doc.MediaType)
	if len(list) != 2 || list[0].Title != "Un" || list[1].Title != "Deux" || list[1].Text != "Deux\nLa suite & la fin.x" {
		t.Errorf("chapters %+v", list)
	}
}

func TestComic(t *testing.T) {
	page := func(n int) string { return makePNG(t, 10+n, 20) }
	data := makeZip(t, entry{"p10.png", page(10), 0}, entry{"p2.png", page(2), 0}, entry{"p1.png", page(1), 0}, entry{"__MACOSX/p1.png", "x", 0},
		entry{"ComicInfo.xml", `<ComicInfo><Title>The Start</Title><Series>Saga</Series><Number>1</Number><Writer>A. One, B. Two</Writer><Penciller>C</Penciller>
<Year>1950</Year><Month>4</Month><LanguageISO>en</LanguageISO><Summary>What &lt;b&gt;happens&lt;/b&gt;.</Summary><Genre>Adventure</Genre>
<Pages><Page Image="1" Type="FrontCover"/></Pages></ComicInfo>`, 8})
	doc := parseBytes(t, "saga.cbz", data)
	r := doc.Record
	if r.Title != "The Start" || *r.Container != (record.Container{Title: "Saga", Issue: "1"}) || len(r.Creators) != 3 || r.Issued != "1950-04" ||
		doc.Pages != 3 || doc.MediaType != MediaCBZ || doc.Cover == nil || r.Abstract != "What happens." {
		t.Errorf("got %+v, %d pages", r, doc.Pages)
	}
	if width, _, _ := imageSize(doc.Cover.Data); width != 12 {
		t.Errorf("the cover is the page of width %d", width)
	}
	c, err := OpenCBZ(bytes.NewReader(data))
	if err != nil || !reflect.DeepEqual(c.Pages(), []string{"p1.png", "p2.png", "p10.png"}) {
		t.Fatalf("pages %v, %v", c.Pages(), err)
	}
	rc, mediaType, _, err := c.Resource("p2.png")
	if err != nil || mediaType != "image/png" {
		t.Fatalf("page of type %q, %v", mediaType, err)
	}
	if err := rc.Close(); err != nil {
		t.Error(err)
	}
	if doc := parseBytes(t, "Some Comic 01.zip", makeZip(t, entry{"1.png", page(1), 0})); doc.MediaType != MediaCBZ || doc.Record.Title != "Some Comic 01" {
		t.Errorf("got %q as %s", doc.Record.Title, doc.MediaType)
	}
}

func TestCSL(t *testing.T) {
	r, rights, err := ParseCSL([]byte(`[{"type":"article-journal","title":"On <i>Things</i>","author":[{"family":"Beethoven","given":"Ludwig","non-dropping-particle":"van"},
{"family":"鲁","given":"迅"},{"literal":"The Society"}],"translator":[{"family":"Doe"}],"issued":{"date-parts":[["2020",3,5]]},"container-title":["Journal of Things"],
"volume":12,"issue":"3","page":"1-9","ISSN":["0378-5955"],"DOI":"10.1000/XYZ","ISBN":"978-0-306-40615-7 9780306406158 (pbk.)","language":"en-US","abstract":"<jats:p>Short.</jats:p>",
"license":[{"URL":"https://creativecommons.org/licenses/by/4.0/"}],"keyword":"a, b","unknown":{"x":[1]}}]`))
	if err != nil {
		t.Fatal(err)
	}
	want := record.Record{Title: "On Things", Kind: record.Article, Issued: "2020-03-05", Languages: []string{"en-US"}, Abstract: "Short.",
		Creators: []record.Creator{{Name: "Ludwig van Beethoven", AltNames: []string{"van Beethoven, Ludwig"}, Role: "aut"}, {Name: "鲁迅", Role: "aut"},
			{Name: "The Society", Role: "aut"}, {Name: "Doe", Role: "trl"}},
		Container: &record.Container{Title: "Journal of Things", Volume: "12", Issue: "3", Pages: "1-9", ISSN: "0378-5955"},
		Subjects:  []record.Subject{{Label: "a"}, {Label: "b"}},
		IDs:       []record.ID{{Scheme: "isbn", Value: "9780306406157"}, {Scheme: "local", Value: "9780306406158"}, {Scheme: "doi", Value: "10.1000/xyz"}}}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("got  %+v %+v\nwant %+v %+v", r, r.Container, want, want.Container)
	}
	if rights == nil || rights.Licence != "CC-BY-4.0" {
		t.Errorf("rights %+v", rights)
	}
	for _, bad := range []string{"", "[]", "null", "7", `{"title":""}`, `[{"title":"a"},{"title":"b"}]`, `{"title":`, strings.Repeat("[", 20000)} {
		if _, _, err := ParseCSL([]byte(bad)); !errs.Is(err, errs.Refused) {
			t.Errorf("%.20q: %v", bad, err)
		}
	}
}

func TestEDTF(t *testing.T) {
	for in, want := range map[string]string{
		"1850": "1850", "1850-03": "1850-03", "1850-3-7": "1850-03-07", "2014-05-25T00:00:00Z": "2014-05-25", "2023-02-30": "2023-02",
		"0101-01-01T00:00:00+00:00": "", "c. 1850": "1850~", "约1850": "1850~", "1850?": "1850?", "18??": "18XX", "185-": "185X", "1850-1860": "1850/1860",
		"[1850]": "1850", "©1999": "1999", "5 March 1850": "1850-03-05", "March 1850": "1850-03", "2020年3月5日": "2020-03-05", "2020年": "2020",
		"20200305": "2020-03-05", "1/2/2003": "2003", "no date": "", "": "", "0000": "", "-0044": "-0044", "2020-13-45": "2020",
		"-0299": "-0299", "-300": "-0300", "-44": "-0044", "476": "0476", "ca. 800": "0800~", "12": "", "-0299~": "-0299~", "-0383/-0321": "-0383/-0321", "-0026/0014": "-0026/0014", "-0299-03-15": "-0299-03-15",
		"300 BC": "-0299", "300 B.C.": "-0299", "300 BCE": "-0299", "300 B.C.E.": "-0299", "300BC": "-0299", "ca. 300 BC": "-0299~", "c. 300 B.C.": "-0299~", "[ca. 300 B.C.?]": "-0299%", "300? BC": "-0299?", "1 BC": "0000", "1200 BC": "-1199",
		"300 v. Chr.": "-0299", "um 300 v.Chr.": "-0299~", "300 av. J.-C.": "-0299", "300 a.C.": "-0299", "300 до н. э.": "-0299", "公元前300年": "-0299", "约公元前300年": "-0299~", "前300": "-0299", "紀元前 4 年": "-0003", "B.C. 300": "-0299",
		"384–322 BC": "-0383/-0321", "384 B.C.-322 B.C.": "-0383/-0321", "ca. 384-322 BC": "-0383~/-0321~", "27 BC-14 AD": "-0026/0014", "322-384 BC": "", "27-14 AD": "",
		"3rd century BC": "-0299/-0200", "公元前1世纪": "-0099/0000", "476 AD": "0476", "476 CE": "0476", "0 BC": "", "12345 BC": "", "Dec": "", "CD": "",
	} {
		if got := edtf(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// Several identifiers in one field are taken apart, and each is held to its form.
func TestSplitIDs(t *testing.T) {
	for _, c := range []struct{ scheme, in, want string }{
		{"doi", "10.1234/a; 10.1234/b", "10.1234/a|10.1234/b"},
		{"doi", "https://doi.org/10.1234/a,doi:10.1234/b  10.1234/c", "https://doi.org/10.1234/a|doi:10.1234/b|10.1234/c"},
		{"doi", "10.1002/(SICI)1097-4571(199806)49:8<693::AID-ASI4>3.0.CO;2-O", "10.1002/(SICI)1097-4571(199806)49:8<693::AID-ASI4>3.0.CO;2-O"},
		{"doi", "see 10.1234/a and 10.1234/b", "see 10.1234/a and 10.1234/b"},
		{"", "10.1234/a, 10.1234/b", "10.1234/a|10.1234/b"},
		{"isbn", "978-0-306-40615-7, 9780141439518", "978-0-306-40615-7|9780141439518"},
		{"isbn", "978 0 306 40615 7", "978 0 306 40615 7"},
		{"isbn", "9780306406157 (hbk.) ; 9780141439510 (vol. 3)", "9780306406157|9780141439510"},
		{"issn", "1234-5679 (Print); 2049-3630 (Online)", "1234-5679|2049-3630"},
		{"issn", "1234-5679 12", "1234-5679 12"},
		{"url", "https://x.example/10.1234/a, 10.1234/b", "https://x.example/10.1234/a, 10.1234/b"},
	} {
		if got := strings.Join(splitIDs(c.scheme, c.in), "|"); got != c.want {
			t.Errorf("%s %q: %q", c.scheme, c.in, got)
		}
	}
	for form, raw := range map[string]string{
		"bibtex":   "@book{a, title={T}, doi={10.1234/a; 10.1234/b}, isbn={9780306406157, 9780141439518}, issn={1234-5679, 2049-3630}}",
		"ris":      "TY  - BOOK\nTI  - T\nDO  - 10.1234/a; 10.1234/b\nSN  - 9780306406157 9780141439518\nSN  - 1234-5679 2049-3630\nER  - \n",
		"csl":      `{"type":"book","title":"T","DOI":"10.1234/a; 10.1234/b","ISBN":"9780306406157, 9780141439518","ISSN":"1234-5679, 2049-3630"}`,
		"simple":   `{"type":"book","title":"T","doi":"10.1234/a; 10.1234/b","isbn":"9780306406157; 9780141439518","issn":["1234-5678, 1234-5679","2049-3630"]}`,
		"crossref": `{"type":"book","title":["T"],"DOI":"10.1234/a; 10.1234/b","ISBN":["9780306406157, 9780141439518"],"ISSN":["1234-5679, 2049-3630"]}`,
	} {
		got := readBulk(t, form, strings.NewReader(raw))
		if len(got) != 1 || got[0].err != nil {
			t.Fatalf("%s: %+v", form, got)
		}
		d := got[0].d
		for _, id := range []record.ID{{Scheme: "doi", Value: "10.1234/a"}, {Scheme: "doi", Value: "10.1234/b"}, {Scheme: "isbn", Value: "9780306406157"}, {Scheme: "isbn", Value: "9780141439518"}} {
			if !slices.Contains(d.Record.IDs, id) {
				t.Errorf("%s: %v is not in %v", form, id, d.Record.IDs)
			}
		}
		second := slices.Contains(d.Record.IDs, record.ID{Scheme: "issn", Value: "2049-3630"}) || strings.Contains(string(d.ExtraJSON()), "2049-3630")
		warned := ""
		if form == "simple" {
			warned = "the ISSN 1234-5678 has a wrong check digit or form"
		}
		if d.Record.Container == nil || d.Record.Container.ISSN != "1234-5679" || !second || strings.Join(d.Warnings, "; ") != warned {
			t.Errorf("%s: %+v, %v, %s", form, d.Record.Container, d.Warnings, d.ExtraJSON())
		}
	}
}

// A class is told by a scheme that is stated; a number alone is a word.
func TestCodedSubjects(t *testing.T) {
	for in, want := range map[string]record.Subject{
		"ddc:823.912": {Scheme: "ddc", Code: "823.912", Label: "823.912"}, "DDC 823.912": {Scheme: "ddc", Code: "823.912", Label: "823.912"},
		"ddc:820 Englische Literatur": {Scheme: "ddc", Code: "820", Label: "Englische Literatur"}, "clc:I247.5": {Scheme: "clc", Code: "I247.5", Label: "I247.5"},
		"LCC: PR4034 .P7": {Scheme: "lcc", Code: "PR4034 .P7", Label: "PR4034 .P7"}, "823.912": {Label: "823.912"}, "TP311.1": {Label: "TP311.1"}, "NLM style": {Label: "NLM style"}, "DDC Systems": {Label: "DDC Systems"}, "": {},
	} {
		if got := subjectOf(in); got != want {
			t.Errorf("%q: %+v", in, got)
		}
	}
	raw := `<record><metadata><dc><title>T</title><subject xmlns:xsi="x" xsi:type="dcterms:DDC">823.912</subject><subject scheme="http://purl.org/dc/terms/DDC">510</subject><subject scheme="MeSH">Neoplasms</subject><subject>ddc:004</subject><subject>821.111</subject></dc></metadata></record>`
	d, err := parseOAI([]byte(raw))
	want := []record.Subject{{Scheme: "ddc", Code: "823.912", Label: "823.912"}, {Scheme: "ddc", Code: "510", Label: "510"}, {Scheme: "mesh", Label: "Neoplasms"}, {Scheme: "ddc", Code: "004", Label: "004"}, {Label: "821.111"}}
	if err != nil || !slices.Equal(d.Record.Subjects, want) {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestParseID(t *testing.T) {
	for _, c := range []struct{ scheme, value, want string }{
		{"", "urn:isbn:9780306406157", "isbn 9780306406157"},
		{"", "978-0-306-40615-7", "isbn 9780306406157"},
		{"ISBN", "0306406152", "isbn 9780306406157"},
		{"", "0306406152", "local 0306406152"}, // ten digits alone may be anything
		{"", "9780306406158", "local 9780306406158"},
		{"15", "9780306406157", "isbn 9780306406157"},
		{"", "https://doi.org/10.1000/A.B", "doi 10.1000/a.b"},
		{"DOI", "10.1000/a", "doi 10.1000/a"},
		{"", "10.1000/a", "doi 10.1000/a"},
		{"", "https://standardebooks.org/ebooks/x", "url https://standardebooks.org/ebooks/x"},
		{"", "javascript:alert(1)", "local javascript:alert(1)"},
		{"", "urn:oid:1.2", "urn urn:oid:1.2"},
		{"", "arXiv:2101.00001v2", "arxiv 2101.00001v2"},
		{"UUID", "not one", "local not one"},
		{"calibre", "12", ""},
		{"", "  ", ""},
	} {
		got := ""
		if id, ok := parseID(c.scheme, c.value); ok {
			got = id.Scheme + " " + id.Value
		}
		if got != c.want {
			t.Errorf("%q %q: got %q, want %q", c.scheme, c.value, got, c.want)
		}
	}
}

func TestRefusedKinds(t *testing.T) {
	for name, c := range map[string]struct{ data, want string }{
		"a.txt":   {"", "empty"},
		"a.epub":  {"hello", "not a ZIP"},
		"a.mobi":  {strings.Repeat("\x00", 60) + "BOOKMOBI", "Kindle"},
		"b.txt":   {"\x89PNG\r\n\x1a\n\x00\x00", "picture"},
		"c.txt":   {"   \n\n", "no text"},
		"d.zip":   {string(makeZip(t, entry{"a.txt", "x", 0})), "neither a book nor a comic"},
		"e.docx":  {string(makeZip(t, entry{"[Content_Types].xml", "x", 0})), "Office"},
		"f.cbz":   {string(makeZip(t, entry{"a.txt", "x", 0})), "no pictures"},
		"g.text":  {"ab\x00\x01\x02cd\x00\x07", "not text"},
		"h.py":    {"print(1)", ".py files"},
		"feed.md": {"<?xml version='1.0'?><feed/>", "XML"},
	} {
		_, err := Parse(context.Background(), name, strings.NewReader(c.data))
		if !errs.Is(err, errs.Refused) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
