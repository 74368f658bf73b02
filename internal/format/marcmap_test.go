package format

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"wenlan/internal/record"
)

// TestMARCMapping holds each row of MARC.md to what becomes of a field.
func TestMARCMapping(t *testing.T) {
	fixed := func(dates string) string { return "008 000000" + dates + "xx |||||||||||||||||   |d" }
	for name, c := range map[string]struct {
		leader string
		fields []string
		get    func(*Described) any
		want   any
	}{
		"245 $a $b $c":            {"", []string{"245 10$aMain :$bthe sub-title /$cby X."}, gotTitle, "Main: the sub-title"},
		"245 $n $p":               {"", []string{"245 10$aFaust.$nPart two,$pThe end."}, gotTitle, "Faust. Part two, The end"},
		"245 parallel title":      {"", []string{"245 10$aMain =$bPrincipal : sous-titre /$cX"}, gotTitles, []string{"Main", "Principal: sous-titre"}},
		"245 $a ; $b":             {"", []string{"245 10$aFirst ;$bSecond /$cX"}, gotTitle, "First; Second"},
		"245 supplied":            {"", []string{"245 00$a[Letters]"}, gotTitle, "Letters"},
		"245 initials":            {"", []string{"245 00$aLife in the U.S.A."}, gotTitle, "Life in the U.S.A."},
		"245 a word":              {"", []string{"245 00$aTell me."}, gotTitle, "Tell me"},
		"245 without ISBD":        {"00000nam a2200000 c 4500", []string{"245 00$aWhy?$bIt is so."}, gotTitle, "Why?: It is so."},
		"245 880 in the script":   {"", []string{"245 10$6880-01$aHong lou meng /$cCao Xueqin.", "880 10$6245-01/$$1$a红楼梦／$c曹雪芹."}, gotTitles, []string{"红楼梦", "Hong lou meng"}},
		"245 romanised in 880":    {"", []string{"245 10$6880-01$a红楼梦 /$c曹雪芹", "880 10$6245-01$aHong lou meng"}, gotTitles, []string{"红楼梦", "Hong lou meng"}},
		"880 of nothing":          {"", []string{"245 10$aA", "880 1 $6246-00/$$1$a甲"}, gotTitles, []string{"A", "甲"}},
		"240 and 041 $h":          {"", []string{"041 1 $aeng$hchi", "240 10$aHong lou meng.$lEnglish", "245 10$aThe story of the stone"}, gotRelations, `[{"type":"translation_of","title":"Hong lou meng"}]`},
		"240 is another title":    {"", []string{"240 10$aHamlet", "245 10$aThe tragedy of Hamlet"}, gotTitles, []string{"The tragedy of Hamlet", "Hamlet"}},
		"240 of many works":       {"", []string{"240 10$aWorks.$f1990", "245 10$aAll plays"}, gotTitles, []string{"All plays"}},
		"500 Translation of":      {"", []string{"245 10$aRed", "500   $aTranslation of: Mou gōng."}, gotRelations, `[{"type":"translation_of","title":"Mou gōng"}]`},
		"246 740 ind2 blank":      {"", []string{"245 10$aA", "246 3 $iCover:$aB", "740 0 $aCats."}, gotTitles, []string{"A", "B", "Cats"}},
		"740 730 7XX of parts":    {"", []string{"245 10$aA", "740 02$aB", "730 02$aC", "700 12$aX, Y.$tDogs."}, gotRelations, `[{"type":"has_part","title":"B"},{"type":"has_part","title":"C"},{"type":"has_part","title":"Y. X. Dogs"}]`},
		"100 $a $d":               {"", []string{"100 1 $aAusten, Jane,$d1775-1817.", "245 10$aE"}, gotCreators, `[{"name":"Jane Austen","alt_names":["Austen, Jane"],"role":"aut"}]`},
		"100 direct":              {"", []string{"100 0 $aJohn Paul$bII,$cPope.", "245 10$aE"}, gotCreators, `[{"name":"John Paul II","role":"aut"}]`},
		"100 $q":                  {"", []string{"100 1 $aEliot, T. S.$q(Thomas Stearns)", "245 10$aE"}, gotCreators, `[{"name":"T. S. Eliot","alt_names":["Eliot, T. S.","Thomas Stearns Eliot"],"role":"aut"}]`},
		"100 $c Jr.":              {"", []string{"100 1 $aKing, Martin Luther,$cJr.", "245 10$aE"}, gotCreators, `[{"name":"Martin Luther King, Jr.","alt_names":["King, Martin Luther, Jr."],"role":"aut"}]`},
		"100 880":                 {"", []string{"100 1 $6880-01$aLu, Xun.$d1881-1936", "245 10$aE", "880 1 $6100-01/$$1$a鲁迅."}, gotCreators, `[{"name":"鲁迅","alt_names":["Lu, Xun"],"role":"aut"}]`},
		"100 East Asian":          {"", []string{"100 1 $a周, 樹人", "245 10$aE"}, gotCreators, `[{"name":"周樹人","alt_names":["周, 樹人"],"role":"aut"}]`},
		"700 $e":                  {"", []string{"245 10$aE", "700 1 $aHawkes, David,$etranslator.", "700 1 $aA, B.,$eill.", "700 1 $aC, D.,$e译"}, gotRoles, "trl ill trl"},
		"700 $4":                  {"", []string{"245 10$aE", "700 1 $aA, B.$4edt", "700 1 $aC, D.$4http://id.loc.gov/vocabulary/relators/cmp", "700 1 $aE, F."}, gotRoles, "edt cmp ctb"},
		"700 $0 $1":               {"", []string{"245 10$aE", "700 1 $aA, B.$1https://orcid.org/0000-0002-1825-0097$0(isni)0000 0001 2103 2683$0(DE-588)118505173"}, gotCreators, `[{"name":"B. A","alt_names":["A, B."],"role":"ctb","ids":[{"scheme":"orcid","value":"0000-0002-1825-0097"},{"scheme":"isni","value":"0000000121032683"},{"scheme":"gnd","value":"118505173"}]}]`},
		"110 $b, 111":             {"", []string{"110 2 $aUnited States.$bCongress.", "245 10$aE", "711 2 $aConf on X$n(3rd :$d1990 :$cParis)"}, gotCreators, `[{"name":"United States. Congress","role":"aut"},{"name":"Conf on X (3rd : 1990 : Paris)","role":"ctb"}]`},
		"020 022 010 035 024":     {"", []string{"010   $a   85153773 ", "020   $a0199535566 (pbk.)", "022   $a0028-0836", "024 7 $a10.1000/ABC$2doi", "024 3 $a9780199535569", "035   $a(OCoLC)ocm00123", "245 10$aE"}, gotIDs, "lccn:85153773 isbn:9780199535569 issn:0028-0836 doi:10.1000/abc oclc:123"},
		"001 003 $w":              {"", []string{"001 42", "003 DE-627", "245 10$aE", "773 08$iIn$tHost$w(DE-627)41$gvolume:7$gyear:1999$gnumber:2$gpages:1-9"}, gotRelations, `[{"type":"part_of","id":{"scheme":"local","value":"(DE-627)41"},"title":"Host"}]`},
		"773 $g with names":       {"", []string{"245 10$aE", "773 08$tHost$gvolume:7$gyear:1999$gnumber:2$gpages:1-9"}, gotContainer, record.Container{Title: "Host", Volume: "7", Issue: "2", Pages: "1-9"}},
		"773 $g in words":         {"", []string{"245 10$aE", "773 0 $tJournal.$x0028-0836$gVol. 24, pt. B no. 9 (Sept. 1993), p. 235-48$q24:B:9<235"}, gotContainer, record.Container{Title: "Journal", ISSN: "0028-0836", Volume: "24", Issue: "9", Pages: "235-48"}},
		"773 $g in Chinese":       {"", []string{"245 10$aE", "773 0 $t文学$g第3卷第2期 (2001), 页15-20"}, gotContainer, record.Container{Title: "文学", Volume: "3", Issue: "2", Pages: "15-20"}},
		"490 830":                 {"", []string{"245 10$aE", "490 1 $aOxford classics ;$vno. 12", "830  0$aOxford world's classics ;$v12."}, gotContainer, record.Container{Title: "Oxford world's classics", Volume: "12"}},
		"775 776 767 780 785":     {"", []string{"245 10$aE", "767 0 $tL'E$z0199535566", "775 0 $w(OCoLC)77", "776 08$iOnline:$tE$z9780199535569$z0199535566", "780 00$tBefore$x0028-0836", "785 00$tAfter"}, gotRelations, `[{"type":"has_translation","id":{"scheme":"isbn","value":"9780199535569"},"title":"L'E"},{"type":"edition_of","id":{"scheme":"oclc","value":"77"}},{"type":"format_of","id":{"scheme":"isbn","value":"9780199535569"},"title":"E"},{"type":"continues","id":{"scheme":"issn","value":"0028-0836"},"title":"Before"},{"type":"continued_by","title":"After"}]`},
		"264 over 260":            {"", []string{"245 10$aE", "260   $aOld :$bOther,$c1990.", "264  1$a[Chicago, Ill.] :$bKnopf, Inc.,$c[2015]", "264  4$c©2014"}, gotImprint, "Chicago, Ill.|Knopf, Inc.|2015"},
		"260 not known":           {"", []string{"245 10$aE", "260   $a[S.l. :$bs.n.],$c1990"}, gotImprint, "||1990"},
		"008/15-17":               {"", []string{"008 000000s1990    cc |||||||||||||||||chi|d", "245 10$aE"}, gotImprint, "China||1990"},
		"008 s":                   {"", []string{fixed("s1999    "), "245 10$aE"}, gotIssued, "1999"},
		"008 e":                   {"", []string{fixed("e19990712"), "245 10$aE"}, gotIssued, "1999-07-12"},
		"008 m":                   {"", []string{fixed("m19901995"), "245 10$aE"}, gotIssued, "1990/1995"},
		"008 m open":              {"", []string{fixed("m19909999"), "245 10$aE"}, gotIssued, "1990/.."},
		"008 q":                   {"", []string{fixed("q19711975"), "245 10$aE"}, gotIssued, "1971?/1975?"},
		"008 q, a decade":         {"", []string{fixed("q19701979"), "245 10$aE"}, gotIssued, "197X"},
		"008 r":                   {"", []string{fixed("r19901870"), "245 10$aE"}, gotIssued, "1990"},
		"008 t":                   {"", []string{fixed("t20011999"), "245 10$aE"}, gotIssued, "2001"},
		"008 u":                   {"", []string{fixed("s19uu    "), "245 10$aE"}, gotIssued, "19XX"},
		"008 n":                   {"", []string{fixed("nuuuuuuuu"), "245 10$aE", "260   $cc1999."}, gotIssued, "1999"},
		"046 $b":                  {"", []string{fixed("b        "), "046   $ab$b100", "245 10$aE"}, gotIssued, "-0099"},
		"046 $b $d":               {"", []string{fixed("b        "), "046   $ab$b384$d322", "245 10$aE"}, gotIssued, "-0383/-0321"},
		"046 $b $e":               {"", []string{fixed("b        "), "046   $ab$b27$e0014", "245 10$aE"}, gotIssued, "-0026/0014"},
		"046 $b, 264 ca.":         {"", []string{fixed("b        "), "046   $ab$b300", "245 10$aE", "264  0$c[ca. 300 B.C.]"}, gotIssued, "-0299~"},
		"046 $b, a later imprint": {"", []string{fixed("b        "), "046   $ab$b300", "245 10$aE", "264  1$c1999"}, gotIssued, "-0299"},
		"046 $k edtf":             {"", []string{fixed("nuuuuuuuu"), "046   $k-0299~$2edtf", "245 10$aE"}, gotIssued, "-0299~"},
		"260 $c B.C.":             {"", []string{"245 10$aE", "260   $c[1200 B.C.?]"}, gotIssued, "-1199?"},
		"260 $c in Chinese":       {"", []string{"245 10$aE", "260   $c[公元前300年]"}, gotIssued, "-0299"},
		"260 $c ca.":              {"", []string{"245 10$aE", "260   $c[ca. 1850]"}, gotIssued, "1850~"},
		"260 $c ?":                {"", []string{"245 10$aE", "260   $c[1850?]"}, gotIssued, "1850?"},
		"260 $c decade":           {"", []string{"245 10$aE", "260   $c[185-?]"}, gotIssued, "185X"},
		"260 $c two":              {"", []string{"245 10$aE", "260   $c1998, c1997."}, gotIssued, "1998"},
		"008/35-37, 041":          {"", []string{"008 000000s1990    cc |||||||||||||||||chi|d", "041 0 $aengfre$bger", "245 10$aE"}, gotLanguages, "en fr zh"},
		"041 _7":                  {"", []string{"008 000000s1990    cc |||||||||||||||||chi|d", "041 07$azh-Hant$2rfc5646", "245 10$aE"}, gotLanguages, "zh-Hant"},
		"050 082 084":             {"", []string{"050 00$aPR4034$b.P7", "082 04$a823/.7$220", "084   $aI561.44$2clc", "245 10$aE"}, gotSubjects, "lcc:PR4034=PR4034 ddc:823.7=823.7 clc:I561.44=I561.44"},
		"600 650 653 655":         {"", []string{"245 10$aE", "600 10$aAusten, Jane,$d1775-1817$xCriticism and interpretation.", "650  2$aNeoplasms$xtherapy", "650  7$aFarms.$2fast$0(OCoLC)fst00921057", "653   $aone$atwo", "655  7$aNovels.$2lcgft"}, gotSubjects, "lcsh:=Austen, Jane, 1775-1817--Criticism and interpretation mesh:=Neoplasms--therapy fast:fst00921057=Farms :=one :=two lcgft:=Novels"},
		"520":                     {"", []string{"245 10$aE", "520   $aA story.", "520 1 $aGood, says X.", "520 3 $aMore."}, func(d *Described) any { return d.Record.Abstract }, "A story.\nMore."},
		"856":                     {"", []string{"245 10$aE", "856 40$uhttps://example.org/a", "856 42$3Contents$uhttps://example.org/b", "856 40$uhttps://doi.org/10.1000/1"}, gotIDs, "url:https://example.org/a doi:10.1000/1"},
		"008 codes":               {"", []string{"008 000000s1990    enka     b    001 0 eng|d", "245 10$aE", "264  1$aLondon"}, gotExtra, map[string][]string{"008/15-34": {"enka#####b####001#0#"}}},
		"008 country alone":       {"", []string{"008 000000s1990    enk||||||||||||000 ||eng|d", "245 10$aE", "264  1$aLondon"}, gotExtra, map[string][]string{"008/15-34": {"enk||||||||||||000#|"}}},
		"008 all of it read":      {"", []string{"008 000000s1990    enk||||||t     000 ||eng|d", "245 10$aE"}, gotExtra, map[string][]string(nil)},
		"008 cut short":           {"", []string{"008 000000s1990    enk", "245 10$aE"}, func(d *Described) any { return d.Left }, []string{"008"}},
		"extra":                   {"", []string{"245 10$aE /$cby X", "250   $a2nd ed.", "300   $a9 p. ;$c20 cm", "504   $aNotes.$5X"}, func(d *Described) any { return d.Extra }, map[string][]string{"245": {"$c by X"}, "250": {"2nd ed."}, "300": {"$a 9 p. ; $c 20 cm"}, "504": {"$a Notes. $5 X"}}},
		"left":                    {"", []string{"005 1", "040   $aX", "245 10$aE", "852   $aX", "999   $aX", "9X9   $aX"}, func(d *Described) any { return strings.Join(d.Left, " ") }, "005 040 852 999 9X9"},
		"bad check digits":        {"", []string{"020   $a0199535567", "022   $a0028-0837", "245 10$aE", "700 1 $aA, B.$1https://orcid.org/0000-0002-1825-0098"}, func(d *Described) any { return d.Warnings }, []string{"the ISBN 0199535567 in field 020 has a wrong check digit or form", "the ISSN 0028-0837 in field 022 has a wrong check digit or form", "the ORCID 0000-0002-1825-0098 in field 700 has a wrong check digit"}},
		"a bad ISBN is text":      {"", []string{"020   $a0199535567", "245 10$aE"}, gotIDs, "local:0199535567"},
		"kind: article":           {"00000nab a2200000 a 4500", []string{"245 10$aE"}, gotKind, record.Article},
		"kind: part of a book":    {"00000naa a2200000 a 4500", []string{"245 10$aE"}, gotKind, record.Chapter},
		"kind: serial":            {"00000nas a2200000 a 4500", []string{"245 10$aE"}, gotKind, record.Issue},
		"kind: thesis":            {"", []string{"245 10$aE", "502   $aThesis"}, gotKind, record.Thesis},
		"kind: report":            {"", []string{"008 000000s1990    cc ||||||t   |||||||chi|d", "245 10$aE"}, gotKind, record.Report},
		"kind: music":             {"00000njm a2200000 a 4500", []string{"245 10$aE"}, gotKind, record.Audio},
		"kind: map":               {"00000nem a2200000 a 4500", []string{"245 10$aE"}, gotKind, record.Image},
		"kind: film":              {"00000ngm a2200000 a 4500", []string{"245 10$aE"}, gotKind, record.Other},
		"kind: numbers":           {"00000nmm a2200000 a 4500", []string{"008 000000s1990    cc ||||||||a||||||||chi|d", "245 10$aE"}, gotKind, record.Dataset},
		"246 for a missing 245":   {"", []string{"246 3 $aOnly this"}, gotTitles, []string{"Only this"}},
		"$k where there is no $a": {"", []string{"245 00$kPapers,$f1917-1950."}, gotTitle, "Papers, 1917-1950"},
	} {
		leader := c.leader
		if leader == "" {
			leader = marcBook
		}
		for i, f := range c.fields { // $$ is a dollar sign
			c.fields[i] = strings.ReplaceAll(f, "$$", "\x00")
		}
		raw := makeMARC(leader, c.fields...)
		d := readMARC(t, []byte(strings.ReplaceAll(string(raw), "\x00", "$")))
		if got := c.get(d); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %#v, not %#v", name, got, c.want)
		}
	}
}

