package web

import (
	"slices"
	"strings"

	"wenlan/internal/index"
	"wenlan/internal/record"
)

// The tables from what the register says to the keys of messages.

var kindKeys = map[record.Kind]string{
	record.Book: "kind.book", record.Article: "kind.article", record.Chapter: "kind.chapter",
	record.Thesis: "kind.thesis", record.Report: "kind.report", record.Issue: "kind.issue",
	record.Dataset: "kind.dataset", record.Audio: "kind.audio", record.Image: "kind.image",
	record.Other: "kind.other",
}

// kind names a kind of work; an empty one is not named.
func (p *page) kind(k record.Kind) string {
	if key, ok := kindKeys[k]; ok {
		return p.T(key)
	}
	return string(k)
}

var accessKeys = map[record.Access]string{
	record.Open: "access.open", record.Subsidised: "access.subsidised", record.Lend: "access.lend",
	record.Sale: "access.sale", record.None: "access.none", index.AccessWithdrawn: "access.withdrawn",
}

// access names how a work may be had, as a facet says it.
func (p *page) access(value string) string {
	if key, ok := accessKeys[record.Access(value)]; ok {
		return p.T(key)
	}
	return value
}

// roleKeys are MARC relator codes, https://www.loc.gov/marc/relators/.
var roleKeys = map[string]string{
	"trl": "role.trl", "edt": "role.edt", "ill": "role.ill", "com": "role.com",
	"ann": "role.ann", "aui": "role.aui", "art": "role.art", "cmm": "role.cmm",
	"ctb": "role.ctb", "nrt": "role.nrt", "pht": "role.pht", "cmp": "role.cmp",
}

// role names the part of a creator; authors and unknown parts are not named.
func (p *page) role(code string) string {
	if key, ok := roleKeys[code]; ok {
		return p.T(key)
	}
	return ""
}

// creators names the first few creators in one line, each once.
func (p *page) creators(list []record.Creator, most int) string {
	names := make([]string, 0, most)
	for _, c := range list {
		if slices.Contains(names, c.Name) {
			continue // who wrote and drew is there twice
		}
		if len(names) == most {
			return p.T("creators.more", strings.Join(names, p.T("creators.and")))
		}
		names = append(names, c.Name)
	}
	return strings.Join(names, p.T("creators.and"))
}

var reasonKeys = map[record.Reason]string{
	record.ReasonOpen:       "reason.open",
	record.ReasonSubsidised: "reason.subsidised",
	record.ReasonOpened:     "reason.opened",
	record.ReasonLend:       "reason.lend",
	record.ReasonSale:       "reason.sale",
	record.ReasonNotStated:  "reason.not_stated",
	record.ReasonTerritory:  "reason.territory",
	record.ReasonWithdrawn:  "reason.withdrawn",
	record.ReasonErased:     "reason.erased",
	record.ReasonClosed:     "reason.closed",
	record.ReasonUnknown:    "reason.unknown",
}

// reason is the sentence for a decision.
func (p *page) reason(d record.Decision) string {
	if refusedHere(d) {
		return p.T("reason.refused")
	}
	if key, ok := reasonKeys[d.Reason]; ok {
		return p.T(key)
	}
	return p.T("reason.not_stated")
}

// refusedHere says that it is the keeper of this copy who closes something, and not
// the library.
func refusedHere(d record.Decision) bool { return d.Withdrawal != nil && d.Withdrawal.Keeper }

var eventKeys = map[record.Type]string{
	record.TypeAccession:   "event.accession",
	record.TypeRevision:    "event.revision",
	record.TypeMerge:       "event.merge",
	record.TypeUnmerge:     "event.unmerge",
	record.TypeFiles:       "event.files",
	record.TypeRights:      "event.rights",
	record.TypeWithdrawal:  "event.withdrawal",
	record.TypeRestoration: "event.restoration",
	record.TypeErasure:     "event.erasure",
}

// event names an entry of a record's history.
func (p *page) event(e record.Event) string {
	if e.Erased {
		return p.T("event.erased")
	}
	if key, ok := eventKeys[e.Type]; ok {
		return p.T(key)
	}
	return p.T("event.unknown", string(e.Type))
}

var whyKeys = map[string]string{
	"bytes": "why.bytes", "isbn": "why.isbn", "doi": "why.doi", "title": "why.title",
}

// why says why two records look the same.
func (p *page) why(code string) string {
	if key, ok := whyKeys[code]; ok {
		return p.T(key)
	}
	return code
}

var fileRoleKeys = map[string]string{
	record.RoleText: "file.text", record.RoleCover: "file.cover", record.RoleSupplement: "file.supplement",
}

// formats names media types shortly; they are the same in every language.
var formats = map[string]string{
	"application/epub+zip":               "EPUB",
	"application/pdf":                    "PDF",
	"text/html":                          "HTML",
	"application/xhtml+xml":              "HTML",
	"text/markdown":                      "Markdown",
	"text/plain":                         "TXT",
	"application/vnd.comicbook+zip":      "CBZ",
	"application/zip":                    "ZIP",
	"image/jpeg":                         "JPEG",
	"image/png":                          "PNG",
	"image/gif":                          "GIF",
	"image/webp":                         "WebP",
	"image/svg+xml":                      "SVG",
	"application/vnd.amazon.mobi8-ebook": "AZW3",
}

// formatName is the short name of a media type.
func formatName(mediaType string) string {
	plain, _, _ := strings.Cut(mediaType, ";")
	if name, ok := formats[strings.TrimSpace(plain)]; ok {
		return name
	}
	return mediaType
}
