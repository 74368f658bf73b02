package web

import (
	"context"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"wenlan/internal/copies"
	"wenlan/internal/errs"
)

const (
	mirrorsShown = 200 // the whole list is at /mirrors.json
	deniedShown  = 500
	shelvesShown = 50
)

type mirrorsPage struct {
	page
	Trust    copies.Trust
	Here     []fact // how this copy stands
	Command  string // that makes a mirror
	Pictures []heldPicture
	List     []mirrorLine
	More     int64 // mirrors that are not shown
	Denied   []deniedLine
	Refused  int64 // refusals that are not shown
}

// mirrorLine is a mirror in the list.
type mirrorLine struct {
	URL, Href string // no Href: the address cannot be followed
	Key       string
	Witness   string
	Holds     string
	Heard     string
	Audit     string
	Passed    bool // it passed its last audit
	Failed    bool // it did not
	Note      string
}

type deniedLine struct{ Name, Href, Reason string }

// mirrors answers /mirrors: how to make a copy, who has one, and how often the
// library is held.
func (s *Site) mirrors(w http.ResponseWriter, r *http.Request) error {
	p := &mirrorsPage{page: s.newPage(w, r)}
	p.page.Title, p.Section = p.T("mirrors.title"), "mirrors"
	p.Trust = s.trust(r.Context())
	p.Here = p.here(p.Trust)
	p.Command = s.mirrorCommand(r)
	if s.cfg.Copies.Mirrors != nil {
		all, err := s.cfg.Copies.Mirrors(r.Context())
		if err != nil {
			return err
		}
		for i, m := range all.List {
			if i == mirrorsShown {
				p.More = int64(len(all.List) - i)
				break
			}
			p.List = append(p.List, p.mirror(m))
		}
		for _, held := range []struct {
			id, heading, unit string
			counts            []copies.Held
		}{{"held-shelves", "held.shelves", "held.n_shelves", all.Shelves}, {"held-records", "held.records", "held.n_records", all.Records}} {
			if picture, ok := p.picture(held.id, held.heading, held.unit, held.counts); ok {
				p.Pictures = append(p.Pictures, picture)
			}
		}
	}
	if err := s.denied(r.Context(), p); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "mirrors", p)
}

// mirrorCommand copies the library from this site.
func (s *Site) mirrorCommand(r *http.Request) string {
	command := "wenlan mirror " + s.base(r)
	if s.cfg.ID != "" {
		command += "#" + s.cfg.ID
	}
	return command
}

// denied lists what the keeper refuses, openly.
func (s *Site) denied(ctx context.Context, p *mirrorsPage) error {
	if s.cfg.Copies.Denied == nil {
		return nil
	}
	list, err := s.cfg.Copies.Denied(ctx)
	if err != nil {
		return err
	}
	for i, d := range list {
		if i == deniedShown {
			p.Refused = int64(len(list) - i)
			break
		}
		line := deniedLine{Name: d.SHA256, Reason: d.Reason}
		if d.SHA256 == "" {
			line.Name, line.Href = p.T("record.number", d.Record), recordPath(d.Record)
		}
		p.Denied = append(p.Denied, line)
	}
	return nil
}

// evidencePath is where a mirror publishes what it can prove against its origin.
const evidencePath = "/witness/evidence"

// here is how this copy stands, as lines.
func (p *page) here(t copies.Trust) []fact {
	var out []fact
	add := func(key, text, href string) {
		if text != "" {
			out = append(out, fact{p.T(key), []factValue{{Text: text, Href: href, Away: href != ""}}})
		}
	}
	if t.Mirror {
		if t.Alarm.Kind == copies.Fork || t.Alarm.Kind == copies.Rollback {
			out = append(out, fact{p.T("here.proof"), []factValue{{Text: evidencePath, Href: evidencePath}}})
		}
		add("here.origin", t.Origin, webAddress(t.Origin))
		add("here.register", p.extent(t), "")
		add("here.heard", p.heard(t.Heard), "")
		switch {
		case t.Wanted > 0 && t.Files < t.Wanted:
			add("here.files", p.T("trust.files_of", t.Files, t.Wanted), "")
		case t.Wanted > 0:
			add("here.files", p.N("trust.files", t.Files), "")
		}
		if t.Partial {
			what := t.Selection
			if what == "" {
				what = p.T("trust.part")
			}
			add("here.selection", what, "")
		}
	}
	add("here.freshness", p.freshness(t), "")
	add("here.safe", p.safe(t), "")
	return out
}

