package record

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"wenlan/internal/record/han"

	"golang.org/x/text/unicode/norm"
)

// maxApart is how many years two descriptions of one edition may be apart. An article
// appears online a year or two before it is printed; a book is described by the year
// of its copyright or of a later printing, which keeps the ISBN.
func maxApart(a, b Record) int {
	if isPart(a.Kind) || isPart(b.Kind) {
		return 2
	}
	return 5
}

// yearsApart says whether both records have years of publication, and those are too far apart.
func yearsApart(a, b Record) bool {
	from, to, ok := years(a.Issued)
	since, until, known := years(b.Issued)
	most := maxApart(a, b)
	return ok && known && (since-to > most || from-until > most)
}

// Where a span of years is open.
const (
	longAgo = math.MinInt32
	forever = math.MaxInt32
)

// years is the first and the last year that a date in EDTF may be of; false where it
// says none.
func years(issued string) (from, to int, ok bool) {
	if len(issued) > 200 {
		return 0, 0, false
	}
	from, to = forever, longAgo
	for _, part := range strings.Split(strings.NewReplacer("..", "/", ",", "/").Replace(issued), "/") {
		part = strings.Trim(part, "[]{}~?% ")
		if part == "" {
			if ok {
				to = forever
			} else {
				from = longAgo
			}
			continue
		}
		era := 1
		if rest, before := strings.CutPrefix(part, "-"); before {
			part, era = rest, -1
		}
		year, _, _ := strings.Cut(part, "-")
		year = strings.TrimRight(year, "~?%")
		low, err := strconv.Atoi(strings.ReplaceAll(year, "X", "0"))
		high, err2 := strconv.Atoi(strings.ReplaceAll(year, "X", "9"))
		if err != nil || err2 != nil || len(year) != 4 {
			return 0, 0, false
		}
		low, high, ok = low*era, high*era, true
		from, to = min(from, low, high), max(to, low, high)
	}
	return from, to, ok
}

// Volumes that titles name: "Works, vol. 2", "Werke. Band II", 全集第二卷, 卷二, 下册,
// （下）. A letter before the word makes it another word.
var (
	volumeForm = regexp.MustCompile(`(?:^|[^\pL])(?:(?:volumen?|vol|bände|band|bd|tome|tomo|part|teil|pt|том|часть)\.?|(?:v|t|т|ч)\.) ?(?:no\.? ?)?([0-9]{1,4}|[ivxlc]{1,8}|one|two|three|four|five|six|seven|eight|nine|ten)(?:[^\pL\pN]|$)`)
	juanForm   = regexp.MustCompile(`第 ?([0-9]{1,4}|[〇零一二两三四五六七八九十百]{1,7}) ?[卷册辑编部集]|卷 ?([0-9]{1,4}|[〇零一二两三四五六七八九十百]{1,7})(?:[^\pL\pN]|$)|([上中下])[卷册部编集]|[( .:·]([上中下])(?:\)|$)`)
)

// lastVolume is the 下 of 上下, and of 上中下.
const lastVolume = -1

// volumesOf are the volumes that a title names, in order.
func volumesOf(title string) []int {
	title = strings.ToLower(norm.NFKC.String(title[:min(len(title), 2000)]))
	var out []int
	for _, m := range volumeForm.FindAllStringSubmatch(title, 4) {
		out = append(out, volumeNumber(m[1]))
	}
	if strings.ContainsFunc(title, isHan) {
		for _, m := range juanForm.FindAllStringSubmatch(han.Simplify(title), 4) {
			out = append(out, volumeNumber(m[1]+m[2]+m[3]+m[4]))
		}
	}
	return out
}

var volumeWords = map[string]int{"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
	"上": 1, "中": 2, "下": lastVolume}

var numerals = map[rune]int{'i': 1, 'v': 5, 'x': 10, 'l': 50, 'c': 100,
	'〇': 0, '零': 0, '一': 1, '二': 2, '两': 2, '三': 3, '四': 4, '五': 5, '六': 6, '七': 7, '八': 8, '九': 9, '十': 10, '百': 100}

// volumeNumber is the number of a volume in any of the forms of volumeForm and juanForm.
func volumeNumber(s string) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	if n, ok := volumeWords[s]; ok {
		return n
	}
	sum, last := 0, 0
	for _, r := range s {
		n := numerals[r]
		switch {
		case r < utf8.RuneSelf: // Roman: what stands before a larger one is taken from it
			if sum += n; n > last {
				sum -= 2 * last
			}
			last = n
		case n >= 10: // 二十: so many tens
			sum += max(last, 1) * n
			last = 0
		default:
			last = last*10 + n
		}
	}
	if s[0] >= utf8.RuneSelf {
		sum += last
	}
	return sum
}

// otherVolumes says whether the titles name different volumes. With set, a title that
// names a volume and one that names none are different as well, unless the container of
// that one says the same number.
func otherVolumes(a, b Record, set bool) bool {
	x, y := volumesOf(a.Title), volumesOf(b.Title)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] && !(x[i] == lastVolume && y[i] > 1 || y[i] == lastVolume && x[i] > 1) {
			return true
		}
	}
	if !set || len(x) == len(y) || len(x) > 0 && len(y) > 0 {
		return false
	}
	one, other := x, b
	if len(x) == 0 {
		one, other = y, a
	}
	return other.Container == nil || FoldText(other.Container.Volume) != strconv.Itoa(one[0])
}
