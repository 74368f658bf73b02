package index

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"wenlan/internal/index/analysis"
	"wenlan/internal/record"
)

// Lists of names and subjects are read from the dictionary: each name and each subject
// of a record is a term of its own, in the field of identifiers, whose documents are those
// that have it. No text and no identifier has such a term. After the mark it is
//
//	a or s   a creator, a subject
//	key      what the list is ordered by, at most maxHeadingKey bytes
//	0        a byte
//	form     a byte: how the value is written, of the key alone (see spell), or formGiven
//	value    with formGiven: the value
//
// The term of a subject follows from its label alone, so that it also finds the records.
// A name is listed by its sort form, which only the record knows.
//
// A class is c (CLC) or d (DDC), a byte with the length of the code, and the code
// without points; a record has the terms of its classes and of all above them. So the
// classes under another stand together. The term of all documents is termAll.
const (
	headingMark   = analysis.MarkID + "\x01" // no identifier has such a character
	termAll       = headingMark + "*"
	termCreator   = headingMark + "a"
	termSubject   = headingMark + "s"
	maxHeadingKey = 64
)

// heading is the term of a value; empty where nothing of the value can be put in order.
func heading(kind, key, value string) string {
	for len(key) > maxHeadingKey {
		_, n := utf8.DecodeLastRuneInString(key[:maxHeadingKey+1])
		key = key[:maxHeadingKey+1-n]
	}
	if key == "" || strings.IndexByte(key, 0) >= 0 {
		return ""
	}
	for _, form := range forms(key, value) {
		if spell(key, form) == value {
			return kind + key + "\x00" + string(formFirst+form)
		}
	}
	return kind + key + "\x00" + string(formFirst+formGiven) + value
}

// forms are the ways to write a value that a look at it leaves.
func forms(key, value string) []byte {
	for i := range len(value) {
		if value[i] >= utf8.RuneSelf {
			return nil // what is folded has lost a mark, or the script has no case to tell
		}
	}
	named := byte(formNatural)
	if strings.Contains(value, ",") {
		named = formListed
	}
	switch {
	case strings.Contains(value, "."):
		return []byte{named | formDots}
	case strings.Contains(key, ", "):
		return []byte{named}
	case value != "" && value[0] >= 'A' && value[0] <= 'Z':
		return []byte{formFirstUp, formNatural}
	}
	return []byte{formFolded}
}

// headingOf is the value of a term without its kind; "" for what is none.
func headingOf(rest string) (key, value string) {
	key, form, ok := strings.Cut(rest, "\x00")
	if !ok || form == "" || key == "" || form[0] < formFirst || form[0] > formFirst+formGiven {
		return "", ""
	}
	if f := form[0] - formFirst; f < formGiven {
		return key, spell(key, f)
	}
	return key, form[1:]
}

// Ways to write a value of which only the key is kept. Most names and subjects need no more.
const (
	formFirst   = 'A' // of the byte
	formNatural = 0   // "austen, jane": Jane Austen
	formListed  = 1   // Austen, Jane
	formDots    = 2   // added to either: letters by themselves are initials: J. R. R. Tolkien
	formFolded  = 4   // english literature
	formFirstUp = 5   // English literature
	formGiven   = 6
)

// listed is a value as lists show it: a name whose key begins with its last words, these first.
func listed(key, value string) string {
	last, _, comma := strings.Cut(key, ", ")
	if !comma || strings.Contains(value, ",") {
		return value
	}
	words := strings.Fields(value)
	for i := len(words) - 1; i > 0; i-- {
		switch end := analysis.Heading(strings.Join(words[i:], " "), true); {
		case end == last:
			return strings.Join(words[i:], " ") + ", " + strings.Join(words[:i], " ")
		case len(end) > len(last):
			return value
		}
	}
	return value
}

// spell writes a key as a value.
func spell(key string, form byte) string {
	switch form {
	case formFolded:
		return key
	case formFirstUp:
		return capital(key)
	}
	words := func(text string) string {
		parts := strings.Split(text, " ")
		for i, w := range parts {
			if parts[i] = capital(w); form&formDots != 0 && len(w) == 1 {
				parts[i] += "."
			}
		}
		return strings.Join(parts, " ")
	}
	last, first, comma := strings.Cut(key, ", ")
	switch {
	case !comma:
		return words(key)
	case form&formListed != 0:
		return words(last) + ", " + words(first)
	}
	return words(first) + " " + words(last)
}

func capital(word string) string {
	r, n := utf8.DecodeRuneInString(word)
	if n == 0 || r == utf8.RuneError {
		return word
	}
	return string(unicode.ToUpper(r)) + word[n:]
}

// subjectTerm is the term of a subject, as the facets give it.
func subjectTerm(value string) string {
	return heading(termSubject, analysis.Heading(value, false), value)
}

// creatorTerm is the term of a creator whose name is as the facets give it.
func creatorTerm(name string, c *record.Creator) string {
	return heading(termCreator, analysis.Heading(sortForm(name, c.AltNames), true), name)
}

