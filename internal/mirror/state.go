package mirror

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/register"
)

const (
	stateName    = "state.json"
	evidenceName = "evidence"

	maxState         = 1 << 20
	maxCharterList   = 16 << 20 // bytes of /register/charters
	maxCheckpoint    = 1 << 18
	maxBundle        = 256 * (2 + record.MaxEntry)
	maxEvidence      = 4 << 20 // bytes of one
	maxEvidenceFiles = 1000    // of all kinds; of one kind that is no fork at most a quarter of it
)

// State is what a mirror keeps in state.json.
type State struct {
	Library string   `json:"library"` // the id that is pinned
	Sources []string `json:"sources"` // as the keeper gave them, the first one first
	Select  string   `json:"select,omitempty"`
	Space   int64    `json:"space,omitempty"` // bytes; 0: no limit
	NoFiles bool     `json:"no_files,omitempty"`
	Deny    string   `json:"deny,omitempty"` // the path of the list of refusals
}

// LoadState reads DATA/mirror/state.json; errs.NotFound where there is none, which
// says that the folder is no mirror's. A nil fsys is the disk of the machine.
func LoadState(fsys durable.FS, dir string) (State, error) {
	var s State
	data, err := durable.ReadFile(orDisk(fsys), filepath.Join(dir, stateName), maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return s, errs.New(errs.NotFound, "%s holds no mirror", dir)
	} else if err != nil {
		return s, err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, errs.New(errs.Corrupt, "%s: %w", filepath.Join(dir, stateName), err)
	}
	return s, s.check()
}

// SaveState writes state.json, durably.
func SaveState(fsys durable.FS, dir string, s State) error {
	fsys = orDisk(fsys)
	if err := s.check(); err != nil {
		return err
	}
	if err := durable.MkdirAll(fsys, dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	return durable.WriteFile(fsys, filepath.Join(dir, stateName), append(data, '\n'), 0o644)
}

func (s State) check() error {
	if !isLibrary(s.Library) {
		return errs.New(errs.Invalid, "%.80q is not a library's id", s.Library)
	}
	if s.Space < 0 {
		return errs.New(errs.Invalid, "%d bytes are no space", s.Space)
	}
	_, err := ParseSelection(s.Select)
	return err
}

func orDisk(fsys durable.FS) durable.FS {
	if fsys == nil {
		return durable.OS()
	}
	return fsys
}

// Pin asks a source which library it holds, and holds its answer to itself: the
// charters count, and entry 0 is the first of them. Where library is not empty it
// must be that one; else the caller shows the id to whoever asked, and keeps it.
// It is the one moment at which a source is believed, and only where library is
// empty. The charters are those for [register.CreateReplica].
func Pin(ctx context.Context, s Source, library string) (id string, charters [][]byte, err error) {
	data, err := s.Get(ctx, "register/charters", maxCharterList)
	if err != nil {
		return "", nil, fmt.Errorf("ask for the charters: %w", err)
	}
	if charters, err = parseCharters(data); err != nil {
		return "", nil, errs.New(errs.Corrupt, "%s has no charters that count: %w", s.Address(), err)
	}
	list, err := register.VerifyCharters(library, charters)
	if err != nil {
		return "", nil, errs.New(errs.Corrupt, "%s has no charters that count: %w", s.Address(), err)
	}
	signed, err := s.Get(ctx, "register/checkpoint", maxCheckpoint)
	if err != nil {
		return "", nil, fmt.Errorf("ask for the checkpoint: %w", err)
	}
	cp, _, err := openCheckpoint(signed, list)
	if err != nil {
		return "", nil, errs.New(errs.Corrupt, "%s has no valid checkpoint: %w", s.Address(), err)
	}
	if cp.Size < 1 {
		return "", nil, errs.New(errs.Corrupt, "the register of %s is empty", s.Address())
	}
	name := "register/tile/entries/000"
	if cp.Size < 256 {
		name = fmt.Sprintf("%s.p/%d", name, cp.Size)
	}
	bundle, err := s.Get(ctx, name, maxBundle)
	if err != nil {
		return "", nil, fmt.Errorf("ask for entry 0: %w", err)
	}
	if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
		return "", nil, errs.New(errs.Corrupt, "%s has no entry 0", s.Address())
	}
	entry0 := bundle[2 : 2+int(binary.BigEndian.Uint16(bundle))]
	e, _, err := record.Decode(entry0)
	if err != nil || e.Type != record.TypeCharter || charterText([]byte(e.Note)) != charterText(charters[0]) {
		return "", nil, errs.New(errs.Corrupt, "entry 0 of %s is not its first charter", s.Address())
	}
	id = register.LibraryID(entry0)
	if library != "" && id != library {
		return "", nil, errs.New(errs.Refused, "%s holds the library %s, not %s", s.Address(), id, library)
	}
	if _, err := register.VerifyCharters(id, charters); err != nil {
		return "", nil, errs.New(errs.Corrupt, "%s has charters of another library: %w", s.Address(), err)
	}
	return id, charters, nil
}

