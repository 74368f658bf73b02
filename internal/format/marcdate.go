package format

import (
	"regexp"
	"strings"
	"sync"

	"wenlan/internal/record"
)

// inSeries chooses the series that the record is shown in: a traced one (8XX), else
// as it stands on the work (490, 440); the first of each.
func (x *marcMap) inSeries(f *marcField) {
	rank := func(f *marcField) int {
		switch {
		case f == nil:
			return 0
		case f.tag[0] == '8':
			return 2
		}
		return 1
	}
	if rank(f) > rank(x.series) {
		x.series = f
	}
}

// seriesTitle is the title of a series: under its name where it has one (800 to 811).
func (x *marcMap) seriesTitle(f *marcField) string {
	if f.tag == "800" || f.tag == "810" || f.tag == "811" {
		name, _, _ := x.nameOf(f)
		if t := x.line(x.first(f, 't')); t != "" {
			if name != "" {
				return cleanLine(name+". "+t, maxTitle)
			}
			return t
		}
		return name
	}
	t, _ := x.titleOf(f)
	return t
}

func (x *marcMap) seriesISSN(f *marcField) string {
	if f == nil {
		return ""
	}
	return x.first(f, 'x')
}

// seriesRest keeps the series that the container does not name.
func (x *marcMap) seriesRest(chosen *marcField) {
	title := ""
	if chosen != nil {
		own, _ := x.shown(chosen)
		title = record.FoldText(x.seriesTitle(own))
	}
	for i := range x.fields {
		f := &x.fields[i]
		if f.used {
			continue
		}
		switch f.tag {
		case "440", "490", "800", "810", "811", "830":
		default:
			continue
		}
		own, other := x.shown(f)
		if f == chosen {
			x.rest(own, "abcdfgklnpqstvx7w")
			if other != nil {
				x.rest(other, "vx")
			}
			continue
		}
		if title == "" || record.FoldText(x.seriesTitle(own)) != title {
			x.rest(own, "")
			x.rest(other, "")
		}
	}
}

// languages are those of 041: of the text, else of what is sung or said. $h is the
// language of the original.
func (x *marcMap) languages(f *marcField) {
	if f.ind2 == '7' { // codes of another list than MARC's, which $2 names
		for _, s := range x.of(f) {
			if s.code == 'a' || s.code == 'd' {
				if tag := normalLanguage(s.value); tag != "" {
					x.r.Languages = addLine(x.r.Languages, tag, maxShort)
				}
			}
			if s.code == 'h' {
				x.translated = true
			}
		}
		x.rest(f, "ad2")
		return
	}
	code := byte('a')
	if x.first(f, 'a') == "" {
		code = 'd'
	}
	for _, s := range x.of(f) {
		if s.code == 'h' && f.ind1 != '0' {
			x.translated = true
		}
		if s.code != code {
			continue
		}
		v := strings.ToLower(strings.ReplaceAll(cleanLine(s.value, 300), " ", ""))
		if len(v)%3 != 0 {
			x.extra("041", v)
			continue
		}
		for ; len(v) >= 3; v = v[3:] { // older records put them together: engfre
			if tag := marcLanguage(v[:3]); tag != "" {
				x.r.Languages = addLine(x.r.Languages, tag, maxShort)
			}
		}
	}
	x.rest(f, string(rune(code)))
}

// marcLanguages are codes of the MARC Code List for Languages that are not in ISO
// 639-2/T: those of ISO 639-2/B, and those that MARC gave up.
var marcLanguages = map[string]string{
	"alb": "sq", "arm": "hy", "baq": "eu", "bur": "my", "chi": "zh", "cze": "cs", "dut": "nl", "fre": "fr", "geo": "ka", "ger": "de", "gre": "el", "ice": "is",
	"mac": "mk", "mao": "mi", "may": "ms", "per": "fa", "rum": "ro", "slo": "sk", "tib": "bo", "wel": "cy",
	"scr": "hr", "scc": "sr", "mol": "ro", "iri": "ga", "gae": "gd", "cam": "km", "esk": "ik", "esp": "eo", "eth": "gez", "far": "fo", "fri": "fy", "gag": "gl", "gua": "gn",
	"int": "ia", "lan": "oc", "lap": "se", "mla": "mg", "max": "gv", "sao": "sm", "sho": "sn", "snh": "si", "sso": "st", "swz": "ss", "tag": "tl", "taj": "tg", "tar": "tt", "tsw": "tn", "tru": "chk",
	"und": "", "mul": "", "zxx": "", "|||": "", "   ": "",
}

