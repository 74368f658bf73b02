package web

import (
	"context"
	"time"

	"wenlan/internal/copies"
)

// trust is what is said of this copy now; times are whole minutes in UTC, as they
// are shown, so that a page stays the same between them.
func (s *Site) trust(ctx context.Context) copies.Trust {
	if s.cfg.Copies.Trust == nil {
		return copies.Trust{}
	}
	t := s.cfg.Copies.Trust(ctx)
	t.Heard, t.Witnessed, t.Alarm.Since = minute(t.Heard), minute(t.Witnessed), minute(t.Alarm.Since)
	return t
}

func minute(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC().Truncate(time.Minute)
}

// warning is the bar above a page.
type warning struct {
	Heading, Text string
	Message       string // from the program, in English; may be empty
	Since         string
}

// warning is what a reader must know before relying on any page; nil: nothing.
func (p *page) warning(t copies.Trust) *warning {
	w := &warning{Message: t.Alarm.Message}
	if !t.Alarm.Since.IsZero() {
		w.Since = p.T("alarm.since", p.Time(t.Alarm.Since))
	}
	switch t.Alarm.Kind {
	case copies.Fork:
		w.Heading, w.Text = p.T("alarm.fork"), p.T("alarm.fork_text")
		if !t.Mirror {
			w.Text = p.T("alarm.fork_origin")
		}
	case copies.Rollback:
		w.Heading, w.Text = p.T("alarm.rollback"), p.T("alarm.rollback_text")
		if !t.Mirror { // the origin itself, restored from a backup
			w.Heading, w.Text = p.T("alarm.behind"), p.T("alarm.behind_text")
		}
	case copies.Superseded:
		w.Heading, w.Text = p.T("alarm.superseded"), p.T("alarm.superseded_text")
	case "":
		if t.Freshness != copies.Stale {
			return nil
		}
		w.Heading, w.Text = p.T("alarm.stale"), p.T("alarm.stale_text")
		if !t.Witnessed.IsZero() {
			w.Since = p.T("trust.witnessed", p.Time(t.Witnessed))
		}
	default: // a newer kind than these pages know
		w.Heading, w.Text = p.T("alarm.other"), p.T("alarm.other_text")
	}
	return w
}

// standing is the quiet line at the foot of every page: whose copy this is, how
// far it is, and how fresh the register is.
type standing struct {
	Origin string // of a mirror: the address
	Href   string // the same, where it is one that can be followed
	Parts  []string
}

func (p *page) standing(t copies.Trust) *standing {
	line := &standing{}
	if t.Mirror {
		line.Origin, line.Href = t.Origin, webAddress(t.Origin)
		line.Parts = append(line.Parts, p.extent(t), p.heard(t.Heard))
		if t.Partial {
			line.Parts = append(line.Parts, p.T("trust.part"))
		}
	}
	if text := p.freshness(t); text != "" {
		line.Parts = append(line.Parts, text)
	}
	if line.Origin == "" && len(line.Parts) == 0 {
		return nil
	}
	return line
}

// extent is how much of the register is here.
func (p *page) extent(t copies.Trust) string {
	if t.Target > t.Size {
		return p.T("trust.of", t.Size, t.Target)
	}
	return p.N("trust.entries", t.Size)
}

func (p *page) heard(at time.Time) string {
	if at.IsZero() {
		return p.T("trust.unheard")
	}
	return p.T("trust.heard", p.Time(at))
}

// freshness says how far the newest checkpoint is vouched for; empty where
// nothing is known.
func (p *page) freshness(t copies.Trust) string {
	switch t.Freshness {
	case copies.Current:
		return p.T("fresh.current", p.Time(t.Witnessed))
	case copies.Late:
		return p.T("fresh.late", p.Time(t.Witnessed))
	case copies.Stale:
		return p.T("fresh.stale")
	case copies.Unwitnessed:
		return p.T("fresh.unwitnessed")
	}
	return ""
}

// safe says how many entries would outlive the origin; empty where no witnesses
// are named, and all that can be said is that.
func (p *page) safe(t copies.Trust) string {
	switch {
	case t.Quorum == 0:
		return ""
	case t.Safe < t.Size:
		return p.T("trust.not_safe", t.Safe, t.Size-t.Safe)
	}
	return p.T("trust.all_safe")
}
