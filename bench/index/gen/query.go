package gen

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
)

// Class is a sort of query. Its arguments are tokens separated by spaces.
type Class struct {
	Name string
	Args int
	What string
}

// Classes are the twelve of the race, in their order, and after them what is
// measured beside it.
var Classes = []Class{
	{"and2", 1, "two words of one title, both must match"},
	{"zh3", 1, "three Chinese words of one title, all their bigrams must match"},
	{"authtitle", 2, "an author's whole name among the authors, a word in the title"},
	{"ident", 1, "an ISBN or DOI"},
	{"prefix", 2, "a word and the first three letters of another, in the title"},
	{"typo", 2, "a word with one letter wrong, and a right one"},
	{"common", 1, "one of the most frequent words"},
	{"or3", 3, "any of three words: two very common, one middling"},
	{"facetmid", 1, "a middling word, with counts by language, year and subject"},
	{"facetcommon", 1, "a very common word, with the same counts"},
	{"sortyear", 1, "a middling word, newest first"},
	{"filter", 4, "a middling word in one language and a range of years"},
	{"phrase", 1, "two neighbouring words of a title, or a Chinese word of three or four characters, in order"},
}

// Race is how many of Classes are the race.
const Race = 12

// Queries writes per queries of each class, the same for the same n and per, one
// a line: the class and its arguments, separated by tabs. Words come from the
// titles of the first n records, so that the query fits the library.
func (v *Vocabulary) Queries(path string, n, per int) error {
	f, err := os.Create(path + ".part")
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	r := rand.New(rand.NewPCG(99, uint64(per)))
	for _, c := range Classes {
		for i := range per {
			var args []string
			for args == nil { // a record that has not what the class needs gives none
				args = v.query(r, c.Name, i, n)
			}
			fmt.Fprintln(w, c.Name+"\t"+strings.Join(args, "\t"))
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// query makes the i-th query of a class, or nil where the record drawn for it does
// not do.
func (v *Vocabulary) query(r *rand.Rand, class string, i, n int) []string {
	one := func(s string) string { return string(tokens(nil, s)) }
	middling := v.en[20+i%100]
	switch class {
	case "and2":
		if c := v.content(v.pick(r, n, false), 3); len(c) > 1 && c[0] != c[1] {
			return []string{c[0] + " " + c[1]}
		}
	case "zh3":
		x := v.pick(r, n, true)
		k := r.IntN(len(x.words) - 3)
		if s := strings.Join(x.words[k:k+3], ""); len([]rune(s)) > 2 {
			return []string{one(s)}
		}
	case "authtitle":
		if i%5 < 2 {
			x := v.pick(r, n, true)
			k := r.IntN(len(x.words) - 1)
			return []string{one(x.persons[0]), one(x.words[k] + x.words[k+1])}
		}
		x := v.pick(r, n, false)
		if c := v.content(x, 3); len(c) > 0 {
			return []string{x.persons[0], c[0]}
		}
	case "ident":
		return []string{v.record(r.IntN(n)).identifier}
	case "prefix":
		if c := v.content(v.pick(r, n, false), 5); len(c) > 1 {
			return []string{c[0], c[1][:3]}
		}
	case "typo":
		if c := v.content(v.pick(r, n, false), 6); len(c) > 1 {
			return []string{misspell(r, c[0]), c[1]}
		}
	case "common":
		if i%4 == 3 && !v.Made {
			return []string{one([]string{"我们", "一个", "没有", "自己", "他们", "中国", "什么"}[i/4%7])}
		}
		return []string{v.en[i%6]}
	case "or3":
		return []string{v.en[i%8], v.en[10+i%10], v.en[200+i%400]}
	case "facetmid", "sortyear":
		return []string{middling}
	case "facetcommon":
		return []string{v.en[i%4]}
	case "filter":
		from := 2000 + i%15
		return []string{middling, []string{"en", "de", "fr"}[i%3], strconv.Itoa(from), strconv.Itoa(from + 10)}
	case "phrase":
		if i%5 < 2 {
			x := v.pick(r, n, true)
			if w := x.words[r.IntN(len(x.words))]; len([]rune(w)) > 2 {
				return []string{one(w)}
			}
			return nil
		}
		x := v.pick(r, n, false)
		k := r.IntN(len(x.words) - 1)
		return []string{x.words[k] + " " + x.words[k+1]}
	}
	return nil
}

// pick draws a record in Chinese, or one that is not.
func (v *Vocabulary) pick(r *rand.Rand, n int, chinese bool) *record {
	for {
		if x := v.record(r.IntN(n)); (x.language == "zh") == chinese {
			return x
		}
	}
}

// content gives the title's words past the stop words, of at least size letters.
func (v *Vocabulary) content(x *record, size int) []string {
	var out []string
	for _, w := range x.words {
		if k, ok := v.rank[w]; ok && k >= 30 && len(w) >= size {
			out = append(out, w)
		}
	}
	return out
}

// misspell changes, drops or inserts one letter, not the first.
func misspell(r *rand.Rand, w string) string {
	b := []byte(w)
	k := 1 + r.IntN(len(b)-1)
	switch r.IntN(3) {
	case 0:
		b[k] = 'a' + (b[k]-'a'+byte(1+r.IntN(24)))%26
	case 1:
		b = append(b[:k], b[k+1:]...)
	default:
		b = append(b[:k], append([]byte{'a' + byte(r.IntN(26))}, b[k:]...)...)
	}
	return string(b)
}