var languageTags sync.Map // three letters -> tag

// marcLanguage is a code of three letters as a BCP 47 tag, or "" for none.
func marcLanguage(code string) string {
	code = strings.ToLower(code)
	if tag, ok := marcLanguages[code]; ok {
		return tag
	}
	for i := range len(code) {
		if code[i] < 'a' || code[i] > 'z' {
			return ""
		}
	}
	if tag, ok := languageTags.Load(code); ok { // at most 26^3 of them
		return tag.(string)
	}
	tag := normalLanguage(code)
	languageTags.Store(strings.Clone(code), tag)
	return tag
}

// imprint chooses the statement of publication: 264 with indicator 1, else 260, else
// another 264 (distribution, manufacture, production).
func (x *marcMap) imprint(f *marcField) {
	rank := func(f *marcField) int {
		switch {
		case f == nil:
			return 0
		case f.tag == "264" && f.ind2 == '1':
			return 4
		case f.tag == "260":
			return 3
		case f.ind2 == '4': // only a date of copyright
			return 1
		}
		return 2
	}
	if rank(f) <= rank(x.published) {
		x.rest(f, "")
		x.rest(x.other(f), "")
		return
	}
	if x.published != nil {
		x.rest(x.published, "")
		x.rest(x.other(x.published), "")
	}
	x.published = f
}

// nowhere is what cataloguers write for a place or publisher that is not known, folded.
var nowhere = map[string]bool{
	"sl": true, "sn": true, "placeofpublicationnotidentified": true, "publishernotidentified": true, "placenotidentified": true, "notidentified": true,
	"出版地不详": true, "出版者不详": true, "出版地不詳": true, "出版者不詳": true, "出版社不明": true, "出版地不明": true, "発行地不明": true, "発行者不明": true, "sine": true, "unknown": true,
}

// What a cataloguer supplied stands in square brackets.
var (
	noBrackets     = strings.NewReplacer("[", "", "]", "")
	spacedBrackets = strings.NewReplacer("[", " ", "]", " ")
)

// place sets place and publisher, from 008/15-17 where there is no statement.
func (x *marcMap) place() {
	if x.published != nil {
		own, other := x.shown(x.published)
		used := ""
		for _, s := range x.of(own) {
			if s.code != 'a' && s.code != 'b' {
				continue
			}
			v := strings.Trim(x.line(noBrackets.Replace(s.value)), " ?")
			if nowhere[record.FoldText(v)] {
				continue
			}
			switch {
			case s.code == 'a' && x.r.Place == "":
				if place, name, ok := strings.Cut(v, " : "); ok && x.isbd && x.first(own, 'b') == "" { // all in one
					v, x.r.Publisher = place, trimISBD(yearsAfter.ReplaceAllString(name, ""))
				}
				x.r.Place = v
				used += "a"
			case s.code == 'b' && x.r.Publisher == "":
				x.r.Publisher = v
				used += "b"
			}
		}
		x.restButFirst(own, used)
		if other != nil {
			x.rest(other, "c")
		}
	}
	if x.r.Place == "" && len(x.fixed) >= 18 {
		x.r.Place = marcCountry(x.fixed[15:18])
	}
}

// restButFirst keeps places and publishers besides the first of each.
func (x *marcMap) restButFirst(f *marcField, used string) {
	seen := ""
	var more []string
	for _, s := range x.of(f) {
		if strings.IndexByte(used, s.code) >= 0 && strings.IndexByte(seen, s.code) < 0 {
			seen += string(rune(s.code))
			continue
		}
		if s.code == '6' || s.code == 'c' || s.code == '3' && s.value == "" {
			continue
		}
		if v := cleanLine(s.value, maxTitle); v != "" {
			more = append(more, "$"+string(rune(s.code))+" "+v)
		}
	}
	if len(more) > 0 {
		x.extra(f.tag, strings.Join(more, " "))
	}
}

