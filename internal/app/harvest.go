package app

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/harvest"
	"wenlan/internal/intake"
	"wenlan/internal/register"
)

// HarvestOptions say how the addresses of an import are harvested; see package harvest.
type HarvestOptions struct {
	Set    string        `json:"set,omitempty"`    // oai: of this set alone
	Prefix string        `json:"prefix,omitempty"` // oai: metadataPrefix
	From   string        `json:"from,omitempty"`   // oai: changed since
	Until  string        `json:"until,omitempty"`  // oai: changed until
	Files  bool          `json:"files,omitempty"`  // opds: with the files of works that are free
	Pause  time.Duration `json:"pause,omitempty"`  // between two requests
}

// harvestDir holds how far each harvest has come.
const harvestDir = "harvest"

// maxPause is the longest pause between two requests.
const maxPause = time.Hour

// harvests says whether the inputs are addresses, all of them; errs.Invalid where only
// some are, or where options do not fit.
func (req ImportRequest) harvests() (bool, error) {
	n := 0
	for _, p := range req.Paths {
		if harvest.IsAddress(p) {
			n++
		}
	}
	o := req.Harvest
	if n == 0 {
		if o != (HarvestOptions{}) {
			return false, errs.New(errs.Invalid, "--set, --prefix, --from, --until, --files and --pause are for an address")
		}
		return false, nil
	}
	oai := req.Format == "oai"
	switch {
	case n < len(req.Paths):
		return false, errs.New(errs.Invalid, "files and addresses cannot be imported at once")
	case !oai && req.Format != "opds":
		return false, errs.WithHint(errs.New(errs.Invalid, "an address cannot be imported as %s", req.Format), "what can be harvested: oai, opds")
	case !oai && (o.Set != "" || o.Prefix != "" || o.From != "" || o.Until != ""):
		return false, errs.New(errs.Invalid, "--set, --prefix, --from and --until are for oai")
	case oai && o.Files:
		return false, errs.New(errs.Invalid, "--files is for opds")
	case o.Pause < 0 || o.Pause > maxPause:
		return false, errs.New(errs.Invalid, "a pause is at most an hour")
	}
	for _, p := range req.Paths {
		opt := intake.ImportOptions{Source: req.harvestSource(p)}
		if err := opt.Check([]intake.ImportFile{{Path: p, Input: p}}); err != nil {
			return false, err
		}
	}
	return true, nil
}

// harvestSource is the name of the source at an address.
func (req ImportRequest) harvestSource(address string) string {
	if req.Options.Source != "" {
		return req.Options.Source
	}
	return harvest.SourceName(address)
}

// harvest takes in what the catalogues at the addresses have, one after the other.
// Where each has come to is remembered once its records are durable.
func (l *Library) harvest(ctx context.Context, req ImportRequest, emit func(Event)) (intake.Summary, error) {
	var all intake.Summary
	var before int64
	for _, address := range req.Paths {
		opt := req.Options
		opt.Source = req.harvestSource(address)
		reading, cancel := context.WithCancel(ctx)
		h, err := l.openHarvest(reading, req, opt, address)
		if err != nil {
			cancel()
			return all, err
		}
		file := intake.ImportFile{Path: address, Input: address, Reader: h, Again: req.Format == "oai"}
		var last int64
		sum, err := l.intake.Import(ctx, h.Form(), []intake.ImportFile{file}, opt, func(o intake.Outcome) {
			emit(Event{Outcome: outcome(o, o.Input)})
		}, func(p intake.ImportProgress) {
			h.Durable(p.Records)
			last = p.Records
			p.Records += before
			emit(Event{Imported: &p})
		})
		before += last
		cancel() // whatever still reads
		if ferr := h.Finish(err); err == nil {
			err = ferr
		}
		all = addSums(all, sum)
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func (l *Library) openHarvest(ctx context.Context, req ImportRequest, opt intake.ImportOptions, address string) (harvest.Harvest, error) {
	agent := "Wenlan/" + strings.TrimPrefix(l.Config.Version, "v")
	about := slices.DeleteFunc([]string{l.Config.URL, l.Config.Contact}, func(s string) bool { return s == "" })
	if agent = strings.TrimSuffix(agent, "/"); len(about) > 0 {
		agent += " (+" + strings.Join(about, "; ") + ")"
	}
	cfg := harvest.Config{FS: durable.OS(), Dir: filepath.Join(l.Config.Data, harvestDir), UserAgent: agent, Pause: req.Harvest.Pause,
		Register: harvested{l.Register}, Now: l.Config.Now, Log: l.log}
	o := req.Harvest
	if req.Format == "oai" {
		return harvest.OpenOAI(ctx, cfg, harvest.OAIRequest{URL: address, Source: opt.Source, Set: o.Set, Prefix: o.Prefix, From: o.From, Until: o.Until})
	}
	return harvest.OpenOPDS(ctx, cfg, harvest.OPDSRequest{URL: address, Source: opt.Source, Files: o.Files, Stated: opt.Basis != "" || opt.Licence != "", Blobs: l.Blobs})
}

// harvested is the register as a harvest asks it.
type harvested struct{ *register.Register }

func (r harvested) Root(size int64) (string, error) {
	h, err := r.RootHash(size)
	return h.String(), err
}

// addSums counts two imports together.
func addSums(a, b intake.Summary) intake.Summary {
	sum := intake.Summary{Added: a.Added + b.Added, Joined: a.Joined + b.Joined, Known: a.Known + b.Known, Revised: a.Revised + b.Revised, Refused: a.Refused + b.Refused,
		NeedsRights: a.NeedsRights + b.NeedsRights, Deleted: a.Deleted + b.Deleted, Skipped: a.Skipped + b.Skipped, Warned: a.Warned + b.Warned, Left: a.Left}
	switch {
	case sum.Left == nil:
		sum.Left = b.Left
	case b.Left != nil:
		for name, n := range b.Left.Fields {
			sum.Left.Fields[name] += n
		}
		sum.Left.More += b.Left.More
	}
	return sum
}
