package app

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/mirror"
	"wenlan/internal/mirror/witness"
	"wenlan/internal/register"

	fnote "github.com/transparency-dev/formats/note"
)

// How long a command waits for the witnesses after its last entry. A library that
// is not served waits for nothing: witnesses copy what is served to them.
const safePatience = 5 * time.Second

// aloneFile says that somebody vouches for the folder: see [Recover].
const aloneFile = "alone.json"

// alone is written by `wenlan recover --alone`. It counts while the charter is the
// same, and goes when the witnesses have answered.
type alone struct {
	Charter int64     `json:"charter"` // the version of the newest charter
	At      time.Time `json:"at"`
}

// openGatherer makes what asks the witnesses, for an origin.
func (l *Library) openGatherer() {
	l.witnesses = witness.NewGatherer(witness.GatherConfig{
		Register: l.Register, Addresses: l.witnessAddresses, Now: l.Config.Now, Log: l.log,
	})
}

// witnessAddresses are those of the configuration, and of the mirrors in the list
// whose keys the charter names.
func (l *Library) witnessAddresses() []string {
	list := slices.Clone(l.Config.Witnesses)
	if s, err := mirror.LoadState(durable.OS(), l.Config.path(mirrorDir)); err == nil { // a mirror that became the origin
		list = append(list, s.Sources...)
	}
	if l.mirrors != nil {
		if c, ok := l.Register.Charter(); ok {
			list = append(list, listedWitnesses(c, l.mirrors.All())...)
		}
	}
	own := strings.TrimSuffix(l.Config.URL, "/")
	return slices.DeleteFunc(list, func(a string) bool { return !strings.HasPrefix(a, "http") || strings.TrimSuffix(a, "/") == own })
}

// listedWitnesses are the addresses of a charter's witnesses among the mirrors
// that have announced themselves. A mirror's one key signs its announcement and,
// as tlog-cosignature says, cosigns.
func listedWitnesses(c register.Charter, mirrors []mirror.Announcement) (list []string) {
	for _, m := range mirrors {
		if key, err := fnote.VKeyToCosignatureV1(m.Key); err == nil && slices.Contains(c.Witnesses, key) {
			list = append(list, m.URL)
		}
	}
	return list
}

// maySign is nil when nothing speaks against appending: see witness.Gatherer.Check.
func (l *Library) maySign(ctx context.Context) error {
	if l.witnesses == nil {
		return nil
	}
	err := l.witnesses.Check(ctx)
	switch {
	case err == nil:
		return l.witnesses.Against()
	case !errs.Is(err, errs.Unavailable):
		return err
	}
	vouched, e := l.vouchedFor()
	if e != nil || !vouched {
		return err
	}
	l.log.WarnContext(ctx, "the witnesses do not answer; somebody has vouched for this folder", "err", err)
	l.witnesses.Trust()
	return nil
}

// vouchedFor says whether somebody said that this folder is no old copy.
func (l *Library) vouchedFor() (bool, error) {
	raw, err := durable.ReadFile(durable.OS(), l.Config.path(aloneFile), 1<<12)
	if err != nil {
		if os.IsNotExist(err) {
			return false, nil
		}
		return false, err
	}
	var a alone
	if err := json.Unmarshal(raw, &a); err != nil {
		return false, err
	}
	c, ok := l.Register.Charter()
	return ok && c.Version == a.Charter, nil
}

// gather asks the witnesses until ctx ends, for a library that is served.
func (l *Library) gather(ctx context.Context) {
	if l.witnesses == nil {
		return
	}
	l.gathering.Store(true)
	defer l.gathering.Store(false)
	if l.witnesses.Check(ctx) == nil { // else the first append asks again, and says why
		_ = os.Remove(l.Config.path(aloneFile))
	}
	l.witnesses.Run(ctx)
}