// date sets the date of issue from 008/06-14, else from the statement of publication.
// A second date that is not the end of a span is kept under 008/11-14: the original
// of a reprint (r), the copyright (t), the release (p).
func (x *marcMap) date() {
	if len(x.fixed) >= 15 {
		var second string
		x.r.Issued, second = fixedDate(x.fixed[6], x.fixed[7:11], x.fixed[11:15])
		if second != "" && second != x.r.Issued {
			x.extra("008/11-14", second)
		}
	}
	stated := ""
	if x.published != nil {
		own, _ := x.shown(x.published)
		stated = cleanLine(x.first(own, 'c'), 100)
		if stated == "" {
			stated = cleanLine(x.first(x.published, 'c'), 100)
		}
	}
	if len(x.fixed) > 6 && x.fixed[6] == 'b' { // before our era: the years are in 046
		x.r.Issued = x.codedDate()
		if said := statedDate(stated); strings.TrimRight(said, "?~%") == x.r.Issued || yearsBC(said) > 0 && x.r.Issued == "" {
			x.r.Issued = said // "ca."
		}
	}
	if x.r.Issued == "" {
		x.r.Issued = statedDate(stated)
	} else if head, _, ok := strings.Cut(x.r.Issued, "X"); ok && stated != "" {
		// 008 knows the decade or century, the statement the year.
		year := statedDate(stated)
		if len(year) >= 4 && allDigits(year[:4]) && strings.HasPrefix(year, head) {
			if strings.HasSuffix(x.r.Issued, "/..") && len(year) == 4 {
				year += "/.."
			}
			x.r.Issued = year
		}
	}
	if x.r.Issued == "" {
		for i := range x.fields {
			if f := &x.fields[i]; (f.tag == "264" || f.tag == "260") && !f.used {
				if x.r.Issued = statedDate(cleanLine(x.first(f, 'c'), 100)); x.r.Issued != "" {
					break
				}
			}
		}
	}
	if x.r.Issued == "" {
		x.r.Issued = x.codedDate()
	}
	if x.r.Issued != "" && stated != "" && !strings.Contains(stated, x.r.Issued[:min(len(x.r.Issued), 4)]) {
		x.extra(x.published.tag, "$c "+stated)
	}
	if x.r.Issued == "" && stated != "" {
		x.extra(x.published.tag, "$c "+stated)
		x.warn("the date " + stated + " in field " + x.published.tag + " cannot be read")
	}
}

// codes keeps what 008/15-34 say that is not in the record: the country of a work whose
// place is stated, and what is coded of its form. A blank is "#", as MARC is written. Blanks,
// fill characters and 0, which says that it is not so, say nothing.
func (x *marcMap) codes() {
	if x.fixed == "" {
		return
	}
	if len(x.fixed) < 35 {
		x.left("008")
		return
	}
	country := x.fixed[15:18]
	says := country != "xx " && strings.Trim(country, " |#") != "" && marcCountry(country) != x.r.Place
	for i, c := range []byte(x.fixed[18:35]) {
		at := i + 18
		read := at >= 24 && at < 28 && (c == 'm' && x.r.Kind == record.Thesis || c == 't' && x.r.Kind == record.Report) || at == 26 && c == 'a' && x.r.Kind == record.Dataset
		says = says || !read && c != ' ' && c != '|' && c != '#' && c != '0'
	}
	if says {
		x.extra("008/15-34", strings.ReplaceAll(x.fixed[15:35], " ", "#"))
	}
}

// fixedDate is 008/06-14 in EDTF: the type of date, and two dates, in which u is a
// digit that is not known. second is a date that says something else.
func fixedDate(kind byte, date1, date2 string) (issued, second string) {
	one, two := fixedYear(date1), fixedYear(date2)
	switch kind {
	case 's':
		return one, ""
	case 'e': // date2 is month and day
		if len(one) == 4 && allDigits(one) {
			return edtfParts(one, strings.TrimSpace(date2[:2]), strings.TrimSpace(date2[2:])), ""
		}
		return one, ""
	case 'm', 'i', 'k', 'd':
		switch {
		case date2 == "9999" && one != "":
			return one + "/..", ""
		case one == "" || two == "" || one == two:
			return one, ""
		case plainYears(one, two) && one > two:
			return one, two
		}
		return one + "/" + two, ""
	case 'c':
		if one == "" {
			return "", ""
		}
		return one + "/..", ""
	case 'u': // a serial of which it is not known whether it goes on
		if one == "" {
			return "", ""
		}
		if two != "" && date2 != "9999" && (!plainYears(one, two) || one < two) {
			return one + "/" + two, ""
		}
		return one + "/", ""
	case 'q':
		switch {
		case one == "" || two == "" || one == two:
			return one, ""
		case !plainYears(one, two) || one > two:
			return one, two
		case one[:3] == two[:3] && one[3] == '0' && two[3] == '9':
			return one[:3] + "X", ""
		case one[:2] == two[:2] && one[2:] == "00" && two[2:] == "99":
			return one[:2] + "XX", ""
		}
		return one + "?/" + two + "?", ""
	case 'r', 't', 'p':
		if one == "" {
			return two, ""
		}
		return one, two
	case 'b', 'n', '|':
		return "", ""
	}
	return one, two // a type that there is not
}