// parseCharters reads /register/charters: a JSON array of notes.
func parseCharters(data []byte) ([][]byte, error) {
	var notes []string
	if err := json.Unmarshal(data, &notes); err != nil {
		return nil, errs.New(errs.Corrupt, "not a list of charters: %w", err)
	}
	if len(notes) == 0 || len(notes) > maxCharters {
		return nil, errs.New(errs.Corrupt, "%d charters are too few or too many", len(notes))
	}
	list := make([][]byte, len(notes))
	for i, n := range notes {
		list[i] = []byte(n)
	}
	return list, nil
}

// charterText is what a charter says, whoever signed it; "" for what is none.
func charterText(signed []byte) string {
	c, err := register.ParseCharter(signed)
	if err != nil {
		return ""
	}
	return c.Text()
}

// openCheckpoint verifies a checkpoint with the newest of the charters' keys that
// has signed it, and says which charter that is: an index into charters.
func openCheckpoint(signed []byte, charters []register.Charter) (cp register.Checkpoint, which int, err error) {
	for i, c := range slices.Backward(charters) {
		key, e := note.NewVerifier(c.Origin)
		if e != nil {
			return cp, 0, e
		}
		if cp, e = register.ParseCheckpoint(signed, c.Log, key); e == nil {
			return cp, i, nil
		}
		if err == nil {
			err = e
		}
	}
	return cp, 0, err
}

// Evidence is a proof that an origin did what it must not.
type Evidence struct {
	Kind    AlarmKind       `json:"kind"`
	Address string          `json:"address"` // who showed it
	Seen    time.Time       `json:"seen"`
	Notes   []string        `json:"notes"`          // the checkpoints that contradict each other, ours first
	Fork    json.RawMessage `json:"fork,omitempty"` // the proof: see register.Fork
}

// id is the same for the same proof, whenever and wherever it was seen, and whatever
// we held then: what shows one old checkpoint again and again is one piece.
func (e Evidence) id() string {
	what := string(e.Fork)
	if what == "" && len(e.Notes) > 0 {
		what = e.Notes[len(e.Notes)-1]
		if i := strings.Index(what, "\n\n"); i >= 0 {
			what = what[:i] // without the signatures, which may change
		}
	}
	sum := sha256.Sum256([]byte(string(e.Kind) + "\n" + what))
	return hex.EncodeToString(sum[:])[:32]
}

// keep makes evidence durable and gives the name of its file. What is there
// already is not written again.
func (m *Mirror) keep(e Evidence) (name string, err error) {
	fsys, dir := m.cfg.FS, filepath.Join(m.cfg.Dir, evidenceName)
	name = string(e.Kind) + "-" + e.id() + ".json"
	file := filepath.Join(dir, name)
	if there, err := durable.Exists(fsys, file); there || err != nil {
		return name, err
	}
	if err := durable.MkdirAll(fsys, dir, 0o755); err != nil {
		return "", err
	}
	list, err := fsys.ReadDir(dir)
	if err != nil {
		return "", err
	}
	same := 0
	for _, f := range list {
		if strings.HasPrefix(f.Name(), string(e.Kind)+"-") {
			same++
		}
	}
	if len(list) >= maxEvidenceFiles || e.Kind != AlarmFork && same >= maxEvidenceFiles/4 {
		return "", errs.New(errs.TooLarge, "there are %d pieces of evidence in %s already", len(list), dir)
	}
	data, err := json.MarshalIndent(e, "", "\t")
	if err != nil {
		return "", err
	}
	return name, durable.WriteFile(fsys, file, append(data, '\n'), 0o644)
}

