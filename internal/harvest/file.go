package harvest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/record"
)

// opdsFile is a file that was fetched. It counts as long as the blob is there.
type opdsFile struct {
	Updated   string `json:"updated,omitempty"` // of its entry
	ETag      string `json:"etag,omitempty"`
	Modified  string `json:"modified,omitempty"`
	SHA256    string `json:"sha256"`
	Bytes     int64  `json:"bytes"`
	MediaType string `json:"media_type"`
	Name      string `json:"name"`
}

// size is about how many bytes it takes to remember the file at an address.
func (f opdsFile) size(address string) int {
	return len(address) + len(f.Updated) + len(f.ETag) + len(f.Modified) + len(f.SHA256) + len(f.MediaType) + len(f.Name) + 100
}

// readable are the media types of files that the library reads.
var readable = []string{format.MediaEPUB, format.MediaPDF, format.MediaText, format.MediaMarkdown, format.MediaHTML, format.MediaCBZ}

// mediaType is a media type without its parameters, by the name that the library has for it.
func mediaType(s string) string {
	base, _, _ := strings.Cut(strings.ToLower(s), ";")
	if base = strings.TrimSpace(base); base == "application/x-cbz" {
		return format.MediaCBZ
	}
	return base
}

// files fetches the files of an entry that may be had, and notes them, with the rights,
// in the record. ok is false where one should be tried again next time.
func (o *OPDS) files(e *format.OPDSEntry, at string) (ok bool) {
	ok = true
	rights := o.rights(e, at)
	if rights == nil && !o.req.Stated {
		return true
	}
	var had []string
	for _, l := range e.Links {
		_, open := l.Acquisition()
		base := mediaType(l.Type)
		switch {
		case !l.Free() || !open && rights == nil: // the librarian's word goes with open-access alone
			continue
		case !slices.Contains(readable, base) || base == format.MediaHTML && !open: // else a page about the work
			continue
		case slices.Contains(had, l.Href):
			continue
		case len(had) == maxFiles:
			e.Left = append(e.Left, "link")
			continue
		}
		had = append(had, l.Href)
		f, err := o.obtain(l, e.Updated)
		if o.ctx.Err() != nil {
			return false
		}
		if err != nil {
			e.Warnings = append(e.Warnings, "its file was not taken: "+err.Error())
			ok = ok && !errs.Is(err, errs.Unavailable)
			continue
		}
		if slices.ContainsFunc(e.Files, func(g record.File) bool { return g.SHA256 == f.SHA256 }) {
			continue
		}
		e.Files = append(e.Files, record.File{SHA256: f.SHA256, Bytes: f.Bytes, MediaType: f.MediaType, Name: unused(f.Name, e.Files), Role: record.RoleText})
	}
	if len(e.Files) > 0 {
		e.Rights = rights
	}
	return ok
}

// unused is a name that none of the files has.
func unused(name string, files []record.File) string {
	taken := func(n string) bool {
		return slices.ContainsFunc(files, func(f record.File) bool { return f.Name == n })
	}
	ext := path.Ext(name)
	out := name
	for i := 2; taken(out); i++ {
		out = fmt.Sprintf("%s-%d%s", strings.TrimSuffix(name, ext), i, ext)
	}
	return out
}

// obtain has the file of a link in the store: it is there already where the entry, or
// the server, says that nothing has changed. What is put is durable after the next Flush.
func (o *OPDS) obtain(l format.OPDSLink, updated string) (opdsFile, error) {
	o.mu.Lock()
	was, known := o.state.Files[l.Href]
	o.mu.Unlock()
	if known {
		size, err := o.req.Blobs.Stat(o.ctx, was.SHA256)
		if err != nil && !errs.Is(err, errs.NotFound) {
			return was, err
		}
		if known = err == nil && size == was.Bytes; known && updated != "" && updated == was.Updated {
			return was, nil
		}
	}
	header := http.Header{}
	switch {
	case known && was.ETag != "":
		header.Set("If-None-Match", was.ETag)
	case known && was.Modified != "":
		header.Set("If-Modified-Since", was.Modified)
	}
	f, err := o.download(l, header)
	if err != nil {
		return f, err
	}
	if f.SHA256 == "" { // not changed
		f = was
	}
	if f.Updated = updated; len(updated) > 60 { // no date
		f.Updated = ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	size := f.size(l.Href)
	if old, ok := o.state.Files[l.Href]; ok {
		size -= old.size(l.Href)
	}
	if o.kept.files+size <= maxKept {
		o.state.Files[l.Href] = f
		o.kept.files += size
	}
	return f, nil
}

// download fetches a file into DATA/harvest/partial, going on with what is there of
// it, reads it as a book that somebody brought, and puts it into the store. SHA256 is
// empty where the server says that it is as header says.
func (o *OPDS) download(l format.OPDSLink, header http.Header) (opdsFile, error) {
	dir := filepath.Join(o.cfg.Dir, "partial")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return opdsFile{}, err
	}
	sum := key(l.Href)
	name := filepath.Join(dir, hex.EncodeToString(sum[:]))
	if err := prune(dir, name); err != nil {
		return opdsFile{}, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return opdsFile{}, err
	}
	defer f.Close()
	d := download{o: o, f: f, tag: name + ".tag", url: l.Href, header: header}
	if err := o.client.try(o.ctx, d.get); err != nil {
		if o.ctx.Err() == nil && !errs.Is(err, errs.Unavailable) { // else it is gone on with
			d.remove(name)
		}
		return opdsFile{}, err
	}
	defer d.remove(name)
	if d.same {
		return opdsFile{}, nil
	}
	info, err := f.Stat()
	if err != nil {
		return opdsFile{}, err
	}
	out := opdsFile{ETag: d.etag, Modified: d.modified, Name: fileName(l)}
	doc, err := format.Parse(o.ctx, out.Name, sized{f, info.Size()})
	if err != nil {
		return out, errs.New(errs.KindOf(err), "%s: %w", show(d.final), err)
	}
	if is, said := mediaType(doc.MediaType), mediaType(l.Type); is != said {
		return out, errs.New(errs.Refused, "%s is %s, and not %s as the catalogue says", show(d.final), is, said)
	}
	out.MediaType = doc.MediaType
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return out, err
	}
	ref, err := o.req.Blobs.Put(o.ctx, f)
	out.SHA256, out.Bytes = ref.SHA256, ref.Bytes
	return out, err
}

