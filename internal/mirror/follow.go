package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"wenlan/internal/errs"
	"wenlan/internal/register"
)

const (
	asksPerRound  = 4 // sources that are asked in one round when the origin is silent
	progressEvery = 200 * time.Millisecond

	othersEvery = 10 // rounds after which another source is asked too, for charters
)

// follow asks who speaks for the library, else others, for what is new, and brings
// the register up to it. In a round in which nothing changed, one request is made.
func (m *Mirror) follow(outer context.Context) (err error) {
	if err := hold(outer, m.following); err != nil {
		return err
	}
	defer func() { <-m.following }()
	ctx, cut := context.WithCancelCause(outer)
	defer cut(nil)
	m.mu.Lock()
	m.cut = cut
	m.mu.Unlock()
	defer func() {
		if err != nil && outer.Err() == nil && ctx.Err() != nil {
			err = errYield
		}
	}()
	m.working(1)
	defer m.working(-1)
	list := m.sources()
	m.mu.Lock()
	m.round++
	round := m.round
	m.mu.Unlock()
	if len(list) == 0 {
		return errs.New(errs.Unavailable, "there is no source to copy from")
	}
	if err := m.forget(list); err != nil {
		return err
	}
	var failed error
	answered := false
	// Those who speak for the library; when all are silent, a few of the others, in
	// turn, so that a charter with a new address arrives from anyone.
	origins, others := m.split(list)
	for _, a := range origins {
		if failed = m.ask(ctx, a); failed == nil {
			answered = true
			break
		}
		if ctx.Err() != nil || isOurs(failed) {
			return failed
		}
	}
	asks := min(asksPerRound, len(others))
	if answered {
		asks = 0
		if round%othersEvery == 0 && len(others) > 0 {
			asks = 1
			round /= othersEvery
		}
	}
	for i := range asks {
		a := others[(round*max(asks, 1)+i)%len(others)]
		err := m.ask(ctx, a)
		if ctx.Err() != nil || isOurs(err) {
			return err
		}
		if err == nil {
			answered = true
		} else if failed == nil {
			failed = err
		}
	}
	if err := m.extended(ctx); err != nil {
		return err
	}
	if err := m.saveHeard(heardEvery); err != nil {
		return err
	}
	if !answered {
		return failed
	}
	return nil
}

var errYield = errs.New(errs.Unavailable, "copying the register was broken off for a charter, and goes on")

// Yield breaks off the round that is under way, for whoever brings a charter to the
// register: copying may take hours, the more so from an origin that is to be
// replaced. What was copied stays; Wake, or Chartered, lets it go on.
func (m *Mirror) Yield() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cut != nil {
		m.cut(errYield)
	}
}

