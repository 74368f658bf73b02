package record

import (
	"regexp"
	"slices"
	"strings"
)

// Match is a record of the library that looks the same as a description.
type Match struct {
	State *State // of the record that was found, which may be merged into another
	ByID  bool   // the two have an identifier of an edition in common, see EditionIDs
	Into  *State // the record itself, or where it was merged to; nil where that is gone
}

// IsEditionScheme says whether an identifier of the scheme names one edition, so
// that two records that share one may be the same: isbn, doi, oclc, lccn, arxiv, pmid.
func IsEditionScheme(scheme string) bool {
	switch scheme {
	case "isbn", "doi", "oclc", "lccn", "arxiv", "pmid":
		return true
	}
	return false
}

// maxEditionIDs bounds the identifiers by which a record can be told.
const maxEditionIDs = 64

// EditionIDs are the valid identifiers of the edition, in normal form, each once,
// at most 64.
func EditionIDs(r Record) []ID {
	var ids []ID
	for _, id := range r.IDs {
		if len(ids) == maxEditionIDs {
			break
		}
		if !IsEditionScheme(id.Scheme) {
			continue
		}
		if id, ok := NormalID(id.Scheme, id.Value); ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Marks are what makes two records look the same.
type Marks struct {
	IDs   []ID   // see [EditionIDs]
	Title string // see [TitleKey]
}

// MarksOf are those of a description.
func MarksOf(r Record) Marks { return Marks{EditionIDs(r), TitleKey(r)} }

// Meet says whether two records look the same.
func (m Marks) Meet(other Marks) bool {
	return m.Title != "" && m.Title == other.Title || m.ShareID(other)
}

// ShareID says whether they have an identifier in common.
func (m Marks) ShareID(other Marks) bool {
	return slices.ContainsFunc(m.IDs, func(id ID) bool { return slices.Contains(other.IDs, id) })
}

// SameEdition says whether nothing in two descriptions, which have an identifier
// in common, contradicts that they are of one edition: the titles are the same, or
// one is the other with a subtitle, or one is an alternative title of the other;
// the languages, kinds and volumes are not different ones, neither those of the
// containers nor those that the titles name; where both have DOIs, they have one in
// common; and the years of publication are not further apart than a few, see
// [maxApart]. What one of them does not say contradicts nothing.
//
// An ISBN alone does not tell a chapter or an article: it is that of the book, in
// which other parts may have the same title ("Introduction"). Nor does it tell a
// volume from its set, which may have one ISBN for all.
func SameEdition(a, b Record) bool {
	if a.Kind != b.Kind && stated(a.Kind) && stated(b.Kind) {
		return false
	}
	isbnAlone := commonISBNAlone(a, b)
	if (isPart(a.Kind) || isPart(b.Kind)) && isbnAlone {
		return false
	}
	if a.Container != nil && b.Container != nil {
		v, w := FoldText(a.Container.Volume), FoldText(b.Container.Volume)
		if v != "" && w != "" && v != w {
			return false
		}
	}
	return commonLanguage(a.Languages, b.Languages) && commonTitle(a, b) && !otherDOIs(a, b) && !yearsApart(a, b) && !otherVolumes(a, b, isbnAlone)
}

func stated(k Kind) bool { return k != "" && k != Other }

func isPart(k Kind) bool { return k == Chapter || k == Article }

// commonISBNAlone says whether two records have ISBNs in common, and no other
// identifier of an edition.
func commonISBNAlone(a, b Record) bool {
	found, ids := false, EditionIDs(b)
	for _, id := range EditionIDs(a) {
		if slices.Contains(ids, id) {
			if id.Scheme != "isbn" {
				return false
			}
			found = true
		}
	}
	return found
}

// commonLanguage says whether two lists have a primary language in common, or one
// of them names none.
func commonLanguage(a, b []string) bool {
	primaries := func(list []string) (out []string) {
		for _, tag := range list[:min(len(list), 64)] {
			p, _, _ := strings.Cut(strings.ToLower(tag), "-")
			if p != "" && p != "und" && p != "mul" && p != "zxx" {
				out = append(out, p)
			}
		}
		return out
	}
	x, y := primaries(a), primaries(b)
	return len(x) == 0 || len(y) == 0 || slices.ContainsFunc(x, func(p string) bool { return slices.Contains(y, p) })
}

func commonTitle(a, b Record) bool {
	x, y := FoldText(a.Title), FoldText(b.Title)
	if x == y || x == "" || y == "" {
		return x == y && a.Title != "" && (x != "" || a.Title == b.Title)
	}
	for _, t := range b.AltTitles[:min(len(b.AltTitles), 64)] {
		if FoldText(t) == x {
			return true
		}
	}
	for _, t := range a.AltTitles[:min(len(a.AltTitles), 64)] {
		if FoldText(t) == y {
			return true
		}
	}
	return beginsWith(a.Title, y) || beginsWith(b.Title, x)
}

// beginsWith says whether what stands before a subtitle of the title folds to short.
func beginsWith(title, short string) bool {
	for _, s := range subtitles {
		for at, n := 0, 0; n < 8; n++ {
			i := strings.Index(title[at:], s)
			if i < 0 {
				break
			}
			if at += i; at > 0 && FoldText(title[:at]) == short {
				return true
			}
			at += len(s)
		}
	}
	return false
}

// otherDOIs says whether both records have DOIs, and none in common.
func otherDOIs(a, b Record) bool {
	dois := func(r Record) []ID {
		return slices.DeleteFunc(EditionIDs(r), func(id ID) bool { return id.Scheme != "doi" })
	}
	x, y := dois(a), dois(b)
	return len(x) > 0 && len(y) > 0 && !slices.ContainsFunc(x, func(id ID) bool { return slices.Contains(y, id) })
}

var (
	oclcForm = regexp.MustCompile(`^(?i:\(ocolc\))? ?(?i:ocm|ocn|on)?0*([1-9][0-9]{0,14})$`)
	lccnForm = regexp.MustCompile(`^[a-z]{0,3}[0-9]{8}(?:[0-9]{2})?$`)
	pmidForm = regexp.MustCompile(`^(?i:pmid:? ?)?0*([1-9][0-9]{0,11})$`)
)

// OCLC is a number of WorldCat without its prefix and leading zeros.
func OCLC(s string) (string, bool) {
	if m := oclcForm.FindStringSubmatch(strings.TrimSpace(s)); m != nil {
		return m[1], true
	}
	return "", false
}

// LCCN is a control number of the Library of Congress in its normal form, "n78890351"
// for "n 78-890351 " (https://www.loc.gov/marc/lccn-namespace.html, "Normalization").
func LCCN(s string) (string, bool) {
	s = strings.ToLower(strings.Join(strings.Fields(s), ""))
	for _, p := range []string{"info:lccn/", "https://lccn.loc.gov/", "http://lccn.loc.gov/", "lccn:"} {
		s = strings.TrimPrefix(s, p)
	}
	s, _, _ = strings.Cut(s, "/")
	if year, serial, ok := strings.Cut(s, "-"); ok && len(serial) <= 6 {
		s = year + strings.Repeat("0", 6-len(serial)) + serial
	}
	return s, lccnForm.MatchString(s)
}