func (p *page) mirror(m copies.Mirror) mirrorLine {
	l := mirrorLine{URL: m.URL, Href: webAddress(m.URL), Key: m.Key, Witness: m.Witness, Note: m.Note}
	l.Holds = p.T("mirror.part", p.N("trust.entries", m.Size), p.N("held.n_shelves", m.Shelves))
	if m.All {
		l.Holds = p.T("mirror.all", p.N("trust.entries", m.Size))
	}
	if !m.Heard.IsZero() {
		l.Heard = p.T("mirror.heard", p.Date(m.Heard))
	}
	switch {
	case m.Audited.IsZero():
		l.Audit, l.Note = p.T("mirror.unaudited"), ""
	case m.Passed:
		l.Audit, l.Passed = p.T("mirror.passed", p.Date(m.Audited)), true
	default:
		l.Audit, l.Failed = p.T("mirror.failed", p.Date(m.Audited)), true
	}
	return l
}

// heldPicture shows how many shelves or records there are with each number of
// copies. All that it shows is said in words beside it.
type heldPicture struct {
	ID, Heading string
	Rows        []heldRow
}

type heldRow struct {
	Pavilions []pavilion
	Copies    string // "three copies"
	Things    string // "twelve shelves"
	Width     int    // of the bar, of barWidth
	Few       bool   // so few that the loss of one matters
}

// pavilion is one of seven: the Siku Quanshu was kept in seven copies, each in a
// pavilion of its own.
type pavilion struct {
	X     int
	State string // the class: held, said or empty
}

const (
	pavilions     = 7
	pavilionWidth = 22
	barWidth      = 400
	fewCopies     = 1
)

// row draws verified copies as whole pavilions, announced ones as outlines.
func row(verified, announced int) []pavilion {
	list := make([]pavilion, pavilions)
	for i := range list {
		list[i] = pavilion{X: i * pavilionWidth, State: "empty"}
		if i < verified {
			list[i].State = "held"
		} else if i < announced {
			list[i].State = "said"
		}
	}
	return list
}

// picture draws counts; those of seven copies and more are one row. It is not ok
// where there is nothing to show.
func (p *page) picture(id, heading, unit string, counts []copies.Held) (heldPicture, bool) {
	sums := map[int]int64{}
	most := int64(0)
	for _, c := range counts {
		if c.N > 0 && c.Copies >= 0 {
			n := min(c.Copies, pavilions)
			sums[n] += c.N
			most = max(most, sums[n])
		}
	}
	picture := heldPicture{ID: id, Heading: p.T(heading)}
	for n := 0; n <= pavilions; n++ {
		if sums[n] == 0 {
			continue
		}
		r := heldRow{Pavilions: row(n, n), Things: p.N(unit, sums[n]), Few: n <= fewCopies,
			Width: max(2, int(float64(sums[n])/float64(most)*barWidth))}
		switch n {
		case 0:
			r.Copies = p.T("held.none")
		case pavilions:
			r.Copies = p.T("held.many", int64(n))
		default:
			r.Copies = p.N("held.copies", int64(n))
		}
		picture.Rows = append(picture.Rows, r)
	}
	return picture, len(picture.Rows) > 0
}

// copiesBox is how often one record or shelf is held.
type copiesBox struct {
	Pavilions []pavilion
	Text      string
}