func gotExtra(d *Described) any { return d.Extra }

func gotTitle(d *Described) any { return d.Record.Title }
func gotTitles(d *Described) any {
	return append([]string{d.Record.Title}, d.Record.AltTitles...)
}
func gotKind(d *Described) any      { return d.Record.Kind }
func gotIssued(d *Described) any    { return d.Record.Issued }
func gotContainer(d *Described) any { return *d.Record.Container }
func gotLanguages(d *Described) any { return strings.Join(d.Record.Languages, " ") }
func gotImprint(d *Described) any {
	return d.Record.Place + "|" + d.Record.Publisher + "|" + d.Record.Issued
}
func gotCreators(d *Described) any  { return asJSON(d.Record.Creators) }
func gotRelations(d *Described) any { return asJSON(d.Record.Relations) }
func gotRoles(d *Described) any {
	var roles []string
	for _, c := range d.Record.Creators {
		roles = append(roles, c.Role)
	}
	return strings.Join(roles, " ")
}
func gotIDs(d *Described) any {
	var ids []string
	for _, id := range d.Record.IDs {
		ids = append(ids, id.Scheme+":"+id.Value)
	}
	return strings.Join(ids, " ")
}
func gotSubjects(d *Described) any {
	var list []string
	for _, s := range d.Record.Subjects {
		list = append(list, s.Scheme+":"+s.Code+"="+s.Label)
	}
	return strings.Join(list, " ")
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestMARCHostile reads records that are as large as they may be, quickly.
func TestMARCHostile(t *testing.T) {
	form, _ := FindBulk("marc")
	for name, field := range map[string]string{
		"subfields of a name": "700 1 $aX" + strings.Repeat("$dy", 400_000), "subfields of a title": "245 10" + strings.Repeat("$aT =$bU", 150_000),
		"parts of a meeting": "711 2 " + strings.Repeat("$nx$eyy", 200_000), "a heading": "650  0" + strings.Repeat("$ax", 400_000), "numbers": "020  " + strings.Repeat("$a0199535567", 100_000),
		"languages": "041 0 " + strings.Repeat("$aengfre", 200_000), "marks": "245 10$a" + strings.Repeat(" :", 1_000_000), "links": "776 08" + strings.Repeat("$z123$w(X)1", 100_000),
		"addresses": "856 40" + strings.Repeat("$uhttps://example.org/"+"x", 80_000), "a date": "260   $c" + strings.Repeat("[1-?", 500_000), "parts": "773 0 $tX$g" + strings.Repeat("vol. ", 500_000),
	} {
		raw := makeMARC(marcBook, "001 1", "246 3 $aT", field)
		start := time.Now()
		_, err := form.Parse(raw)
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("%s took %v: %v", name, took, err)
		}
	}
	many := make([]string, 0, 19_000)
	for range 9_000 {
		many = append(many, "650  0$6880-01$aX", "880  0$6650-01$aY")
	}
	start := time.Now()
	if _, err := form.Parse(makeMARC(marcBook, append(many, "245 10$aT")...)); err != nil || time.Since(start) > 15*time.Second {
		t.Error(err, time.Since(start))
	}
}

