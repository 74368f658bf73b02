package mirror

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/register"
)

const (
	listName     = "list.json"
	maxListFile  = 64 << 20
	maxMirrors   = 1000
	maxOfHost    = 16                 // of these
	listedFor    = 7 * 24 * time.Hour // after it was signed
	maxAhead     = 10 * time.Minute   // a clock may be wrong by
	checkAgain   = 24 * time.Hour     // an address is asked again, when it announces itself
	checkTimeout = 20 * time.Second
	checksAtOnce = 4

	announcesAtOnce = 10 // of one address, and one more every:
	announceEvery   = 30 * time.Second
)

// ListConfig says where the list of mirrors is, and how it is kept.
type ListConfig struct {
	Dir     string // DATA/mirror; made when there is something to write
	FS      durable.FS
	Library string // its id
	// Charters are those of the library, the oldest first: the checkpoint that an
	// announced address shows must be of this library.
	Charters func() [][]byte
	// Check asks an announced address before it is listed; nil: for its charters, its
	// checkpoint and its own announcement, with Source.
	Check  func(ctx context.Context, a Announcement) error
	Source SourceConfig // Public refuses addresses within our own network
	Now    func() time.Time
	Log    *slog.Logger
}

// List is the mirrors that have announced themselves. All methods may be called at
// once. What it says of them is what they say themselves, signed with their keys,
// and that something at their address holds this library.
type List struct {
	cfg    ListConfig
	checks chan struct{}

	mu      sync.Mutex
	mirrors map[string]*listed // by key
	json    []byte             // nil: to be made
	limits  map[string]*limit  // of who announces, by address
}

type listed struct {
	Announcement
	note    []byte
	checked time.Time
}

// listFile is list.json.
type listFile struct {
	Mirrors []listEntry `json:"mirrors"`
}

type listEntry struct {
	Note    string    `json:"note"`
	Heard   time.Time `json:"heard"`
	Checked time.Time `json:"checked"`
}

// OpenList reads list.json. What cannot be read there is left out: the mirrors will
// announce themselves again.
func OpenList(cfg ListConfig) (*List, error) {
	cfg.FS = orDisk(cfg.FS)
	cfg.Source = cfg.Source.withDefaults()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	l := &List{cfg: cfg, mirrors: map[string]*listed{}, limits: map[string]*limit{}, checks: make(chan struct{}, checksAtOnce)}
	if l.cfg.Check == nil {
		l.cfg.Check = l.checkSite
	}
	data, err := durable.ReadFile(cfg.FS, filepath.Join(cfg.Dir, listName), maxListFile)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	} else if err != nil {
		return nil, err
	}
	var file listFile
	if err := json.Unmarshal(data, &file); err != nil {
		cfg.Log.Warn("the list of mirrors cannot be read and begins anew", "error", err)
		return l, nil
	}
	for _, e := range file.Mirrors {
		a, err := ParseAnnouncement([]byte(e.Note))
		if err != nil || a.Library != cfg.Library || len(l.mirrors) >= maxMirrors {
			continue
		}
		a.Heard = e.Heard
		l.mirrors[a.Key] = &listed{a, []byte(e.Note), e.Checked}
	}
	return l, nil
}