// hold waits until nobody else holds the place.
func hold(ctx context.Context, place chan struct{}) error {
	select {
	case place <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Mirror) working(n int) {
	m.mu.Lock()
	m.busy += n
	m.mu.Unlock()
}

func (m *Mirror) split(list []string) (origins, others []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, a := range list {
		if m.leads[a] {
			origins = append(origins, a)
		} else {
			others = append(others, a)
		}
	}
	return origins, others
}

// extended lets the views follow, when that is due.
func (m *Mirror) extended(ctx context.Context) error {
	size := m.cfg.Register.Size()
	m.mu.Lock()
	due := m.unviewed
	m.mu.Unlock()
	if due && m.cfg.Extended != nil {
		if err := m.cfg.Extended(ctx); err != nil {
			return fmt.Errorf("follow the register: %w", err)
		}
	}
	m.mu.Lock()
	m.unviewed, m.viewed = false, size
	m.mu.Unlock()
	return nil
}

// ask takes in what one source has: charters, then the checkpoint. A nil error
// says that it answered as one that holds this library does.
func (m *Mirror) ask(ctx context.Context, address string) error {
	var had tags
	m.mu.Lock()
	had = m.tags[address]
	alarmed := m.stopped()
	m.mu.Unlock()
	now := had
	var signed []byte
	var charters [][]byte
	err := m.cfg.Pool.Ask(ctx, address, func(ctx context.Context, s Source) error {
		ctx, cancel := context.WithTimeoutCause(ctx, m.cfg.AskTime, tooSlow(address, "has not said in %s what is new", m.cfg.AskTime))
		defer cancel()
		data, tag, changed, err := s.Poll(ctx, "register/checkpoint", had.checkpoint, maxCheckpoint)
		if err != nil {
			return err
		}
		if changed {
			signed, now.checkpoint = data, tag
		} else if !alarmed {
			return nil
		}
		// The charters first: who may sign is what they say.
		if data, now.charters, changed, err = s.Poll(ctx, "register/charters", had.charters, maxCharterList); err != nil {
			return err
		}
		if changed {
			if charters, err = parseCharters(data); err != nil {
				return errs.New(errs.Corrupt, "%s: %w", address, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if charters != nil {
		if err := m.takeCharters(ctx, address, charters); err != nil {
			return err
		}
	}
	if signed != nil {
		if err := m.takeCheckpoint(ctx, address, signed); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tags[address] = now // only now: what was not taken in is asked for again
	if len(m.tags) > 1000 {
		clear(m.tags)
	}
	if m.leads[address] && (m.alarm == nil || m.alarm.Address != address) {
		m.heard, m.leader = m.cfg.Now(), address
	}
	return nil
}

// stopped says whether the alarm in force forbids to take anything new. The lock is
// held.
func (m *Mirror) stopped() bool { return m.alarm != nil && m.alarm.Kind == AlarmFork }

// takeCharters adds the charters that follow ours. Those of another library set
// the source aside.
func (m *Mirror) takeCharters(ctx context.Context, address string, list [][]byte) error {
	ours := m.cfg.Register.Charters()
	if len(ours) > 0 && charterText(ours[0]) != charterText(list[0]) {
		reason := address + " holds another library"
		m.cfg.Pool.SetAside(address, OtherLibrary, reason)
		return errs.New(errs.Refused, "%s", reason)
	}
	for i, c := range list {
		if i < len(ours) {
			if text := charterText(c); text != charterText(ours[i]) {
				return errs.New(errs.Refused, "%s has another charter of version %d than we have", address, i+1)
			}
			continue
		}
		if err := m.cfg.Register.AddCharter(ctx, c); err != nil {
			if isOurs(err) || ctx.Err() != nil {
				return err
			}
			m.cfg.Pool.SetAside(address, Lying, fmt.Sprintf("%s shows a charter of version %d that does not count: %v", address, i+1, err))
			return errs.New(errs.Refused, "%s shows a charter of version %d that does not count: %w", address, i+1, err)
		}
		m.cfg.Log.InfoContext(ctx, "a new charter was taken in", "version", i+1, "source", address)
		m.mu.Lock()
		m.unviewed = true
		m.tell, m.listed = time.Time{}, time.Time{} // a new origin is to know who copies it
		m.mu.Unlock()
		if err := m.settleAlarm(); err != nil {
			return err
		}
	}
	return nil
}

// Chartered is for whoever has added a charter to the register himself, as one that
// was posted: what it changes is taken up at once.
func (m *Mirror) Chartered() error {
	m.mu.Lock()
	m.unviewed = true
	m.tell, m.listed = time.Time{}, time.Time{}
	m.mu.Unlock()
	err := m.settleAlarm()
	m.Wake()
	return err
}

// takeCheckpoint brings the register up to a checkpoint that a source shows, from
// whichever sources have it. What contradicts what we hold is kept as evidence.
func (m *Mirror) takeCheckpoint(ctx context.Context, address string, signed []byte) error {
	m.mu.Lock()
	stopped := m.stopped()
	speaks := m.leads[address]
	m.mu.Unlock()
	r := m.cfg.Register
	charters, err := register.VerifyCharters(r.Library(), r.Charters())
	if err != nil {
		return err
	}
	cp, which, err := openCheckpoint(signed, charters)
	if err != nil {
		m.cfg.Pool.SetAside(address, Lying, address+" shows a checkpoint that the origin has not signed")
		return errs.New(errs.Refused, "%s shows a checkpoint that the origin has not signed: %w", address, err)
	}
	if newest := charters[len(charters)-1]; charters[which].Origin != newest.Origin {
		if b := baseAfter(charters, which); b != nil && cp.Size <= b.Size {
			return nil // what the new key continues; older than what it signs
		}
		return m.superseded(ctx, address, signed, cp)
	}
	ours := r.Published()
	// After a charter with a base, which may be less than we have, a shorter
	// register is no rollback.
	goesBack := false
	if _, i, err := openCheckpoint(r.Checkpoint(), charters); err == nil {
		goesBack = charters[i].Origin != charters[which].Origin
	}
	if speaks && cp.Size < ours.Size && !goesBack {
		if err := m.rollback(ctx, address, signed, cp); err != nil {
			return err
		}
	}
	if stopped {
		return nil
	}
	m.mu.Lock()
	m.target = max(m.target, cp.Size)
	m.mu.Unlock()
	was := r.Checkpoint()
	try := &tries{pool: m.cfg.Pool, address: address, suspects: map[string]string{}}
	err = r.Extend(ctx, signed, try.try, register.ExtendOptions{
		Body: m.Fetch,
		Progress: func(done, _ int64) {
			m.progress()
		},
	})
	var fork *register.Fork
	switch {
	case errors.As(err, &fork):
		return m.fork(ctx, address, fork)
	case err != nil:
		return fmt.Errorf("extend the register to %d entries: %w", cp.Size, err)
	}
	for a, reason := range try.suspects {
		m.cfg.Pool.SetAside(a, Lying, reason)
	}
	if !bytes.Equal(was, r.Checkpoint()) {
		m.mu.Lock()
		m.unviewed = m.unviewed || goesBack || r.Size() != ours.Size
		m.target = r.Size()
		if goesBack {
			m.pass.begin()
			m.pass.looked = 0 // of other entries
		}
		m.mu.Unlock()
	}
	if speaks && cp.Size >= ours.Size {
		if err := m.clearAlarm(address, AlarmRollback); err != nil {
			return err
		}
	}
	return m.clearAlarm(address, AlarmSuperseded) // it signs with the new key now
}

// tries gives the files of a register to which a source has shown a checkpoint. A
// file of another source that does not fit it may be right and the checkpoint that
// of a fork, so that source is set aside only when the whole has proved right.
type tries struct {
	pool     *Pool
	address  string
	mu       sync.Mutex
	suspects map[string]string // why, by address
}

func (t *tries) try(ctx context.Context, fn func(ctx context.Context, get register.Get) error) error {
	return t.pool.Try(ctx, func(ctx context.Context, s Source) error {
		a := s.Address()
		t.mu.Lock()
		_, suspect := t.suspects[a]
		t.mu.Unlock()
		if suspect {
			return failed(errs.NotFound, a, "has another register")
		}
		err := fn(ctx, getter(s))
		if err == nil || a == t.address || verdict(err) != lies {
			return err
		}
		t.mu.Lock()
		t.suspects[a] = a + ": " + err.Error()
		t.mu.Unlock()
		return failed(errs.NotFound, a, "has another register: %w", errors.New(err.Error()))
	})
}

// baseAfter is what the first key after that of charters[which] continues.
func baseAfter(charters []register.Charter, which int) *register.Base {
	for _, c := range charters[which+1:] {
		if c.Origin != charters[which].Origin {
			return c.Base
		}
	}
	return nil
}

func (m *Mirror) progress() {
	if m.cfg.Progress == nil {
		return
	}
	m.mu.Lock()
	now := time.Now()
	due := now.Sub(m.shown) >= progressEvery
	if due {
		m.shown = now
	}
	m.mu.Unlock()
	if due {
		m.cfg.Progress(m.Status())
	}
}

// fork raises the alarm that stops everything until a charter with a base ends it.
func (m *Mirror) fork(ctx context.Context, address string, f *register.Fork) error {
	proof, err := f.Marshal()
	if err != nil {
		return err
	}
	return m.raise(ctx, Alarm{
		Kind: AlarmFork, Address: address,
		Sentence: "The origin's key has signed two registers that contradict each other, so nothing new is taken until the trustees say which one counts",
	}, Evidence{Notes: []string{string(m.cfg.Register.Checkpoint()), f.Longer, f.Shorter}, Fork: proof})
}

// Accuse takes a proof of a fork that somebody else found, as a witness. It is
// checked; one that proves nothing is errs.Refused.
func (m *Mirror) Accuse(ctx context.Context, f *register.Fork) error {
	if err := f.Verify(m.cfg.Register.Charters()); err != nil {
		return errs.New(errs.Refused, "this proves no fork: %w", err)
	}
	address := ""
	if o := m.origins(); len(o) > 0 {
		address = o[0]
	}
	return m.fork(ctx, address, f)
}

func (m *Mirror) rollback(ctx context.Context, address string, signed []byte, cp register.Checkpoint) error {
	return m.raise(ctx, Alarm{
		Kind: AlarmRollback, Address: address,
		Sentence: fmt.Sprintf("%s shows a register of %d entries, though it has shown one of %d", address, cp.Size, m.cfg.Register.Size()),
	}, Evidence{Notes: []string{string(m.cfg.Register.Checkpoint()), string(signed)}})
}

func (m *Mirror) superseded(ctx context.Context, address string, signed []byte, cp register.Checkpoint) error {
	sentence := fmt.Sprintf("%s still signs with a key that the trustees have replaced, which is refused", address)
	err := m.raise(ctx, Alarm{Kind: AlarmSuperseded, Address: address, Sentence: sentence},
		Evidence{Notes: []string{string(m.cfg.Register.Checkpoint()), string(signed)}})
	if err != nil {
		return err
	}
	m.cfg.Log.WarnContext(ctx, "a replaced key still signs", "source", address, "size", cp.Size)
	return errs.New(errs.Refused, "%s", sentence)
}

// raise keeps the evidence, then puts the alarm in force; a fork outweighs a
// rollback, and that a replaced key.
func (m *Mirror) raise(ctx context.Context, a Alarm, e Evidence) error {
	a.Since = m.cfg.Now().UTC()
	if c, ok := m.cfg.Register.Charter(); ok {
		a.Charter = c.Version
	}
	e.Kind, e.Address, e.Seen = a.Kind, a.Address, a.Since
	name, err := m.keep(e)
	if errs.Is(err, errs.TooLarge) {
		m.cfg.Log.WarnContext(ctx, "evidence is not kept", "error", err)
	} else if err != nil {
		return fmt.Errorf("keep evidence: %w", err)
	}
	a.Evidence = name
	m.mu.Lock()
	defer m.mu.Unlock()
	if old := m.alarm; old != nil && (old.Kind == AlarmFork || old.Kind == AlarmRollback && a.Kind == AlarmSuperseded || old.Kind == a.Kind && old.Address == a.Address) {
		return nil
	}
	if err := m.saveAlarm(&a); err != nil {
		return fmt.Errorf("keep the alarm: %w", err)
	}
	m.alarm = &a
	m.cfg.Log.ErrorContext(ctx, "alarm", "kind", string(a.Kind), "source", a.Address, "sentence", a.Sentence)
	return nil
}

// forget ends the alarm about a replaced key that somebody showed who is no longer
// among the sources: nobody can take it back any more.
func (m *Mirror) forget(sources []string) error {
	a := m.Alarmed()
	if a == nil || a.Kind != AlarmSuperseded || slices.Contains(sources, a.Address) {
		return nil
	}
	return m.clearAlarm(a.Address, a.Kind)
}

// clearAlarm ends an alarm of a kind about an address.
func (m *Mirror) clearAlarm(address string, kind AlarmKind) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.alarm == nil || m.alarm.Kind != kind || m.alarm.Address != address {
		return nil
	}
	if err := m.saveAlarm(nil); err != nil {
		return err
	}
	m.alarm = nil
	return nil
}

// settleAlarm ends a fork or a rollback when a newer charter says what counts.
func (m *Mirror) settleAlarm() error {
	c, ok := m.cfg.Register.Charter()
	m.mu.Lock()
	defer m.mu.Unlock()
	if !ok || m.alarm == nil || c.Version <= m.alarm.Charter || m.alarm.Kind == AlarmFork && c.Base == nil {
		return nil
	}
	if err := m.saveAlarm(nil); err != nil {
		return err
	}
	m.alarm = nil
	clear(m.tags) // what was not taken while the alarm was in force
	return nil
}

// EvidenceJSON is all evidence, as it is published.
func (m *Mirror) EvidenceJSON(context.Context) ([]json.RawMessage, error) {
	all, err := m.Evidence()
	if err != nil {
		return nil, err
	}
	list := make([]json.RawMessage, 0, len(all))
	for _, e := range all {
		data, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		list = append(list, data)
	}
	return list, nil
}