// Witnesses is how the library stands with its witnesses; ok is false where it
// has none: on a mirror, and where the library is only read.
func (l *Library) Witnesses() (s witness.Status, ok bool) {
	if l.witnesses == nil {
		return s, false
	}
	return l.witnesses.Status(), true
}

// WaitSafe waits, at most so long, until the charter's quorum has cosigned a
// checkpoint of at least size entries, and says whether it has.
func (l *Library) WaitSafe(ctx context.Context, size int64, patience time.Duration) bool {
	if l.witnesses == nil {
		cp, ok := l.Register.Safe()
		return ok && cp.Size >= size
	}
	return l.witnesses.WaitSafe(ctx, size, patience)
}

// Safety tells what is acknowledged from what is safe: whether what a request has
// appended survives the loss of the origin.
type Safety struct {
	Entries int64 `json:"acknowledged"` // that the request has appended
	Size    int64 `json:"size"`         // of the register with the last of them
	Safe    bool  `json:"safe"`         // a quorum of the charter's witnesses holds them all
}

// tally counts what one request appends.
type tally struct{ entries, end atomic.Int64 }

type tallyKey struct{}

// count begins to count what is appended under the context that it returns; told
// says, once the work is done, whether that is safe, where the charter names a
// quorum.
func (l *Library) count(ctx context.Context) (counted context.Context, told func(emit func(Event))) {
	t := &tally{}
	return context.WithValue(ctx, tallyKey{}, t), func(emit func(Event)) {
		c, ok := l.Register.Charter()
		if !ok || c.Quorum == 0 || t.entries.Load() == 0 {
			return
		}
		patience := time.Duration(0)
		if l.gathering.Load() {
			patience = safePatience
		}
		s := Safety{Entries: t.entries.Load(), Size: t.end.Load()}
		s.Safe = l.WaitSafe(ctx, s.Size, patience)
		emit(Event{Safety: &s})
	}
}

// appended counts entries for the request that they belong to, and wakes whoever
// asks the witnesses.
func (l *Library) appended(ctx context.Context, first, n int64) {
	if l.witnesses != nil {
		l.witnesses.Appended()
	}
	t, ok := ctx.Value(tallyKey{}).(*tally)
	if !ok {
		return
	}
	t.entries.Add(n)
	for end := t.end.Load(); first+n > end && !t.end.CompareAndSwap(end, first+n); end = t.end.Load() {
	}
}

// openWitness makes the witness of a mirror, with the mirror's key.
func (l *Library) openWitness(ctx context.Context, secret string, m *mirror.Mirror) (*witness.Witness, error) {
	key, err := witness.NewCosigner(secret)
	if err != nil {
		return nil, err
	}
	return witness.New(ctx, witness.Config{
		Dir: l.Config.path(mirrorDir, "witness"), Register: l.Register, Cosigner: key,
		Ready:  func(_ context.Context, size int64) error { return cosigns(m.Status(), size) },
		Wake:   func([]byte) { m.Wake() },
		Accuse: m.Accuse, Evidence: m.EvidenceJSON, Now: l.Config.Now, Log: l.log,
	})
}

// cosigns says whether a mirror holds all that a cosignature of size entries says
// it holds.
func cosigns(s mirror.Status, size int64) error {
	switch {
	case s.Alarm != nil && s.Alarm.Kind != mirror.AlarmSuperseded:
		return errs.New(errs.Forbidden, "this mirror takes nothing more from the origin: %s", strings.TrimSuffix(s.Alarm.Sentence, "."))
	case s.Partial:
		return errs.New(errs.Forbidden, "this mirror holds a part only, and cosigns nothing")
	case s.Denied > 0:
		return errs.New(errs.Forbidden, "its keeper refuses some of what may be held, so this mirror cosigns nothing")
	case s.Missing.Files > 0:
		return errs.New(errs.Unavailable, "this mirror does not hold all files yet: %d are missing", s.Missing.Files)
	case s.Covered < size:
		return errs.New(errs.Unavailable, "this mirror has the files of %d of %d entries", s.Covered, size)
	}
	return nil
}
