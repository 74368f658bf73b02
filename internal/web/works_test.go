package web

import (
	"strings"
	"testing"

	"wenlan/internal/record"
)

// book adds a book with a text that anybody may read.
func (l *library) book(title, author, lang, year string, relations ...record.Relation) int64 {
	return l.add(record.Record{Title: title, Kind: record.Book, Languages: []string{lang}, Issued: year,
		Creators: []record.Creator{{Name: author, Role: "aut"}}, Relations: relations}, openRights(), l.epub(title+author+lang))
}

func TestEditionsOnTheRecordPage(t *testing.T) {
	l := newLibrary(t)
	hans := l.book("红楼梦", "曹雪芹", "zh-Hans", "1982")
	hant := l.book("紅樓夢", "曹雪芹", "zh-Hant", "1791")
	joly := l.add(record.Record{Title: "Hung Lou Meng <1>", Kind: record.Audio, Languages: []string{"en"}, Issued: "1892",
		Creators: []record.Creator{{Name: "H. Bencraft Joly", Role: "trl"}}, Relations: []record.Relation{{Type: record.TranslationOf, Record: &hans}}}, nil)
	alone := l.book("Alone", "Nobody", "en", "1900")

	root := l.page(recordPath(hans), 200, "Accept-Language", "en")
	list := all(t, root, "section.editions li")
	if len(list) != 2 {
		t.Fatalf("%d editions: %s", len(list), text(root))
	}
	holds(t, text(list[0]), "English", "Hung Lou Meng <1>", "Translation", "1892", "Sound recording", "Record only")
	holds(t, text(list[1]), "Traditional Chinese", "紅樓夢", "1791", "Open")
	if strings.Contains(text(list[1]), "Book") || strings.Contains(text(list[1]), "Translation") {
		t.Errorf("says what it need not: %s", text(list[1]))
	}
	if a := one(t, list[1], "a[href='"+recordPath(hant)+"']"); attr(one(t, a, ".title"), "lang") != "zh-Hant" {
		t.Error("the title does not say its language")
	}
	root = l.page(recordPath(joly), 200, "Accept-Language", "zh-Hans")
	list = all(t, root, "section.editions li")
	if len(list) != 2 {
		t.Fatalf("%d editions: %s", len(list), text(root))
	}
	holds(t, text(list[0]), "简体中文", "红楼梦", "原作", "曹雪芹", "可读")
	holds(t, text(list[1]), "繁体中文", "紅樓夢")
	none(t, l.page(recordPath(alone), 200), "section.editions")
}

// TestManyEditions is a title that very many have: some are shown, and the rest counted.
func TestManyEditions(t *testing.T) {
	l := newLibrary(t)
	var entries []record.Entry
	for range 300 {
		entries = append(entries, record.Entry{Type: record.TypeAccession, Record: &record.Record{Title: "Hamlet", Kind: record.Book, Languages: []string{"en"},
			Creators: []record.Creator{{Name: "William Shakespeare"}}}})
	}
	n := l.append(entries...)
	m := l.book("Hamlet", "Shakespeare, William", "de", "1841")
	root := l.page(recordPath(m), 200)
	if got := len(all(t, root, "section.editions li")); got != editionsShown {
		t.Errorf("%d editions", got)
	}
	holds(t, text(one(t, root, "section.editions > p")), "76 more editions")
	// of the same language they look the same, which is said apart
	root = l.page(recordPath(n), 200)
	if same := all(t, root, "section[aria-labelledby=same] li"); len(same) != sameShown {
		t.Errorf("%d look the same", len(same))
	}
}