// FuzzMARCFields puts fuzzed fields, one a line, into a sound record.
func FuzzMARCFields(f *testing.F) {
	f.Add(marcBook, "001 1\n003 X\n008 000000s1999    xx |||||||||||||||||eng|d\n100 1 $6880-01$aLu, Xun$eed.\n245 10$6880-02$aA :$bb =$bc /$cd\n700 1 $aX$tY\n880 1 $6100-01/1$a鲁迅\n880 10$6245-02$a红 ／")
	f.Add("00000nab a2200000 c 4500", "020  $a0-123\n041 17$azh$hen$2x\n245 10$a[E].\n260  $aX :$bY,$c[18--?]\n773 0 $tJ$gVol. 1, no. 2, p. 3-4$gvolume:3$q1:2<3\n776 08$z123$oy\n856 40$uhttp://x.y\n440  0$aS ;$vv. 3")
	f.Add("00000nas a2200000   4500", "008 000000c19uu9999xx |||||||||||||||||cmn|d\n022  $a0028-0836\n084  $aI2$2clc\n130 0 $aNature (London)$lEnglish\n500  $aTranslation of: X.\n600 17$aA, B,$d1$xC$2gnd$0(DE-588)1\n245 00$kK,$f1\n111 2 $aM$n(1 :$d2)$jorg")
	f.Add("00000nam0 2200000   4500", "001 1\n010  $a7-5$dX\n100  $a20050114d1996    em y0chiy50      ea\n101 1 $achi$ceng\n200 1 $aA$AB$eC$fD\n210  $aX$cY$d1\n225 2 $aS$v1\n454  1$12001 $aT\n461  0$tU$v3\n606 0 $aS$yT\n690  $aI2\n701  0$a甲$Ajia$f1$4著\n702  1$aB$bC$4730")
	form, _ := FindBulk("marc")
	f.Fuzz(func(t *testing.T, leader, text string) {
		if len(leader) != marcLeader {
			leader = marcBook
		}
		var fields []string
		for line := range strings.SplitSeq(text, "\n") {
			if len(line) > 5 && len(line) < 5000 && len(fields) < 300 && !strings.ContainsAny(line, "\x1d\x1e") {
				fields = append(fields, line)
			}
		}
		d, err := form.Parse(makeMARC(leader, fields...))
		if err != nil || d.Deleted {
			return
		}
		checkRecord(t, d.Record)
		checkExtra(t, d)
		// What was read is written and read again, and then nothing changes any more.
		first := fromMARCXML(t, marcXMLOf(t, Exported{Number: 1, Record: d.Record}))
		if len(first) != 1 || first[0].Record.Title != d.Record.Title || first[0].Record.Issued != d.Record.Issued || len(first[0].Record.Creators) != len(d.Record.Creators) {
			t.Fatalf("%+v comes back as %+v", d.Record, first)
		}
	})
}
