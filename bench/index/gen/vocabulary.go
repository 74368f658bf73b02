package gen

import (
	"bufio"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Vocabulary is what the texts are made of. It does not change once made, and may
// be used by many goroutines.
type Vocabulary struct {
	Made bool // true: invented, because the word lists are not installed

	en    []string // English words, the most frequent first
	zh    []string // Chinese words of one to four characters
	names []string // surnames and given names, the most frequent first

	enP, zhP, nameP *alias

	subjectsEN, subjectsZH []string
	publishers             []string
	subjectP, publisherP   *alias

	rank map[string]int // of an English word
}

// Where Debian's packages scowl and python3-jieba put their lists.
const (
	scowl = "/usr/share/dict/scowl"
	jieba = "/usr/lib/python3/dist-packages/jieba/dict.txt"
)

// Packages are the Debian packages that Load wants.
const Packages = "scowl python3-jieba"

// stop words come first in the English vocabulary, in this order: the queries of
// common words take them by rank.
var stop = strings.Fields("the of and in for on to with an from by as at is its using based study analysis theory history")

// Load reads the English word list from scowl and the Chinese one, with its
// frequencies, from jieba. Neither is carried in this repository. Where one is
// missing, the whole vocabulary is invented, of the same size and with the same
// distribution, and Made says so: figures of the two are not comparable.
func Load() (*Vocabulary, error) {
	v := &Vocabulary{}
	if _, err := os.Stat(scowl); err != nil {
		return Made(), nil
	}
	f, err := os.Open(jieba)
	if err != nil {
		return Made(), nil
	}
	defer f.Close()

	r := rand.New(rand.NewPCG(7, 7))
	seen := map[string]bool{}
	v.en = slices.Clone(stop)
	for _, w := range v.en {
		seen[w] = true
	}
	for _, tier := range []string{"10", "20", "35", "40", "50", "55", "60", "70", "80"} {
		var words []string
		for _, list := range []string{"english-words.", "american-words."} {
			if err := each(filepath.Join(scowl, list+tier), func(w string) {
				if plain(w) && !seen[w] {
					seen[w] = true
					words = append(words, w)
				}
			}); err != nil {
				return nil, err
			}
		}
		// Inside a tier the lists are in alphabetical order, which is no frequency.
		r.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		v.en = append(v.en, words...)
	}
	for _, list := range []string{"english-upper.35", "english-proper-names.35", "english-proper-names.50", "american-proper-names.50", "english-upper.50", "english-proper-names.80", "american-proper-names.80"} {
		if err := each(filepath.Join(scowl, list), func(w string) {
			if w = strings.ToLower(w); plain(w) {
				v.names = append(v.names, w)
			}
		}); err != nil {
			return nil, err
		}
	}
	var weights []float64
	if err := scan(f, func(line string) {
		col := strings.Fields(line)
		if len(col) < 2 {
			return
		}
		n, _ := strconv.ParseFloat(col[1], 64)
		size := 0
		for _, c := range col[0] {
			if c < 0x4e00 || c > 0x9fff {
				return
			}
			size++
		}
		if size < 1 || size > 4 || n < 1 {
			return
		}
		if size == 1 {
			n /= 4 // titles use fewer function characters than prose
		}
		v.zh = append(v.zh, col[0])
		weights = append(weights, n)
	}); err != nil {
		return nil, err
	}
	v.finish(r, weights)
	return v, nil
}

// Made invents a vocabulary: pronounceable words, and Chinese ones of characters
// drawn by rank; the same on every machine.
func Made() *Vocabulary {
	v := &Vocabulary{Made: true, en: slices.Clone(stop)}
	r := rand.New(rand.NewPCG(7, 8))
	seen := map[string]bool{}
	for _, w := range v.en {
		seen[w] = true
	}
	word := func() string {
		for {
			var b strings.Builder
			for n := 1 + r.IntN(2) + r.IntN(3); n > 0; n-- {
				b.WriteString(syllables[r.IntN(len(syllables))])
				if r.IntN(4) == 0 {
					b.WriteByte("snrtld"[r.IntN(6)])
				}
			}
			if w := b.String(); !seen[w] {
				seen[w] = true
				return w
			}
		}
	}
	for len(v.en) < 150_000 {
		v.en = append(v.en, word())
	}
	for len(v.names) < 20_000 {
		v.names = append(v.names, word())
	}
	chars := make([]rune, 4000)
	for i := range chars {
		chars[i] = rune(0x4e00 + i*5)
	}
	r.Shuffle(len(chars), func(i, j int) { chars[i], chars[j] = chars[j], chars[i] })
	p := newAlias(zipf(len(chars), 0.9, 20))
	for len(v.zh) < 200_000 {
		w := make([]rune, []int{1, 2, 2, 2, 2, 2, 3, 3, 4, 4}[r.IntN(10)])
		for i := range w {
			w[i] = chars[p.draw(r)]
		}
		if s := string(w); !seen[s] {
			seen[s] = true
			v.zh = append(v.zh, s)
		}
	}
	v.finish(r, zipf(len(v.zh), 1.0, 10))
	return v
}

// finish draws subjects and publishers, and makes the tables.
func (v *Vocabulary) finish(r *rand.Rand, zhWeights []float64) {
	v.enP = newAlias(zipf(len(v.en), 1.0, 1.5))
	v.zhP = newAlias(zhWeights)
	v.nameP = newAlias(zipf(len(v.names), 0.8, 10))
	for i := range 250 {
		v.subjectsEN = append(v.subjectsEN, v.en[300+i*7]+" "+v.en[900+i*5])
		v.subjectsZH = append(v.subjectsZH, v.zh[v.zhP.draw(r)]+v.zh[v.zhP.draw(r)])
	}
	v.subjectP = newAlias(zipf(250, 0.9, 3))
	for i := range 3000 {
		if i%3 == 0 {
			v.publishers = append(v.publishers, v.zh[v.zhP.draw(r)]+"出版社")
		} else {
			v.publishers = append(v.publishers, v.names[v.nameP.draw(r)]+" "+[]string{"press", "university press", "publishing", "verlag"}[i%4])
		}
	}
	v.publisherP = newAlias(zipf(3000, 1.0, 5))
	v.rank = make(map[string]int, len(v.en))
	for i, w := range v.en {
		v.rank[w] = i
	}
}

// Sum names the vocabulary: two runs are comparable only when it is the same.
func (v *Vocabulary) Sum() string {
	h := crc32.New(crc32.MakeTable(crc32.Castagnoli))
	for _, list := range [][]string{v.en, v.zh, v.names} {
		for _, w := range list {
			_, _ = io.WriteString(h, w+"\n")
		}
	}
	return fmt.Sprintf("%08x", h.Sum32())
}

// Size says how many words there are of each sort.
func (v *Vocabulary) Size() (english, chinese, names int) {
	return len(v.en), len(v.zh), len(v.names)
}

func plain(w string) bool {
	if len(w) < 2 {
		return false
	}
	for _, c := range w {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// each calls f with every line of a list; a list that is not there has none.
func each(path string, f func(string)) error {
	file, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	return scan(file, f)
}

func scan(r io.Reader, f func(string)) error {
	s := bufio.NewScanner(r)
	for s.Scan() {
		if line := strings.TrimSpace(s.Text()); line != "" {
			f(line)
		}
	}
	return s.Err()
}

// zipf gives weights 1/(rank+offset)^s.
func zipf(n int, s, offset float64) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = 1 / math.Pow(float64(i)+offset, s)
	}
	return w
}

// alias draws from a discrete distribution in constant time: M. D. Vose, "A linear
// algorithm for generating random numbers with a given distribution", 1991.
type alias struct {
	p []float64
	a []int32
}

func newAlias(weights []float64) *alias {
	n, sum := len(weights), 0.0
	for _, x := range weights {
		sum += x
	}
	al := &alias{make([]float64, n), make([]int32, n)}
	q := make([]float64, n)
	var small, large []int
	for i, x := range weights {
		if q[i] = x / sum * float64(n); q[i] < 1 {
			small = append(small, i)
		} else {
			large = append(large, i)
		}
	}
	for len(small) > 0 && len(large) > 0 {
		l, g := small[len(small)-1], large[len(large)-1]
		small, large = small[:len(small)-1], large[:len(large)-1]
		al.p[l], al.a[l] = q[l], int32(g)
		if q[g] -= 1 - q[l]; q[g] < 1 {
			small = append(small, g)
		} else {
			large = append(large, g)
		}
	}
	for _, i := range append(small, large...) {
		al.p[i], al.a[i] = 1, int32(i)
	}
	return al
}

func (a *alias) draw(r *rand.Rand) int {
	i := r.IntN(len(a.p))
	if r.Float64() < a.p[i] {
		return i
	}
	return int(a.a[i])
}