// Add takes a signed announcement into the list, durably, after asking the address
// whether it holds this library. One that is older than what is known changes
// nothing. errs.Refused says what is wrong with it, errs.Unavailable that it cannot
// be checked now or that the list is full.
func (l *List) Add(ctx context.Context, signed []byte) error {
	a, err := ParseAnnouncement(signed)
	if err != nil {
		return err
	}
	now := l.cfg.Now()
	switch {
	case a.Library != l.cfg.Library:
		return errs.New(errs.Refused, "%s announces the library %s, not this one", a.URL, a.Library)
	case a.Time.After(now.Add(maxAhead)):
		return errs.New(errs.Refused, "%s announces itself in the future", a.URL)
	case now.Sub(a.Time) > listedFor:
		return errs.New(errs.Refused, "the announcement of %s is older than %d days", a.URL, int(listedFor.Hours()/24))
	}
	l.mu.Lock()
	l.expire(now)
	old := l.mirrors[a.Key]
	err = l.room(a)
	l.mu.Unlock()
	if old != nil && !a.Time.After(old.Time) {
		return nil
	}
	if err != nil {
		return err
	}
	entry := &listed{Announcement: a, note: bytes.Clone(signed), checked: now}
	if old != nil && old.URL == a.URL && now.Sub(old.checked) < checkAgain {
		entry.checked = old.checked
	} else {
		if err := hold(ctx, l.checks); err != nil {
			return err
		}
		err := l.check(ctx, a)
		<-l.checks
		if err != nil {
			return err
		}
	}
	entry.Heard = now
	l.mu.Lock()
	defer l.mu.Unlock()
	if old := l.mirrors[a.Key]; old != nil && !a.Time.After(old.Time) {
		return nil
	} else if err := l.room(a); err != nil {
		return err
	}
	// One address is one mirror: whoever made a new key there has left the old one.
	for key, m := range l.mirrors {
		if m.URL == a.URL && a.Time.After(m.Time) {
			delete(l.mirrors, key)
		}
	}
	l.mirrors[a.Key] = entry
	l.json = nil
	return l.save()
}

// room says whether there is a place for an announcement: one host does not take all
// of them. The lock is held.
func (l *List) room(a Announcement) error {
	if l.mirrors[a.Key] != nil {
		return nil
	}
	if len(l.mirrors) >= maxMirrors {
		return errs.New(errs.Unavailable, "the list of mirrors is full: it holds %d", maxMirrors)
	}
	same := 0
	for _, m := range l.mirrors {
		if m.URL != a.URL && m.host() == a.host() {
			same++
		}
	}
	if same >= maxOfHost {
		return errs.New(errs.Refused, "%d mirrors of %s are listed already", same, a.host())
	}
	return nil
}

func (l *List) check(ctx context.Context, a Announcement) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if err := l.cfg.Check(ctx, a); err != nil {
		return errs.New(errs.Refused, "the address that was announced does not hold this library: %w", err)
	}
	return nil
}

// checkSite asks an address for the charters and the checkpoint, and whether it lists
// itself with that key: else a stranger could announce somebody else's address with
// his own key, and that mirror would fail each audit and be no witness any more.
func (l *List) checkSite(ctx context.Context, a Announcement) error {
	s := newSite(a.URL, l.cfg.Source)
	defer s.Close()
	data, err := s.Get(ctx, "register/charters", maxCharterList)
	if err != nil {
		return err
	}
	theirs, err := parseCharters(data)
	if err != nil {
		return err
	}
	var ours [][]byte
	if l.cfg.Charters != nil {
		ours = l.cfg.Charters()
	}
	if len(ours) > 0 && charterText(ours[0]) != charterText(theirs[0]) {
		return errs.New(errs.Refused, "it holds another library")
	}
	list, err := register.VerifyCharters(l.cfg.Library, theirs)
	if err != nil {
		return err
	}
	signed, err := s.Get(ctx, "register/checkpoint", maxCheckpoint)
	if err != nil {
		return err
	}
	if _, _, err = openCheckpoint(signed, list); err != nil {
		return err
	}
	if data, err = s.Get(ctx, "mirrors.json", maxMirrors*maxAnnouncement); err != nil {
		return err
	}
	notes, err := parseList(data)
	if err != nil {
		return err
	}
	for _, n := range notes {
		if strings.Contains(n, "\nurl "+a.URL+"\nkey "+a.Key+"\n") {
			return nil
		}
	}
	return errs.New(errs.Refused, "it does not say that this key is its own")
}

// parseList reads a /mirrors.json: notes of which nothing is verified.
func parseList(data []byte) ([]string, error) {
	var notes []string
	if err := json.Unmarshal(data, &notes); err != nil || len(notes) > maxMirrors+1 {
		return nil, errs.New(errs.Corrupt, "not a list of mirrors")
	}
	return notes, nil
}

// expire drops what is too old. The lock is held.
func (l *List) expire(now time.Time) {
	for key, m := range l.mirrors {
		if now.Sub(m.Time) > listedFor {
			delete(l.mirrors, key)
			l.json = nil
		}
	}
}