// sortForm is a name as lists have it, the family name first: the name itself where it has
// a comma or is of a script in which the family name comes first anyway; else the other name
// that says the same words with a comma; else a guess, the last word first, where the name
// looks like a person's. Guessing wrong puts a name in another place of the list and does no
// other harm.
func sortForm(name string, others []string) string {
	if strings.Contains(name, ",") || strings.ContainsFunc(name, analysis.InRun) {
		return name
	}
	words := strings.Fields(name)
	if len(words) < 2 {
		return name
	}
	var sorted []string
	for _, o := range others {
		last, first, comma := strings.Cut(o, ", ")
		if !comma && !strings.Contains(o, ",") || len(o) > 2*len(name)+8 {
			continue
		}
		if comma && len(name) == len(last)+1+len(first) && strings.HasPrefix(name, first) && strings.HasSuffix(name, last) && name[len(first)] == ' ' {
			return o
		}
		if sorted == nil {
			sorted = sortedWords(name)
		}
		if slices.Equal(sorted, sortedWords(o)) {
			return o
		}
	}
	if len(words) > 5 || strings.ContainsAny(name, "0123456789&()/") {
		return name
	}
	for _, w := range words {
		if corporate[strings.ToLower(strings.Trim(w, ".'’"))] {
			return name
		}
	}
	last := len(words) - 1
	switch strings.ToLower(strings.TrimSuffix(words[last], ".")) {
	case "jr", "sr", "ii", "iii", "iv":
		if last > 1 {
			return words[last-1] + ", " + strings.Join(append(slices.Clone(words[:last-1]), words[last]), " ")
		}
		return name
	}
	return words[last] + ", " + strings.Join(words[:last], " ")
}

func sortedWords(text string) []string {
	words := strings.Fields(strings.Replace(analysis.Heading(text, false), ",", " ", 1))
	slices.Sort(words)
	return words
}

// corporate are words that names of persons do not have, and those of bodies do.
var corporate = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(`the of for and on in to und für der die das des et pour du les y e
		university universität université universidad universidade college school academy institute institut institution laboratory laboratories
		society association organization organisation commission committee council department ministry office bureau agency administration
		government parliament congress union nations international national royal federal state states united republic kingdom
		press library museum archive archives foundation centre center group team consortium collaboration network project company corporation inc ltd gmbh
		church bank court army navy party club service services research`) {
		m[w] = true
	}
	delete(m, "e")
	delete(m, "y")
	delete(m, "der") // particles of names, too
	delete(m, "du")
	return m
}()

// Schemes of classes.
const (
	DDC = "ddc" // Dewey Decimal Classification
	CLC = "clc" // Chinese Library Classification
)

// maxClass bounds the letters and digits of a class that are kept.
const maxClass = 12

// Class is a code of a class as it is kept and asked for: "823.7" of DDC, "I247.5" of CLC,
// or a part of one that stands for all classes under it: "8", "82", "I", "I24". What follows
// the number itself is left out: segmentation marks, the letters of a shelf mark, and the
// auxiliaries of CLC. false: it is no class.
func Class(scheme, code string) (string, bool) {
	bare, ok := bareClass(scheme, code)
	return pointed(scheme, bare), ok
}

// bareClass is a class without points.
func bareClass(scheme, code string) (string, bool) {
	if len(code) > 256 {
		return "", false
	}
	code = strings.Trim(strings.TrimSpace(code), "[]{}")
	var b []byte
	switch strings.ToLower(scheme) {
	case DDC:
		for i := range len(code) {
			switch c := code[i]; {
			case c >= '0' && c <= '9':
				b = append(b, c)
				continue
			case c == '.' && len(b) == 3, c == '/' || c == '\'': // segmentation marks
				continue
			}
			break
		}
		if len(b) == 0 {
			return "", false
		}
	case CLC:
		letters := 0
		for i := range len(code) {
			c := code[i]
			if c >= 'a' && c <= 'z' {
				c -= 'a' - 'A'
			}
			switch {
			case c >= 'A' && c <= 'Z' && letters == len(b) && letters < 2:
				letters++
				b = append(b, c)
				continue
			case c >= '0' && c <= '9' && letters > 0:
				b = append(b, c)
				continue
			case c == '.' && len(b) > letters:
				continue
			}
			break
		}
		if letters == 0 || !strings.ContainsRune("ABCDEFGHIJKNOPQRSTUVXZ", rune(b[0])) || letters == 2 && b[0] != 'T' {
			return "", false
		}
	default:
		return "", false
	}
	return string(b[:min(len(b), maxClass)]), true
}

// pointed is a class with its points.
func pointed(scheme, bare string) string {
	if scheme == DDC {
		if len(bare) > 3 {
			return bare[:3] + "." + bare[3:]
		}
		return bare
	}
	digits := strings.TrimLeft(bare, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	out := bare[:len(bare)-len(digits)]
	for len(digits) > 3 {
		out, digits = out+digits[:3]+".", digits[3:]
	}
	return out + digits
}

// classTerm is the term of all records in a class without points, and under it.
func classTerm(scheme, bare string) string {
	return classesTerm(scheme, len(bare)) + bare
}

// classesTerm is how the terms of classes of a length begin.
func classesTerm(scheme string, n int) string {
	kind := "d"
	if scheme == CLC {
		kind = "c"
	}
	return headingMark + kind + string(rune(n))
}

// headings appends the terms of a record's lists to dst.
func headings(dst []string, r *record.Record, creators, subjects []string) []string {
	dst = append(dst, termAll)
	had := len(dst)
	add := func(term string) {
		if term != "" && !slices.Contains(dst[had:], term) {
			dst = append(dst, term)
		}
	}
	for i := range r.Creators {
		c := &r.Creators[i]
		if name := strings.Join(strings.Fields(c.Name), " "); slices.Contains(creators, name) {
			add(creatorTerm(name, c))
		}
	}
	for _, s := range subjects {
		add(subjectTerm(s))
	}
	classes := 0
	for _, s := range r.Subjects {
		scheme := strings.ToLower(s.Scheme)
		bare, ok := bareClass(scheme, s.Code)
		if !ok || classes >= MaxValues {
			continue
		}
		classes++
		for n := 1; n <= len(bare); n++ {
			add(classTerm(scheme, bare[:n]))
		}
	}
	return dst
}