func plainYears(a, b string) bool { return len(a) == 4 && len(b) == 4 && allDigits(a) && allDigits(b) }

// fixedYear is four characters of 008 as a year of EDTF, or "" for none.
func fixedYear(s string) string {
	n := strings.IndexAny(s, "uU")
	switch {
	case len(s) != 4:
	case n < 0 && allDigits(s) && s != "0000" && s != "9999":
		return s
	case n >= 2 && allDigits(s[:n]) && strings.Trim(s[n:], "uU") == "" && s[:2] != "00":
		return s[:n] + strings.Repeat("X", 4-n)
	}
	return ""
}

// codedDate is a date, or a span, before our era from 046 ($b to $e, with 008/06 b), or
// one that the field says in EDTF ($k, $l). 300 years before our era are -0299 in EDTF.
func (x *marcMap) codedDate() string {
	for i := range x.fields {
		f := &x.fields[i]
		if f.tag != "046" {
			continue
		}
		value := func(code byte) string { return strings.TrimSpace(x.first(f, code)) }
		from, to := eraPart(value('b'), true, ""), eraPart(value('d'), true, "")
		if from == "" && value('b') == "" {
			from = fixedYear(value('c'))
		}
		if to == "" && value('d') == "" {
			to = fixedYear(value('e'))
		}
		if strings.HasPrefix(value('2'), "edtf") && from == "" {
			if from, to = value('k'), value('l'); !edtfForm.MatchString(from) || to != "" && (!edtfForm.MatchString(to) || strings.Contains(from+to, "/")) {
				from = ""
			}
		}
		switch {
		case from == "":
		case to == "" || to == from:
			return from
		default:
			return from + "/" + to
		}
	}
	return ""
}

var (
	yearsAfter   = regexp.MustCompile(`,\s*\[?(?:c|ca\. )?[0-9][0-9 ?-]*\]?$`)
	decadeForm   = regexp.MustCompile(`\b([12][0-9]{2})-\??(?:\D|$)`)
	centuryForm  = regexp.MustCompile(`\b([12][0-9])--\??(?:\D|$)`)
	spanForm     = regexp.MustCompile(`\b([12][0-9]{3})\s*[-–]\s*([12][0-9]{3})\b`)
	betweenForm  = regexp.MustCompile(`(?i)between ([12][0-9]{3}) and ([12][0-9]{3})`)
	openForm     = regexp.MustCompile(`\b([12][0-9]{3})\s*[-–]\s*$`)
	oneYear      = regexp.MustCompile(`(?i)(ca\.?\s*|circa\s*|約|约)?(?:^|\D)([12][0-9]{3})(\?)?(?:\D|$)`)
	copyrightBit = regexp.MustCompile(`(?i)(?:©|\bcop\.?|\b[cp]|℗)\s*([12][0-9]{3})`)
)

// statedDate is a date of publication as cataloguers write it, in EDTF: "c1999",
// "[1999?]", "[ca. 1850]", "1990-1995", "[199-?]", "1998, c1997".
func statedDate(s string) string {
	if s == "" {
		return ""
	}
	s = strings.TrimSpace(spacedBrackets.Replace(s))
	if strings.HasPrefix(s, "-") && edtfForm.MatchString(s) {
		return s
	}
	s = strings.TrimRight(s, " .,;")
	if era := eraDate(strings.Join(strings.Fields(s), " ")); era != "" {
		return era
	}
	if m := betweenForm.FindStringSubmatch(s); m != nil && m[1] < m[2] {
		return m[1] + "?/" + m[2] + "?"
	}
	if m := spanForm.FindStringSubmatch(s); m != nil && m[1] <= m[2] {
		return m[1] + "/" + m[2]
	}
	if m := openForm.FindStringSubmatch(s); m != nil {
		return m[1] + "/.."
	}
	if m := cjkDate.FindStringSubmatch(s); m != nil {
		return edtfParts(m[1], m[2], m[3])
	}
	if m := oneYear.FindStringSubmatch(copyrightBit.ReplaceAllString(s, "")); m != nil {
		switch {
		case m[1] != "":
			return m[2] + "~"
		case m[3] != "":
			return m[2] + "?"
		}
		return m[2]
	}
	if m := copyrightBit.FindStringSubmatch(s); m != nil {
		return m[1]
	}
	if m := centuryForm.FindStringSubmatch(s); m != nil {
		return m[1] + "XX"
	}
	if m := decadeForm.FindStringSubmatch(s); m != nil {
		return m[1] + "X"
	}
	return edtf(s)
}