// save writes list.json. The lock is held.
func (l *List) save() error {
	var file listFile
	for _, m := range l.sorted() {
		file.Mirrors = append(file.Mirrors, listEntry{string(m.note), m.Heard, m.checked})
	}
	data, err := json.Marshal(file)
	if err != nil {
		return err
	}
	if err := durable.MkdirAll(l.cfg.FS, l.cfg.Dir, 0o755); err != nil {
		return err
	}
	return durable.WriteFile(l.cfg.FS, filepath.Join(l.cfg.Dir, listName), data, 0o644)
}

// sorted are the mirrors, the newest announcement first. The lock is held.
func (l *List) sorted() []*listed {
	list := make([]*listed, 0, len(l.mirrors))
	for _, m := range l.mirrors {
		list = append(list, m)
	}
	slices.SortFunc(list, func(a, b *listed) int {
		return cmp.Or(b.Time.Compare(a.Time), cmp.Compare(a.Key, b.Key))
	})
	return list
}

// All are the mirrors in the list, those that announced themselves last first.
func (l *List) All() []Announcement {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire(l.cfg.Now())
	var all []Announcement
	for _, m := range l.sorted() {
		all = append(all, m.Announcement)
	}
	return all
}

// Copies is how many mirrors say that they hold shelf n, the origin not counted;
// one host counts once.
func (l *List) Copies(n int) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire(l.cfg.Now())
	hosts := map[string]bool{}
	for _, m := range l.mirrors {
		if m.All || m.Shelves.Has(n) {
			hosts[m.host()] = true
		}
	}
	return len(hosts)
}

// JSON is /mirrors.json: an array of the signed notes. The bytes must not be changed.
func (l *List) JSON() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.expire(l.cfg.Now())
	if l.json == nil {
		notes := []string{}
		for _, m := range l.sorted() {
			notes = append(notes, string(m.note))
		}
		l.json, _ = json.Marshal(notes)
	}
	return l.json
}

// Merge takes in what another copy lists: its /mirrors.json. What is refused is
// passed over.
func (l *List) Merge(ctx context.Context, data []byte) error {
	notes, err := parseList(data)
	if err != nil {
		return err
	}
	for _, n := range notes {
		err := l.Add(ctx, []byte(n))
		if ctx.Err() != nil || isOurs(err) {
			return err
		}
	}
	return nil
}

// Routes adds POST /mirrors/announce and GET /mirrors.json.
func (l *List) Routes(mux *http.ServeMux) {
	mux.HandleFunc("POST /mirrors/announce", l.serveAnnounce)
	mux.HandleFunc("GET /mirrors.json", l.serveList)
}

func (l *List) serveAnnounce(w http.ResponseWriter, r *http.Request) {
	if !l.allow(Asker(r).String()) {
		w.Header().Set("Retry-After", strconv.Itoa(int(announceEvery.Seconds())))
		http.Error(w, "too many announcements from your address", http.StatusTooManyRequests)
		return
	}
	signed, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnnouncement+1))
	if err != nil {
		err = errs.New(errs.TooLarge, "an announcement has at most %d bytes", maxAnnouncement)
	} else {
		err = l.Add(r.Context(), signed)
	}
	if err == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	what := err.Error()
	if isOurs(err) {
		l.cfg.Log.ErrorContext(r.Context(), "an announcement could not be kept", "error", err)
		what = "internal error"
	}
	http.Error(w, what, errs.Status(err))
}

func (l *List) serveList(w http.ResponseWriter, r *http.Request) {
	data := l.JSON()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", `"`+refOf(data).SHA256[:32]+`"`)
	h.Set("Access-Control-Allow-Origin", "*")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
}

// limit is a bucket of announcements that an address may still make.
type limit struct {
	left float64
	at   time.Time
}

