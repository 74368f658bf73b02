package web

import (
	"strings"
	"time"

	"wenlan/internal/record"
)

// rightsBox is a rights statement in plain words: what may be done, why, and
// what that rests on.
type rightsBox struct {
	Open     bool
	Headline string
	Basis    string
	Licence  *factValue // with the licence's own page, where it is known
	Rests    string     // what it rests on
	Evidence *factValue
	Quote    string // evidence given as text
	Bare     bool   // nothing but the librarian's word
	Notes    []string
}

// licenceNames are the first parts of SPDX ids of Creative Commons licences.
var licencePages = []struct{ prefix, path string }{
	{"CC-BY-NC-SA-", "licenses/by-nc-sa/"}, {"CC-BY-NC-ND-", "licenses/by-nc-nd/"},
	{"CC-BY-NC-", "licenses/by-nc/"}, {"CC-BY-SA-", "licenses/by-sa/"},
	{"CC-BY-ND-", "licenses/by-nd/"}, {"CC-BY-", "licenses/by/"}, {"CC0-", "publicdomain/zero/"},
}

// licence names a licence as people know it, with its page.
func licence(id string) *factValue {
	if id == "" {
		return nil
	}
	if _, spdx, ok := record.ParseLicence(id); ok && spdx != "" {
		id = spdx
	}
	for _, l := range licencePages {
		if version, ok := strings.CutPrefix(id, l.prefix); ok && !strings.Contains(version, "-") {
			name := strings.ReplaceAll(strings.TrimSuffix(l.prefix, "-"), "CC-BY", "CC BY")
			return &factValue{Text: name + " " + version, Href: "https://creativecommons.org/" + l.path + version + "/", Away: true}
		}
	}
	if address := webAddress(id); address != "" {
		return &factValue{Text: id, Href: address, Away: true}
	}
	if record.IsOpenLicence(id) {
		return &factValue{Text: id, Href: "https://spdx.org/licenses/" + id + ".html", Away: true}
	}
	return &factValue{Text: id}
}

func (p *page) rights(h *holding, d record.Decision) rightsBox {
	r := h.Rights
	box := rightsBox{Open: d.Read, Headline: p.reason(d)}
	if r == nil || r.Basis == "" {
		return box
	}
	switch r.Basis {
	case record.PublicDomain:
		box.Basis = p.T("basis.public_domain")
	case record.Licence:
		box.Basis = p.T("basis.licence")
		if r.Holder != "" {
			box.Basis = p.T("basis.licence_of", r.Holder)
		}
	case record.Permission:
		box.Basis = p.T("basis.permission")
		if r.Holder != "" {
			box.Basis = p.T("basis.permission_of", r.Holder)
		}
	}
	box.Licence = licence(r.Licence)
	box.Bare = r.Bare()
	by, at := "", ""
	if e := r.Evidence; e != nil {
		by = e.By
		if t, err := time.Parse(time.RFC3339, e.At); err == nil {
			at = p.Date(t)
		}
		if e.URL != "" {
			box.Evidence = &factValue{Text: e.URL, Href: webAddress(e.URL), Away: true}
		}
		box.Quote = e.Text
	}
	switch {
	case box.Bare && by != "" && at != "":
		box.Rests = p.T("rests.word_of", by, at)
	case box.Bare:
		box.Rests = p.T("rests.word")
	case by != "" && at != "":
		box.Rests = p.T("rests.evidence_by", by, at)
	default:
		box.Rests = p.T("rests.evidence")
	}
	if len(r.Territories) > 0 {
		box.Notes = append(box.Notes, p.T("rights.territories", p.regions(r.Territories)))
	}
	if r.Evidence != nil && len(r.Evidence.Territories) > 0 {
		box.Notes = append(box.Notes, p.T("rights.checked_for", p.regions(r.Evidence.Territories)))
	}
	if r.Opens != "" && !d.Read {
		box.Notes = append(box.Notes, p.T("rights.opens", p.EDTF(r.Opens)))
	}
	return box
}

func (p *page) regions(codes []string) string {
	names := make([]string, len(codes))
	for i, c := range codes {
		names[i] = p.Region(c)
	}
	return strings.Join(names, p.T("list.comma"))
}

// tombstone says what is closed, why and since when.
type tombstone struct {
	Heading string
	Text    string
	Lines   []fact
}

// tombstone is for a decision that closes something by law; nil for others.
func (p *page) tombstone(d record.Decision, number int64) *tombstone {
	t := &tombstone{}
	add := func(key, value, href string) {
		if value != "" {
			t.Lines = append(t.Lines, fact{p.T(key), []factValue{{Text: value, Href: href}}})
		}
	}
	switch {
	case d.Withdrawal != nil:
		wd := d.Withdrawal
		t.Heading, t.Text = p.T("tomb.withdrawn"), p.T("tomb.withdrawn_text")
		if refusedHere(d) {
			t.Heading, t.Text = p.T("tomb.refused"), p.T("tomb.refused_text")
		}
		add("tomb.ground", wd.Ground, "")
		add("tomb.case", wd.Case, "")
		if !wd.Time.IsZero() {
			add("tomb.date", p.Date(wd.Time), "")
		}
		if len(wd.Territories) > 0 {
			add("tomb.territories", p.regions(wd.Territories), "")
		}
		href := ""
		if wd.Blob == "" { // the withdrawal of a blob is not in this record's history
			href = proofPath(number, wd.Entry)
		}
		if !wd.Keeper {
			add("tomb.entry", p.T("entry.number", wd.Entry), href)
		}
	case d.Erasure != nil:
		e := d.Erasure
		t.Heading, t.Text = p.T("tomb.erased"), p.T("tomb.erased_text")
		add("tomb.ground", e.Ground, "")
		add("tomb.case", e.Case, "")
		if !e.Time.IsZero() {
			add("tomb.date", p.Date(e.Time), "")
		}
		if e.Entry >= 0 {
			add("tomb.entry", p.T("entry.number", e.Entry), "")
		}
	default:
		return nil
	}
	return t
}