func TestMergedRecordPage(t *testing.T) {
	l := newLibrary(t)
	a := l.add(record.Record{Title: "Emma", IDs: []record.ID{{Scheme: "oclc", Value: "12"}}}, openRights(), l.epub("emma a"))
	b := l.add(record.Record{Title: "Emma B"}, nil)
	c := l.add(record.Record{Title: "Emma C"}, nil)
	shut := l.add(record.Record{Title: "Emma D"}, nil, l.epub("emma d"))
	merge := l.append(record.Entry{Type: record.TypeMerge, From: &a, Into: &b}, record.Entry{Type: record.TypeMerge, From: &b, Into: &c}, record.Entry{Type: record.TypeMerge, From: &shut, Into: &c})

	root := l.page(recordPath(a), 200)
	if to := attr(one(t, root, "p.notice a"), "href"); to != recordPath(c) {
		t.Errorf("a leads to %s, not to the end of the chain", to)
	}
	if canonical := attr(one(t, root, "link[rel=canonical]"), "href"); !strings.HasSuffix(canonical, recordPath(c)) {
		t.Errorf("canonical %s", canonical)
	}
	root = l.page(recordPath(c), 200)
	list := all(t, root, "section[aria-labelledby=merged] li")
	if len(list) != 3 {
		t.Fatalf("%d merged: %s", len(list), text(root))
	}
	holds(t, text(list[0]), "Emma B")
	holds(t, text(root), "OCLC 12")
	// the open file of what was merged is offered, and the shut one is not
	one(t, root, "p.do a[href='"+recordPath(a)+"/files/emma%20a.epub']")
	one(t, root, "p.do a[href='"+recordPath(a)+"/read']")
	files := all(t, root, "ul.files li")
	if len(files) != 2 || len(all(t, root, "ul.files a")) != 1 {
		t.Errorf("%d files: %s", len(files), text(root))
	}
	holds(t, text(root), "emma d.epub", "Rights not stated")
	if res := l.get("GET", recordPath(a)+"/files/emma%20a.epub"); res.StatusCode != 200 {
		t.Errorf("the file of the merged record: %d", res.StatusCode)
	}

	l.append(record.Entry{Type: record.TypeUnmerge, Of: &merge})
	none(t, l.page(recordPath(a), 200), "p.notice a")
	if list := all(t, l.page(recordPath(c), 200), "section[aria-labelledby=merged] li"); len(list) != 2 {
		t.Errorf("%d are still merged", len(list))
	}
}

func TestHistoryOnTheRecordPage(t *testing.T) {
	l := newLibrary(t)
	n := l.add(record.Record{Title: "Emma", Publisher: "Murray", Languages: []string{"en"}}, nil)
	l.append(
		record.Entry{Type: record.TypeRevision, Of: &n, Source: &record.Source{Name: "files", ID: "x"}, Patch: []byte(`{"title":"Emma <b>","publisher":null,"languages":["de"]}`)},
		record.Entry{Type: record.TypeRevision, Of: &n, Source: &record.Source{Name: "union", ID: "x"}, Patch: []byte(`{"title":"EMMA"}`)},
		record.Entry{Type: record.TypeRevision, Of: &n, Patch: []byte(`{"place":"London"}`)},
		record.Entry{Type: record.TypeRights, Of: &n, Rights: openRights()},
	)
	root := l.page(recordPath(n), 200, "Accept-Language", "en")
	lines := all(t, root, "ol.history > li")
	if len(lines) != 5 {
		t.Fatalf("%d lines", len(lines))
	}
	none(t, lines[0], "details")
	holds(t, text(lines[1]), "Description revised", "files", "Title, Language, Publisher")
	if del, ins := all(t, lines[1], "del"), all(t, lines[1], "ins"); len(del) != 3 || len(ins) != 2 ||
		text(del[0]) != "Emma" || text(ins[0]) != "Emma <b>" || text(del[1]) != "English" || text(ins[1]) != "German" || text(del[2]) != "Murray" {
		t.Errorf("changes: %s", text(lines[1]))
	}
	none(t, lines[2], "details")
	holds(t, text(lines[2]), "union; what another source says counts first")
	holds(t, text(lines[3]), "by the library", "Place", "London")
	holds(t, text(lines[4]), "Access", "Open", "Basis of the rights", "public-domain")
	holds(t, text(one(t, root, "dl.facts")), "Described by", "files", "union")

	var many []record.Entry
	for range 120 {
		many = append(many, record.Entry{Type: record.TypeRights, Of: &n, Rights: openRights()})
	}
	l.append(many...)
	root = l.page(recordPath(n), 200)
	if got := len(all(t, root, "ol.history > li")); got != historyShown {
		t.Errorf("%d lines of a long history", got)
	}
	holds(t, text(root), "25 earlier entries are in the register.")
}

func TestRelationsOnTheRecordPage(t *testing.T) {
	l := newLibrary(t)
	other := int64(99)
	n := l.add(record.Record{Title: "T", Relations: []record.Relation{
		{Type: record.TranslationOf, Title: "Das Original"},
		{Type: record.FormatOf, ID: &record.ID{Scheme: "doi", Value: "10.1/a b"}, Title: "On paper"},
		{Type: record.ContinuedBy, Record: &other},
		{Type: record.SupplementTo, ID: &record.ID{Scheme: "url", Value: "javascript:alert(1)"}},
		{Type: "unheard_of", Title: "X"},
	}}, nil)
	facts := text(one(t, l.page(recordPath(n), 200), "dl.facts"))
	holds(t, facts, "Translation of Das Original", "Other form On paper", "Continued by No. 99", "Supplement to javascript:alert(1)", "Related X")
	root := l.page(recordPath(n), 200)
	one(t, root, "dl.facts a[href='https://doi.org/10.1/a%20b']")
	none(t, root, "a[href^=javascript]")
}