// allow says whether the address may announce once more.
func (l *List) allow(who string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.cfg.Now()
	if len(l.limits) > 10_000 {
		clear(l.limits)
	}
	b := l.limits[who]
	if b == nil {
		b = &limit{announcesAtOnce, now}
		l.limits[who] = b
	}
	b.left = min(announcesAtOnce, b.left+now.Sub(b.at).Seconds()/announceEvery.Seconds())
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

const (
	tellEvery  = 12 * time.Hour
	tellAgain  = 10 * time.Minute // when nobody took it
	listsEvery = 30 * time.Minute
	tellMost   = 8 // others that are told
)

// announce tells the origin, and a few others, where we are and what we hold: when
// all is here for the first time, and twice a day.
func (m *Mirror) announce(ctx context.Context) {
	if m.cfg.Self == "" || m.cfg.Key == nil || !isURL(m.cfg.Self) || ctx.Err() != nil {
		return
	}
	s := m.Status()
	now := m.cfg.Now()
	m.mu.Lock()
	due := s.Looked && !now.Before(m.tell)
	m.mu.Unlock()
	if !due {
		return
	}
	err := m.Announce(ctx)
	next := now.Add(tellEvery)
	if err != nil {
		m.cfg.Log.WarnContext(ctx, "the mirror could not be announced", "error", err)
		next = now.Add(min(tellAgain, 10*m.cfg.Poll))
	}
	m.mu.Lock()
	m.tell = next
	m.mu.Unlock()
}

// Announce tells the others now. The error is that of the origin, if it did not
// take the announcement.
func (m *Mirror) Announce(ctx context.Context) error {
	s := m.Status()
	if m.cfg.Key == nil || m.cfg.Self == "" {
		return errs.New(errs.Invalid, "a mirror without a key or without an address cannot announce itself")
	}
	var err error
	a := Announcement{
		Library: s.Library, URL: m.cfg.Self, Key: m.cfg.Key.Public(), Size: s.Size,
		All: !s.Partial && s.Denied == 0 && s.Missing.Files == 0, Time: m.cfg.Now(),
	}
	if !a.All && m.cfg.Holds != nil {
		if a.Shelves, err = m.cfg.Holds(ctx); err != nil {
			return err
		}
	}
	signed, err := SignAnnouncement(a, m.cfg.Key)
	if err != nil {
		return err
	}
	if m.cfg.List != nil { // ours is in the list that we pass on
		m.cfg.List.keepOwn(a, signed)
	}
	origins, others := m.split(m.sources())
	var failed error
	for i, address := range append(origins, others[:min(len(others), tellMost)]...) {
		if err := post(ctx, address+"/mirrors/announce", signed); err != nil && i < len(origins) {
			failed = err
		}
	}
	return failed
}

// keepOwn lists an announcement without asking anybody.
func (l *List) keepOwn(a Announcement, signed []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a.Heard = l.cfg.Now()
	l.mirrors[a.Key] = &listed{a, signed, a.Heard}
	l.json = nil
}

// post sends an announcement.
func post(ctx context.Context, address string, signed []byte) error {
	if !isURL(address) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*checkTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(signed))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	r.Header.Set("User-Agent", "wenlan")
	resp, err := announcer.Do(r)
	if err != nil {
		return errs.New(errs.Unavailable, "%s cannot be reached: %w", address, plain(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return nil
	}
	why, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
	return errs.New(errs.Unavailable, "%s answers %d: %s", address, resp.StatusCode, bytes.TrimSpace(bytes.ToValidUTF8(why, []byte("?"))))
}

var announcer = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// readLists asks who is followed for the mirrors that it lists, every half hour.
func (m *Mirror) readLists(ctx context.Context) {
	m.mu.Lock()
	leader, now := m.leader, m.cfg.Now()
	due := m.cfg.List != nil && leader != "" && now.Sub(m.listed) >= min(listsEvery, 20*m.cfg.Poll)
	if due {
		m.listed = now
	}
	had := m.tags[leader]
	m.mu.Unlock()
	if !due || !isURL(leader) || ctx.Err() != nil {
		return
	}
	var data []byte
	var tag string
	err := m.cfg.Pool.Ask(ctx, leader, func(ctx context.Context, s Source) (err error) {
		data, tag, _, err = s.Poll(ctx, "mirrors.json", had.list, maxMirrors*maxAnnouncement)
		return err
	})
	if err == nil && data != nil {
		err = m.cfg.List.Merge(ctx, data)
	}
	if err != nil {
		m.cfg.Log.InfoContext(ctx, "the list of mirrors was not read", "source", leader, "error", err)
		return
	}
	m.mu.Lock()
	had = m.tags[leader]
	had.list = tag
	m.tags[leader] = had
	m.mu.Unlock()
}
