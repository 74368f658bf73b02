package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/index/analysis"
	"wenlan/internal/index/segment"
	"wenlan/internal/record"
)

// Known-item search: someone looks for a record that they know is there, from what
// they remember of it. The library is all the real records; the item is drawn from
// them by seed; the query is a part of the title and a surname.
const (
	items    = 1000
	inFirst  = 3
	titleMin = 2 // words of a title from which an item is drawn, or characters in Chinese
	partOf   = 5 // words of the title in the query at most, or characters
)

// readRecords reads the files of real records.
func readRecords(data string) ([]record.Record, error) {
	files, err := filepath.Glob(filepath.Join(data, "records", "*.jsonl.zst"))
	if err != nil || len(files) == 0 {
		return nil, errors.Join(err, errs.New(errs.NotFound, "no records in %s", data))
	}
	simple, err := format.FindBulk("simple")
	if err != nil {
		return nil, err
	}
	var out []record.Record
	for _, path := range files {
		err := func() error {
			f, err := os.Open(path)
			if err != nil {
				return err
			}
			defer f.Close()
			r, err := format.Decompress(f)
			if err != nil {
				return err
			}
			defer r.Close()
			for elements := simple.Elements(r); ; {
				raw, at, err := elements.Next()
				if errors.Is(err, io.EOF) {
					return nil
				}
				if err != nil {
					return fmt.Errorf("%s, line %d: %w", path, at, err)
				}
				d, err := simple.Parse(raw)
				if errs.Is(err, errs.Refused) {
					continue // intake would not take it either
				}
				if err != nil {
					return err
				}
				out = append(out, d.Record)
			}
		}()
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// known is one item: the record, its query, and the same with one typo.
type known struct {
	item        int
	clean, typo string
}

// chooseKnown draws the items of a language by seed. A record of which nothing can be
// remembered (no author, a title of one word) is passed over.
func chooseKnown(records []record.Record, chinese bool) []known {
	r := rand.New(rand.NewPCG(1773, 7)) // a fixed seed: the year in which the catalogue of the Siku was begun
	var out []known
	for _, i := range r.Perm(len(records)) {
		if len(out) == items {
			break
		}
		x := &records[i]
		if len(x.Creators) == 0 || isChinese(x.Title) != chinese {
			continue
		}
		var k known
		var ok bool
		if chinese {
			k, ok = knownChinese(r, x)
		} else {
			k, ok = knownWords(r, x)
		}
		if ok {
			k.item = i
			out = append(out, k)
		}
	}
	return out
}

func isChinese(title string) bool {
	han, all := 0, 0
	for _, c := range title {
		if unicode.IsLetter(c) {
			all++
		}
		if unicode.Is(unicode.Han, c) {
			han++
		}
	}
	return han > 0 && han*2 > all
}

// knownWords: up to five words of the title in a row, the first of them no short one,
// and the last word of the first author's name.
func knownWords(r *rand.Rand, x *record.Record) (known, bool) {
	words := strings.FieldsFunc(x.Title, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '\'' && c != '’' })
	name := strings.FieldsFunc(x.Creators[0].Name, func(c rune) bool { return unicode.IsSpace(c) || c == ',' })
	if strings.ContainsAny(x.Title, `$\{}`) || len(words) < titleMin || len(name) == 0 {
		return known{}, false // formulas are not what people remember
	}
	surname := name[len(name)-1]
	if strings.Contains(x.Creators[0].Name, ",") {
		surname = name[0]
	}
	if utf8.RuneCountInString(surname) < 2 || strings.HasSuffix(surname, ".") {
		return known{}, false
	}
	from := 0
	if len(words) > partOf {
		from = r.IntN(len(words) - partOf + 1)
		for from > 0 && len(words[from]) < 4 {
			from--
		}
	}
	part := slices.Clone(words[from:min(len(words), from+partOf)])
	// The typo is in the longest word, which has most room for one.
	longest := 0
	for i, w := range part {
		if len(w) > len(part[longest]) {
			longest = i
		}
	}
	if utf8.RuneCountInString(part[longest]) < 4 {
		return known{}, false
	}
	k := known{clean: strings.Join(part, " ") + " " + surname}
	part[longest] = misspell(r, part[longest])
	k.typo = strings.Join(part, " ") + " " + surname
	return k, true
}

// knownChinese: up to five characters of the title in a row, and the surname, or the
// whole name where it is of two characters: that is how Chinese names are typed. The
// typo is a wrong character among those of the title.
func knownChinese(r *rand.Rand, x *record.Record) (known, bool) {
	title := []rune(strings.Map(func(c rune) rune {
		if unicode.Is(unicode.Han, c) {
			return c
		}
		return -1
	}, x.Title))
	name := []rune(x.Creators[0].Name)
	if len(title) < titleMin || len(name) < 2 || len(name) > 4 || !isChinese(string(name)) {
		return known{}, false
	}
	if !strings.Contains(x.Title, string(title)) {
		return known{}, false // there is something between the characters
	}
	from := 0
	if len(title) > partOf {
		from = r.IntN(len(title) - partOf + 1)
	}
	part := slices.Clone(title[from:min(len(title), from+partOf)])
	k := known{clean: string(part) + " " + string(name)}
	part[r.IntN(len(part))] = []rune("之大中一人山水文")[r.IntN(8)]
	k.typo = string(part) + " " + string(name)
	return k, true
}

// misspell changes, drops, inserts or swaps letters once, not the first letter.
func misspell(r *rand.Rand, word string) string {
	w := []rune(word)
	k := 1 + r.IntN(len(w)-1)
	letter := rune('a' + r.IntN(26))
	switch r.IntN(4) {
	case 0:
		if unicode.ToLower(w[k]) == letter {
			letter = 'a' + (letter-'a'+1)%26
		}
		w[k] = letter
	case 1:
		w = slices.Delete(w, k, k+1)
	case 2:
		w = slices.Insert(w, k, letter)
	default:
		k = 1 + r.IntN(len(w)-2)
		w[k], w[k+1] = w[k+1], w[k]
	}
	return string(w)
}

// twin is what a query cannot tell apart: the same title by the same first author.
func twin(r *record.Record) string {
	name := ""
	if len(r.Creators) > 0 {
		name = r.Creators[0].Name
	}
	return analysis.Folded(r.Title) + "\t" + analysis.Folded(name)
}

// knownItems prints the shares of items that are in the first three.
func knownItems(ctx context.Context, data string, show int) error {
	records, err := readRecords(data)
	if err != nil {
		return err
	}
	l, err := newLibrary(len(records), func(i int, a *analysis.Analyzer, d *segment.Doc) { fillRecord(&records[i], a, d) })
	if err != nil {
		return err
	}
	fmt.Printf("\nknown-item search in %d real records: a part of the title and the author, found in the first %d\n", len(records), inFirst)
	for _, chinese := range []bool{false, true} {
		list := chooseKnown(records, chinese)
		for _, misspelt := range []bool{false, true} {
			first, exact := 0, 0
			var missed []string
			for _, k := range list {
				text := k.clean
				if misspelt {
					text = k.typo
				}
				found, err := l.search(ctx, typed(text), inFirst)
				if err != nil {
					return err
				}
				if slices.Contains(found, k.item) {
					exact++
				}
				if slices.ContainsFunc(found, func(i int) bool { return i == k.item || twin(&records[i]) == twin(&records[k.item]) }) {
					first++
				} else {
					missed = append(missed, fmt.Sprintf("    %q: %s / %s", text, records[k.item].Title, records[k.item].Creators[0].Name))
				}
			}
			lang, how, goal := "not Chinese", "clean", 97.0
			if chinese {
				lang = "Chinese"
			}
			if misspelt {
				how, goal = "one typo", 90
			}
			share := 100 * float64(first) / float64(max(1, len(list)))
			met := "met"
			if share < goal {
				met = "missed"
			}
			fmt.Printf("  %-12s %-9s %4d items  %.1f%% [goal: %.0f%%, %s]  without twins %.1f%%\n", lang, how, len(list), share, goal, met, 100*float64(exact)/float64(max(1, len(list))))
			for _, m := range missed[:min(show, len(missed))] {
				fmt.Println(m)
			}
		}
	}
	return nil
}