// Evidence is all that is kept, oldest first.
func (m *Mirror) Evidence() ([]Evidence, error) {
	dir := filepath.Join(m.cfg.Dir, evidenceName)
	list, err := m.cfg.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	var all []Evidence
	for _, entry := range list {
		if path.Ext(entry.Name()) != ".json" || strings.HasPrefix(entry.Name(), alarmName) {
			continue
		}
		var e Evidence
		data, err := durable.ReadFile(m.cfg.FS, filepath.Join(dir, entry.Name()), maxEvidence)
		if err == nil {
			err = json.Unmarshal(data, &e)
		}
		if err != nil {
			m.cfg.Log.Warn("a piece of evidence cannot be read", "file", entry.Name(), "error", err)
			continue
		}
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b Evidence) int { return a.Seen.Compare(b.Seen) })
	return all, nil
}

// alarmName is the file below evidence/ that holds the alarm in force.
const alarmName = "alarm.json"

// loadAlarm reads the alarm that was in force when the mirror stopped.
func (m *Mirror) loadAlarm() error {
	data, err := durable.ReadFile(m.cfg.FS, filepath.Join(m.cfg.Dir, evidenceName, alarmName), maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var a Alarm
	if err := json.Unmarshal(data, &a); err != nil {
		return errs.New(errs.Corrupt, "%s: %w", filepath.Join(m.cfg.Dir, evidenceName, alarmName), err)
	}
	m.alarm = &a
	return nil
}

// saveAlarm makes the alarm in force durable, or that there is none.
func (m *Mirror) saveAlarm(a *Alarm) error {
	dir := filepath.Join(m.cfg.Dir, evidenceName)
	file := filepath.Join(dir, alarmName)
	if a == nil {
		if err := m.cfg.FS.Remove(file); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return err
		}
		return m.cfg.FS.SyncDir(dir)
	}
	if err := durable.MkdirAll(m.cfg.FS, dir, 0o755); err != nil {
		return err
	}
	data, err := json.MarshalIndent(a, "", "\t")
	if err != nil {
		return err
	}
	return durable.WriteFile(m.cfg.FS, file, append(data, '\n'), 0o644)
}

// heardName is the file that says when the origin was last heard of, so that a
// restart does not forget it.
const (
	heardName  = "heard"
	heardEvery = 10 * time.Minute
)

func (m *Mirror) loadHeard() {
	data, err := durable.ReadFile(m.cfg.FS, filepath.Join(m.cfg.Dir, heardName), 64)
	if err != nil {
		return
	}
	if at, err := time.Parse(time.RFC3339, strings.TrimSpace(string(data))); err == nil && !at.After(m.cfg.Now()) {
		m.heard, m.saved = at, at
	}
}

// saveHeard writes it when it is older on disk by more than so much.
func (m *Mirror) saveHeard(late time.Duration) error {
	m.mu.Lock()
	heard, saved := m.heard, m.saved
	m.mu.Unlock()
	if heard.IsZero() || heard.Sub(saved) <= late {
		return nil
	}
	if err := durable.MkdirAll(m.cfg.FS, m.cfg.Dir, 0o755); err != nil {
		return err
	}
	if err := durable.WriteFile(m.cfg.FS, filepath.Join(m.cfg.Dir, heardName), []byte(heard.UTC().Format(time.RFC3339)+"\n"), 0o644); err != nil {
		return err
	}
	m.mu.Lock()
	m.saved = heard
	m.mu.Unlock()
	return nil
}
