package record

import (
	"slices"
	"strings"
	"unicode"

	"wenlan/internal/record/han"
)

// SameWork says whether a relation of this type is between editions of one work.
func SameWork(relation string) bool {
	switch relation {
	case TranslationOf, HasTranslation, EditionOf, FormatOf:
		return true
	}
	return false
}

// Reverse is a relation as the other record would say it.
func Reverse(relation string) string {
	switch relation {
	case TranslationOf:
		return HasTranslation
	case HasTranslation:
		return TranslationOf
	case PartOf:
		return HasPart
	case HasPart:
		return PartOf
	case Continues:
		return ContinuedBy
	case ContinuedBy:
		return Continues
	case EditionOf, FormatOf:
		return relation
	}
	return RelatedTo
}

// maxWorkKeys bounds the keys of one record.
const maxWorkKeys = 4

// WorkKeys gives what a record has in common with other editions of its work, as
// far as a description shows that: records that share a key are shown as editions
// of one work. At most four; the first is the most telling.
//
// A key is a title and the first author, folded as [FoldText] does, traditional
// characters as simplified ones; the language does not count. The titles are those
// that its relations to the same work state (the original title), its own, and its
// alternative titles (the uniform title, other scripts). Of a title only what
// stands before a subtitle, an addition in brackets or a statement of
// responsibility counts, where that is long enough to say something, without a
// leading English article. The author is the first creator who is not merely a
// translator, illustrator, narrator or publisher, in the script of the title where
// the record gives one; words with digits (dates of life) are left out.
//
// There is no key without an author, and none for articles, chapters, issues and
// data sets, of which there are many and seldom editions: relations join them.
func WorkKeys(r Record) []string {
	switch r.Kind {
	case Article, Chapter, Issue, Dataset:
		return nil
	}
	at := slices.IndexFunc(r.Creators, func(c Creator) bool {
		switch c.Role {
		case "trl", "ill", "nrt", "aui", "pbl", "prt":
			return false
		}
		return true
	})
	if at < 0 {
		return nil
	}
	author := r.Creators[at]
	var keys []string
	add := func(title string) {
		if len(keys) == maxWorkKeys {
			return
		}
		folded := workTitle(title)
		if folded == "" {
			return
		}
		name := nameKey(nameLike(author, title))
		if name == "" {
			return
		}
		if k := folded + "|" + name; !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	for i, rel := range r.Relations {
		if i == maxWorkKeys {
			break
		}
		if SameWork(rel.Type) {
			add(rel.Title)
		}
	}
	add(r.Title)
	for i, t := range r.AltTitles {
		if i == maxWorkKeys {
			break
		}
		add(t)
	}
	return keys
}

// subtitles are what a subtitle, an addition or a statement of responsibility
// begins with; those of ISBD (0.3.2) among them.
var subtitles = []string{":", "：", ";", "；", " / ", " = ", "(", "（", "[", "［", " — ", " – ", " - ", "——", ", or ", ", Or ", ", or, "}

// workTitle is the part of a title that editions have in common, folded.
func workTitle(title string) string {
	title = han.Simplify(title)
	end := len(title)
	for _, s := range subtitles {
		if i := strings.Index(title[:end], s); i > 0 {
			end = i
		}
	}
	if folded := FoldText(withoutArticle(title[:end])); long(folded) {
		return folded
	}
	return FoldText(withoutArticle(title))
}

func withoutArticle(title string) string {
	first, rest, _ := strings.Cut(strings.TrimSpace(title), " ")
	switch strings.ToLower(first) {
	case "the", "a", "an":
		if long(FoldText(rest)) {
			return rest
		}
	}
	return title
}

// long says whether a folded title says enough to stand alone.
func long(folded string) bool {
	n := 0
	for _, r := range folded {
		if isHan(r) {
			n += 2
		} else {
			n++
		}
		if n >= 4 {
			return true
		}
	}
	return false
}

// nameLike is the name of a creator in the script of a title: Chinese characters
// or not. Where there is none it is the name as shown.
func nameLike(c Creator, title string) string {
	want := strings.ContainsFunc(title, isHan)
	for i := -1; i < len(c.AltNames) && i < 8; i++ {
		name := c.Name
		if i >= 0 {
			name = c.AltNames[i]
		}
		if strings.ContainsFunc(name, isHan) == want {
			return name
		}
	}
	return c.Name
}

func isHan(r rune) bool { return r >= 0x3400 && unicode.Is(unicode.Han, r) }

// nameKey is a name with its words folded and in order, so that "Austen, Jane,
// 1775-1817" and "Jane Austen" are the same.
func nameKey(name string) string {
	words := strings.FieldsFunc(han.Simplify(name), func(c rune) bool {
		return !unicode.IsLetter(c) && !unicode.IsNumber(c) && !unicode.IsMark(c)
	})
	out := words[:0]
	for _, w := range words {
		if w = FoldText(w); w != "" && !strings.ContainsFunc(w, unicode.IsDigit) {
			out = append(out, w)
		}
	}
	slices.Sort(out)
	return strings.Join(out, "")
}