// marcCountries is the MARC Code List for Countries (008/15-17), with codes that were
// given up: a code, and the name.
const marcCountries = `aa Albania|abc Alberta|aca Australian Capital Territory|ae Algeria|af Afghanistan|ag Argentina|ai Armenia|aj Azerbaijan|aku Alaska|alu Alabama|am Anguilla|an Andorra|ao Angola|aq Antigua and Barbuda|aru Arkansas|as American Samoa|at Australia|au Austria|aw Aruba|ay Antarctica|azu Arizona|` +
	`ba Bahrain|bb Barbados|bcc British Columbia|bd Burundi|be Belgium|bf Bahamas|bg Bangladesh|bh Belize|bi British Indian Ocean Territory|bl Brazil|bm Bermuda Islands|bn Bosnia and Herzegovina|bo Bolivia|bp Solomon Islands|br Burma|bs Botswana|bt Bhutan|bu Bulgaria|bv Bouvet Island|bw Belarus|bx Brunei|` +
	`ca Caribbean Netherlands|cau California|cb Cambodia|cc China|cd Chad|ce Sri Lanka|cf Congo (Brazzaville)|cg Congo (Democratic Republic)|ch Taiwan|ci Croatia|cj Cayman Islands|ck Colombia|cl Chile|cm Cameroon|cn Canada|co Curaçao|cou Colorado|cp Canton and Enderbury Islands|cq Comoros|cr Costa Rica|cs Czechoslovakia|ctu Connecticut|cu Cuba|cv Cabo Verde|cw Cook Islands|cx Central African Republic|cy Cyprus|cz Canal Zone|` +
	`dcu District of Columbia|deu Delaware|dk Denmark|dm Benin|dq Dominica|dr Dominican Republic|ea Eritrea|ec Ecuador|eg Equatorial Guinea|em Timor-Leste|enk England|er Estonia|es El Salvador|et Ethiopia|fa Faroe Islands|fg French Guiana|fi Finland|fj Fiji|fk Falkland Islands|flu Florida|fm Micronesia (Federated States)|fp French Polynesia|fr France|fs Terres australes et antarctiques françaises|ft Djibouti|` +
	`gau Georgia|gb Kiribati|gd Grenada|ge Germany (East)|gg Guernsey|gh Ghana|gi Gibraltar|gl Greenland|gm Gambia|go Gabon|gp Guadeloupe|gr Greece|gs Georgia (Republic)|gt Guatemala|gu Guam|gv Guinea|gw Germany|gy Guyana|gz Gaza Strip|hiu Hawaii|hk Hong Kong|hm Heard and McDonald Islands|ho Honduras|ht Haiti|hu Hungary|` +
	`iau Iowa|ic Iceland|idu Idaho|ie Ireland|ii India|ilu Illinois|im Isle of Man|inu Indiana|io Indonesia|iq Iraq|ir Iran|is Israel|it Italy|iv Côte d'Ivoire|iy Iraq-Saudi Arabia Neutral Zone|ja Japan|je Jersey|ji Johnston Atoll|jm Jamaica|jo Jordan|ke Kenya|kg Kyrgyzstan|kn Korea (North)|ko Korea (South)|ksu Kansas|ku Kuwait|kv Kosovo|kyu Kentucky|kz Kazakhstan|` +
	`lau Louisiana|lb Liberia|le Lebanon|lh Liechtenstein|li Lithuania|lo Lesotho|ls Laos|lu Luxembourg|lv Latvia|ly Libya|mau Massachusetts|mbc Manitoba|mc Monaco|mdu Maryland|meu Maine|mf Mauritius|mg Madagascar|miu Michigan|mj Montserrat|mk Oman|ml Mali|mm Malta|mnu Minnesota|mo Montenegro|mou Missouri|mp Mongolia|mq Martinique|mr Morocco|msu Mississippi|mtu Montana|mu Mauritania|mv Moldova|mw Malawi|mx Mexico|my Malaysia|mz Mozambique|` +
	`nbu Nebraska|ncu North Carolina|ndu North Dakota|ne Netherlands|nfc Newfoundland and Labrador|ng Niger|nhu New Hampshire|nik Northern Ireland|nju New Jersey|nkc New Brunswick|nl New Caledonia|nmu New Mexico|nn Vanuatu|no Norway|np Nepal|nq Nicaragua|nr Nigeria|nsc Nova Scotia|ntc Northwest Territories|nu Nauru|nuc Nunavut|nvu Nevada|nw Northern Mariana Islands|nx Norfolk Island|nyu New York (State)|nz New Zealand|` +
	`ohu Ohio|oku Oklahoma|onc Ontario|oru Oregon|ot Mayotte|pau Pennsylvania|pc Pitcairn Island|pe Peru|pf Paracel Islands|pg Guinea-Bissau|ph Philippines|pic Prince Edward Island|pk Pakistan|pl Poland|pn Panama|po Portugal|pp Papua New Guinea|pr Puerto Rico|pw Palau|py Paraguay|qa Qatar|qea Queensland|quc Québec (Province)|rb Serbia|re Réunion|rh Zimbabwe|riu Rhode Island|rm Romania|ru Russia (Federation)|rw Rwanda|` +
	`sa South Africa|sc Saint-Barthélemy|scu South Carolina|sd South Sudan|sdu South Dakota|se Seychelles|sf Sao Tome and Principe|sg Senegal|sh Spanish North Africa|si Singapore|sj Sudan|sl Sierra Leone|sm San Marino|sn Sint Maarten|snc Saskatchewan|so Somalia|sp Spain|sq Eswatini|sr Surinam|ss Western Sahara|st Saint-Martin|stk Scotland|su Saudi Arabia|sw Sweden|sx Namibia|sy Syria|sz Switzerland|` +
	`ta Tajikistan|tc Turks and Caicos Islands|tg Togo|th Thailand|ti Tunisia|tk Turkmenistan|tl Tokelau|tma Tasmania|tnu Tennessee|to Tonga|tr Trinidad and Tobago|ts United Arab Emirates|tu Turkey|tv Tuvalu|txu Texas|tz Tanzania|ua Egypt|uc United States Misc. Caribbean Islands|ug Uganda|uik United Kingdom Misc. Islands|uk United Kingdom|un Ukraine|up United States Misc. Pacific Islands|ur Soviet Union|us United States|utu Utah|uv Burkina Faso|uy Uruguay|uz Uzbekistan|` +
	`vau Virginia|vb British Virgin Islands|vc Vatican City|ve Venezuela|vi Virgin Islands of the United States|vm Vietnam|vn Vietnam, North|vra Victoria|vs Vietnam, South|vtu Vermont|wau Washington (State)|wea Western Australia|wf Wallis and Futuna|wiu Wisconsin|wj West Bank of the Jordan River|wk Wake Island|wlk Wales|ws Samoa|wvu West Virginia|wyu Wyoming|xa Christmas Island (Indian Ocean)|xb Cocos (Keeling) Islands|xc Maldives|xd Saint Kitts-Nevis|xe Marshall Islands|xf Midway Islands|xga Coral Sea Islands Territory|xh Niue|xj Saint Helena|xk Saint Lucia|xl Saint Pierre and Miquelon|xm Saint Vincent and the Grenadines|xn North Macedonia|xna New South Wales|xo Slovakia|xoa Northern Territory|xp Spratly Island|xr Czech Republic|xra South Australia|xs South Georgia and the South Sandwich Islands|xv Slovenia|xxc Canada|xxk United Kingdom|xxr Soviet Union|xxu United States|ye Yemen|ykc Yukon Territory|ys Yemen (People's Democratic Republic)|yu Serbia and Montenegro|za Zambia`

var countryNames = sync.OnceValue(func() map[string]string {
	names := map[string]string{}
	for one := range strings.SplitSeq(marcCountries, "|") {
		code, name, _ := strings.Cut(one, " ")
		names[code] = name
	}
	return names
})

// marcCountry is the name of a place of publication by its code; "" for none.
func marcCountry(code string) string {
	return countryNames()[strings.TrimRight(strings.ToLower(code), " ")]
}