// maxPartial is how many files may lie there of which only a part has come.
const maxPartial = 8

// prune makes room for one more in the folder of partial files: what has lain there
// longest goes.
func prune(dir, keep string) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	type partial struct {
		name string
		at   time.Time
	}
	var others []partial
	for _, e := range list {
		name := filepath.Join(dir, e.Name())
		if info, err := e.Info(); err == nil && filepath.Ext(name) == "" && name != keep {
			others = append(others, partial{name, info.ModTime()})
		}
	}
	slices.SortFunc(others, func(a, b partial) int { return b.at.Compare(a.at) })
	for i := maxPartial - 1; i < len(others); i++ {
		for _, name := range []string{others[i].name, others[i].name + ".tag"} {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// sized is a file as parsers read it.
type sized struct {
	*os.File
	size int64
}

func (s sized) Size() int64 { return s.size }

// fileName is the name of the file that a link leads to.
func fileName(l format.OPDSLink) string {
	name := ""
	if u, err := url.Parse(l.Href); err == nil {
		name = path.Base(u.Path)
	}
	if name == "." || name == "/" {
		name = ""
	}
	if ext := extensions[mediaType(l.Type)]; ext != "" && !strings.EqualFold(path.Ext(name), ext) {
		name += ext
	}
	return record.CleanFileName(name)
}

var extensions = map[string]string{format.MediaEPUB: ".epub", format.MediaPDF: ".pdf", format.MediaText: ".txt", format.MediaMarkdown: ".md", format.MediaHTML: ".html",
	format.MediaCBZ: ".cbz"}

// download is one file on its way.
type download struct {
	o              *OPDS
	f              *os.File
	tag            string // the file that holds the validator of what has come so far
	url            string
	header         http.Header
	final          *url.URL
	same           bool
	etag, modified string
}

// get asks for the file, or for the rest of it (RFC 9110, sections 13.1.5 and 14).
func (d *download) get() error {
	info, err := d.f.Stat()
	if err != nil {
		return err
	}
	have := info.Size()
	h := d.header.Clone()
	h.Set("Accept-Encoding", "identity")
	if validator, err := os.ReadFile(d.tag); have > 0 && err == nil && len(validator) > 0 && len(validator) < 300 {
		h.Del("If-None-Match")
		h.Del("If-Modified-Since")
		h.Set("Range", "bytes="+strconv.FormatInt(have, 10)+"-")
		h.Set("If-Range", string(validator))
	} else {
		have = 0
	}
	a, err := d.o.client.open(d.o.ctx, request{d.url, h})
	if err != nil {
		return err
	}
	defer a.body.Close()
	d.final = a.Request.URL
	switch a.StatusCode {
	case http.StatusNotModified:
		if h.Get("If-None-Match") == "" && h.Get("If-Modified-Since") == "" {
			return d.anew(errs.New(errs.Unavailable, "%s answers 304", show(d.final)))
		}
		d.same = true
		return nil
	case http.StatusPartialContent:
		if have == 0 || !strings.HasPrefix(a.Header.Get("Content-Range"), "bytes "+strconv.FormatInt(have, 10)+"-") {
			return d.anew(errs.New(errs.Unavailable, "%s sends another part than was asked for", show(d.final)))
		}
	case http.StatusOK:
		have = 0
	default:
		return d.anew(errs.New(errs.Unavailable, "%s answers %d", show(d.final), a.StatusCode))
	}
	d.etag, d.modified = a.Header.Get("ETag"), a.Header.Get("Last-Modified")
	if len(d.etag) >= 300 {
		d.etag = ""
	}
	if len(d.modified) >= 60 {
		d.modified = ""
	}
	limit := d.o.cfg.MaxFile
	if a.ContentLength > limit-have {
		return errs.New(errs.TooLarge, "%s is longer than %d bytes", show(d.final), limit)
	}
	if have == 0 {
		if err := d.f.Truncate(0); err != nil {
			return err
		}
		// Only a strong validator lets the rest be asked for.
		validator := d.etag
		if strings.HasPrefix(validator, "W/") {
			validator = ""
		}
		if err := os.WriteFile(d.tag, []byte(validator), 0o600); err != nil {
			return err
		}
	}
	if _, err := d.f.Seek(have, io.SeekStart); err != nil {
		return err
	}
	n, err := io.Copy(d.f, io.LimitReader(a.body, limit-have+1))
	if err == nil && have+n > limit {
		err = errs.New(errs.TooLarge, "%s is longer than %d bytes", show(d.final), limit)
	}
	return err
}

// anew drops what has come, so that the next try begins at the beginning.
func (d *download) anew(why error) error {
	if err := d.f.Truncate(0); err != nil {
		return err
	}
	if err := os.Remove(d.tag); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errPasses{error: why}
}

func (d *download) remove(name string) {
	_ = os.Remove(name)
	_ = os.Remove(d.tag)
}