func (p *page) copies(n copies.Count) *copiesBox {
	n.Verified = max(0, min(n.Verified, n.Announced))
	box := &copiesBox{Pavilions: row(n.Verified, n.Announced)}
	switch others := int64(n.Announced - n.Verified); {
	case n.Announced <= 0:
		box.Text = p.T("held.none")
	case others == 0:
		box.Text = p.N("held.verified", int64(n.Verified))
	case n.Verified == 0:
		box.Text = p.N("held.announced", others)
	default:
		box.Text = p.N("held.verified", int64(n.Verified)) + p.T("list.comma") + p.N("held.more", others)
	}
	return box
}

type shelvesPage struct {
	page
	Total string // what all shelves come to
	List  []shelfLine
	Next  string
	First bool // this is the first page
}

type shelfLine struct {
	Number      int64
	Heading     string
	Date, Stamp string
	Size        string
	Files       string
	Magnet      template.URL // made from an infohash alone
	Torrent     string
	Infohash    string
	Entry       string
	State       string // the class
	Status      string // why it is not given out; empty: it is
	Means       string
	By          string // the shelf that took its place
	Copies      *copiesBox
}

// shelves answers /shelves, newest first: ?before=N goes on below shelf N.
func (s *Site) shelves(w http.ResponseWriter, r *http.Request) error {
	var before int64
	if v := r.URL.Query().Get("before"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 1 {
			return errs.New(errs.Invalid, "%q is not the number of a shelf", v)
		}
		before = n
	}
	p := &shelvesPage{page: s.newPage(w, r), First: before == 0}
	p.page.Title, p.Section = p.T("shelves.title"), "mirrors"
	p.LinkedTo = append(p.LinkedTo, headLink{Rel: "alternate", Type: "application/atom+xml", Title: p.T("shelves.title"), Href: "/shelves.atom"})
	if s.cfg.Copies.Shelves != nil {
		list, err := s.cfg.Copies.Shelves(r.Context(), before, shelvesShown+1)
		if err != nil {
			return err
		}
		if list.Total > 0 {
			p.Total = p.N("held.n_shelves", list.Total) + p.T("list.dot") + p.N("trust.files", list.Files) + p.T("list.dot") + p.Bytes(list.Bytes)
		}
		if len(list.List) > shelvesShown {
			list.List = list.List[:shelvesShown]
			p.Next = "/shelves?before=" + strconv.FormatInt(list.List[shelvesShown-1].Number, 10)
		}
		for _, shelf := range list.List {
			p.List = append(p.List, p.shelf(shelf, s.base(r)))
		}
	}
	return s.render(w, r, http.StatusOK, "shelves", p)
}

func (p *page) shelf(shelf copies.Shelf, base string) shelfLine {
	l := shelfLine{
		Number: shelf.Number, Heading: p.T("shelf.number", shelf.Number),
		Size: p.Bytes(shelf.Bytes), Files: p.N("trust.files", shelf.Files),
		Infohash: shelf.Infohash, Entry: p.T("entry.number", shelf.Entry), State: string(shelf.State),
	}
	if !shelf.Time.IsZero() {
		l.Date, l.Stamp = p.Date(shelf.Time), shelf.Time.UTC().Format(time.RFC3339)
	}
	switch shelf.State {
	case copies.Seeded:
		l.Magnet = template.URL(shelf.Magnet(base))
		if l.Magnet != "" {
			l.Torrent = shelf.TorrentPath()
		}
		l.Copies = p.copies(shelf.Copies)
	case copies.Replaced:
		l.Status, l.Means = p.T("shelf.replaced"), p.T("shelf.replaced_text")
		if shelf.ReplacedBy > 0 {
			l.By = p.T("shelf.by", shelf.ReplacedBy)
		}
	case copies.Broken:
		l.Status, l.Means = p.T("shelf.broken"), p.T("shelf.broken_text")
	default:
		l.State, l.Status, l.Means = string(copies.Stopped), p.T("shelf.stopped"), p.T("shelf.stopped_text")
	}
	return l
}
