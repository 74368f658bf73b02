package web

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"wenlan/internal/errs"
	"wenlan/internal/record"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// proofLine is what can be said of an entry and the published checkpoint.
type proofLine struct {
	Entry    int64
	Size     int64 // entries that the checkpoint covers
	Covered  bool  // the checkpoint covers the entry
	Included bool  // the hashes lead from the entry to the checkpoint's root
	Signed   bool  // the origin's key signed the checkpoint
	Checked  bool  // there was a key to check with
	Leaf     string
	Root     string
	Hashes   []string
}

// parseCheckpoint reads the size and root of a C2SP tlog-checkpoint: origin,
// size, base64 root, one a line.
func parseCheckpoint(text string) (size int64, root tlog.Hash, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 3 {
		return 0, root, errs.New(errs.Corrupt, "the checkpoint has too few lines")
	}
	if size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || size < 0 {
		return 0, root, errs.New(errs.Corrupt, "the checkpoint's size is not a number")
	}
	raw, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(raw) != tlog.HashSize {
		return 0, root, errs.New(errs.Corrupt, "the checkpoint's root is not a hash")
	}
	copy(root[:], raw)
	return size, root, nil
}

// prove checks an entry against the published checkpoint. What fails is not
// claimed; why it failed is not for a page.
func (s *Site) prove(entry int64) proofLine {
	line := proofLine{Entry: entry}
	checkpoint := s.cfg.Register.Checkpoint()
	text := string(checkpoint)
	if s.cfg.Verifier != nil {
		line.Checked = true
		if n, err := note.Open(checkpoint, note.VerifierList(s.cfg.Verifier)); err == nil {
			line.Signed, text = true, n.Text
		}
	}
	size, root, err := parseCheckpoint(text)
	if err != nil {
		return line
	}
	line.Size, line.Root = size, base64.StdEncoding.EncodeToString(root[:])
	if line.Covered = entry < size; !line.Covered {
		return line
	}
	leaf, err := s.cfg.Register.LeafHash(entry)
	if err != nil {
		return line
	}
	proof, err := s.cfg.Register.InclusionProof(entry, size)
	if err != nil {
		return line
	}
	line.Leaf = base64.StdEncoding.EncodeToString(leaf[:])
	for _, h := range proof {
		line.Hashes = append(line.Hashes, base64.StdEncoding.EncodeToString(h[:]))
	}
	line.Included = tlog.CheckRecord(proof, size, root, entry, leaf) == nil
	return line
}

type proofPage struct {
	page
	proofLine
	Record     recordLink
	What       string
	Checkpoint string
	Bundle     string // the tile that holds the entry
	Others     []historyLine
}

func proofPath(number, entry int64) string {
	if entry == number {
		return recordPath(number) + "/proof"
	}
	return fmt.Sprintf("%s/proof?entry=%d", recordPath(number), entry)
}

// proof answers /records/N/proof: that the accession, or with ?entry= another
// entry about the record, is in the register.
func (s *Site) proof(w http.ResponseWriter, r *http.Request) error {
	h, err := s.named(r)
	if err != nil {
		return err
	}
	entry := h.Number
	if v := r.URL.Query().Get("entry"); v != "" {
		if entry, err = strconv.ParseInt(v, 10, 64); err != nil {
			return errs.New(errs.Invalid, "%q is not an entry", v)
		}
	}
	i := slices.IndexFunc(h.History, func(e record.Event) bool { return e.Entry == entry })
	if i < 0 && entry != h.Number {
		return errs.New(errs.NotFound, "entry %d does not name record %d", entry, h.Number)
	}
	p := &proofPage{page: s.newPage(w, r), proofLine: s.prove(entry)}
	p.page.Title, p.NoIndex = p.T("proof.title_for", entry), true
	p.Record = recordLink{Number: h.Number, Href: recordPath(h.Number), Title: h.Record.Title, Lang: titleLang(h.Record)}
	if h.Erased != nil {
		p.Record.Title = p.T("record.number", h.Number)
	}
	if i >= 0 {
		p.What = p.event(h.History[i])
	}
	p.Checkpoint = string(s.cfg.Register.Checkpoint())
	p.Bundle = bundlePath(entry, p.Size)
	for _, l := range p.history(h) {
		if l.Entry != entry {
			p.Others = append(p.Others, l)
		}
	}
	return s.render(w, r, http.StatusOK, "proof", p)
}

// bundlePath is the entry bundle that holds an entry, in a register of a size.
// Source: C2SP tlog-tiles, "Log entries".
func bundlePath(entry, size int64) string {
	if entry >= size {
		return ""
	}
	const width = 256
	n := entry / width
	path := fmt.Sprintf("%03d", n%1000)
	for rest := n / 1000; rest > 0; rest /= 1000 {
		path = fmt.Sprintf("x%03d/%s", rest%1000, path)
	}
	if (n+1)*width > size {
		path += fmt.Sprintf(".p/%d", size-n*width)
	}
	return "/register/tile/entries/" + path
}
