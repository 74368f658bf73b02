package mirror

import (
	"cmp"
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/durable"
	"wenlan/internal/errs"
	"wenlan/internal/record"
	"wenlan/internal/register"
)

// Config says what a mirror copies, and where to. Dir, Register, Blobs and Pool
// are needed.
type Config struct {
	Dir      string // DATA/mirror
	FS       durable.FS
	Register *register.Register // a replica
	Blobs    *blob.Local
	Pool     *Pool    // the mirror says which sources it has
	Sources  []string // as the keeper gave them, the first one first; nil: those of Pool
	List     *List    // the mirrors that are known: more sources; may be nil

	// Wanted calls fn with every file that may be copied and is selected, of the
	// records that entries from `from` on name: pos is the entry's index, and does
	// not fall. The same file may come more than once. Nil: no files.
	Wanted func(ctx context.Context, from int64, fn func(pos int64, ref blob.Ref) error) error
	// Extended is called after the register or its charters grew; the views follow.
	// What it fails with is tried again at the next round.
	Extended func(ctx context.Context) error
	// Shelves are those that the library has, for a mirror with little space; may be nil.
	Shelves Shelves

	Partial   bool   // not all that may be held is wanted; what is said of it in Status:
	Selection string // as ParseSelection reads it
	Space     int64  // bytes that files may take; 0: no limit
	NoFiles   bool
	Denied    int

	// Self is our own public address, which is announced to the others and never
	// asked; Key is the mirror's. Without either nothing is announced.
	Self string
	Key  *Key
	// Holds are the shelves that are here, of a partial mirror; may be nil.
	Holds func(ctx context.Context) (Bitmap, error)

	Workers int           // files copied at once; default 16
	AskTime time.Duration // in which a source has to say what is new; default 2 min
	Poll    time.Duration // between two rounds; up to a fifth is added by chance; default 1 min
	// Again is how long after a whole look at all that is wanted there is another, for
	// what becomes open by its date; default 24 h.
	Again    time.Duration
	Progress func(Status) // called now and then while a round is under way; may be nil
	Now      func() time.Time
	Log      *slog.Logger
}

// Mirror follows a library. All methods may be called at once.
type Mirror struct {
	cfg  Config
	wake chan struct{} // holds one

	following chan struct{} // held by the one who follows
	copying   chan struct{} // held by the one who copies files

	mu       sync.Mutex
	alarm    *Alarm
	target   int64
	heard    time.Time
	saved    time.Time       // heard, as it is on disk
	troubles [2]string       // of following, of copying files
	busy     int             // rounds under way
	tags     map[string]tags // what each source had
	leader   string          // who is asked first
	leads    map[string]bool // addresses whose answer counts as the origin's
	round    int
	cut      context.CancelCauseFunc // ends the round of following; nil before the first
	unviewed bool                    // Extended is due
	viewed   int64                   // entries that the views have followed, so that Wanted knows them
	listed   time.Time               // when lists of mirrors were last asked for
	tell     time.Time               // when we announce ourselves next

	pass pass // of the files

	shown time.Time // when Progress was last called
}

// tags are those of the files of a source that were taken in.
type tags struct{ checkpoint, charters, list string }

// Open makes a mirror. Nothing is asked yet.
func Open(cfg Config) (*Mirror, error) {
	if cfg.Register == nil || cfg.Blobs == nil || cfg.Pool == nil || cfg.Dir == "" {
		return nil, errs.New(errs.Internal, "a mirror needs a folder, a register, a store of files and a pool of sources")
	}
	cfg.FS = orDisk(cfg.FS)
	if cfg.Workers <= 0 {
		cfg.Workers = 16
	}
	if cfg.AskTime <= 0 {
		cfg.AskTime = 2 * time.Minute
	}
	if cfg.Poll <= 0 {
		cfg.Poll = time.Minute
	}
	if cfg.Again <= 0 {
		cfg.Again = 24 * time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Sources == nil {
		cfg.Sources = cfg.Pool.Addresses()
	}
	if cfg.Self != "" {
		self, err := CleanAddress(cfg.Self)
		if err != nil {
			return nil, err
		}
		cfg.Self = self
	}
	m := &Mirror{
		cfg: cfg, wake: make(chan struct{}, 1), tags: map[string]tags{}, leads: map[string]bool{},
		following: make(chan struct{}, 1), copying: make(chan struct{}, 1),
		target: cfg.Register.Size(), unviewed: true,
	}
	m.pass.absent = map[string]*absent{}
	m.loadHeard()
	if err := m.loadAlarm(); err != nil {
		return nil, err
	}
	if err := m.settleAlarm(); err != nil {
		return nil, err
	}
	m.sources()
	return m, nil
}

// Run follows the library until ctx ends, and then returns nil: at once, then every
// Poll, and when Wake is called. Files are copied meanwhile, so that a withdrawal
// does not wait for them, and so is the list of mirrors. What fails, be it of our
// own disk, is noted in Status and tried again.
func (m *Mirror) Run(ctx context.Context) error {
	files, talk := make(chan struct{}, 1), make(chan struct{}, 1)
	each := func(due chan struct{}, do func()) {
		for {
			select {
			case <-due:
				do()
			case <-ctx.Done():
				return
			}
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		each(files, func() {
			m.note(ctx, &m.troubles[1], m.copyFiles(ctx))
			push(talk)
		})
	})
	wg.Go(func() {
		each(talk, func() {
			m.announce(ctx)
			m.readLists(ctx)
		})
	})
	for ctx.Err() == nil {
		m.note(ctx, &m.troubles[0], m.follow(ctx))
		push(files)
		m.sleep(ctx)
	}
	wg.Wait()
	return m.saveHeard(0)
}

// push says that something is due, unless that is said already.
func push(due chan struct{}) {
	select {
	case due <- struct{}{}:
	default:
	}
}

// isOurs says whether an error is one of our own machine, which waiting for others
// does not mend.
func isOurs(err error) bool { return err != nil && errs.KindOf(err) == errs.Internal }

// note keeps the sentence for an error that a later round may mend.
func (m *Mirror) note(ctx context.Context, trouble *string, err error) {
	if ctx.Err() != nil {
		return
	}
	is := ""
	if err != nil {
		is = err.Error()
		if isOurs(err) {
			is = "something is wrong on this machine: its log says what"
		}
	}
	m.mu.Lock()
	was := *trouble
	*trouble = is
	m.mu.Unlock()
	if err != nil && (is != was || isOurs(err)) {
		m.cfg.Log.WarnContext(ctx, "the mirror could not go on", "error", err)
	}
}

// sleep waits for the next round.
func (m *Mirror) sleep(ctx context.Context) {
	begin := time.Now()
	t := time.NewTimer(m.cfg.Poll + rand.N(m.cfg.Poll/5+1))
	defer t.Stop()
	select {
	case <-t.C:
		return
	case <-ctx.Done():
		return
	case <-m.wake:
	}
	// However often it is woken, it does not ask all the time.
	pause := time.NewTimer(min(time.Second, m.cfg.Poll) - time.Since(begin))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
	}
}

// Wake begins a round soon, if Run runs.
func (m *Mirror) Wake() { push(m.wake) }

// Once does one whole round: what is new of the register, then all files that are
// missing. It returns when they are durable, with an error of kind errs.Corrupt
// that names a file where no source had the right bytes for it, or another where
// something else is still missing.
func (m *Mirror) Once(ctx context.Context) error {
	if err := m.follow(ctx); err != nil {
		return err
	}
	if err := m.copyFiles(ctx); err != nil {
		return err
	}
	return m.firstFailure()
}

// Status says how it goes.
func (m *Mirror) Status() Status {
	size := m.cfg.Register.Size()
	s := Status{
		Library: m.cfg.Register.Library(), Self: m.cfg.Self, Size: size,
		Partial:   m.cfg.Partial || m.cfg.Selection != "" || m.cfg.NoFiles || m.cfg.Space > 0,
		Selection: m.cfg.Selection, Space: m.cfg.Space, NoFiles: m.cfg.NoFiles, Denied: m.cfg.Denied,
		Sources: m.cfg.Pool.Status(),
	}
	if origins := m.origins(); len(origins) > 0 {
		s.Origin = origins[0]
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leads[m.leader] {
		s.Origin = m.leader
	}
	s.Target, s.Heard, s.Trouble, s.Copying = max(m.target, size), m.heard, cmp.Or(m.troubles[0], m.troubles[1]), m.busy > 0
	p := &m.pass
	s.Wanted, s.Missing = p.wanted, p.missing
	s.Files = Tally{s.Wanted.Files - s.Missing.Files, s.Wanted.Bytes - s.Missing.Bytes}
	s.Covered = min(p.looked, size)
	s.Looked = p.looked >= size && p.looked > 0
	if m.alarm != nil {
		a := *m.alarm
		s.Alarm = &a
	}
	return s
}

// Alarmed says whether nothing new is taken from the origin, and why.
func (m *Mirror) Alarmed() *Alarm {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.alarm == nil {
		return nil
	}
	a := *m.alarm
	return &a
}

// Fetch is the body blob of an entry: from our store, or else from a source, and
// then stored. Its hash is checked. It is durable after the store's Flush, which
// the end of a round does.
func (m *Mirror) Fetch(ctx context.Context, body record.Body) ([]byte, error) {
	return Fetch(ctx, m.cfg.Blobs, m.cfg.Pool, body)
}

// Fetch is [Mirror.Fetch] for a store and a pool without a mirror.
func Fetch(ctx context.Context, blobs *blob.Local, pool *Pool, body record.Body) ([]byte, error) {
	if body.Bytes < 0 || body.Bytes > record.MaxBody {
		return nil, errs.New(errs.TooLarge, "the table %s has %d bytes, more than %d", body.SHA256, body.Bytes, record.MaxBody)
	}
	b, err := blobs.Open(ctx, body.SHA256)
	if errs.Is(err, errs.NotFound) || err == nil && b.Size() != body.Bytes {
		if err == nil {
			b.Close()
		}
		if err := pool.Blob(ctx, blob.Ref{SHA256: body.SHA256, Bytes: body.Bytes}); err != nil {
			return nil, err
		}
		b, err = blobs.Open(ctx, body.SHA256)
	}
	if err != nil {
		return nil, err
	}
	defer b.Close()
	data := make([]byte, body.Bytes)
	if _, err := io.ReadFull(b, data); err != nil {
		return nil, errs.New(errs.Corrupt, "the table %s is cut short: %w", body.SHA256, err)
	}
	if refOf(data).SHA256 != body.SHA256 {
		return nil, errs.New(errs.Corrupt, "the table %s is damaged here", body.SHA256)
	}
	return data, nil
}

// origins are the addresses that speak for the library: those of the newest
// charter, or, where it names none, the first source.
func (m *Mirror) origins() []string {
	var list []string
	if c, ok := m.cfg.Register.Charter(); ok {
		for _, a := range c.Addresses {
			if a, err := CleanAddress(a); err == nil && a != m.cfg.Self {
				list = append(list, a)
			}
		}
	}
	if len(list) == 0 {
		for _, a := range m.cfg.Sources {
			if a, err := CleanAddress(a); err == nil && a != m.cfg.Self {
				return []string{a}
			}
		}
	}
	return list
}

// maxListed is how many of the listed mirrors are sources too.
const maxListed = 20

// sources are all that may be asked, in the order in which they are asked for what
// is new: the leader, the origin's addresses, what the keeper gave, other mirrors.
// The pool gets them all.
func (m *Mirror) sources() []string {
	origins := m.origins()
	list := slices.Clone(origins)
	for _, a := range m.cfg.Sources {
		if a, err := CleanAddress(a); err == nil {
			list = append(list, a)
		}
	}
	if m.cfg.List != nil {
		mirrors := m.cfg.List.All()
		slices.SortStableFunc(mirrors, func(a, b Announcement) int { return boolOrder(b.All, a.All) })
		for _, a := range mirrors[:min(len(mirrors), maxListed)] {
			list = append(list, a.URL)
		}
	}
	seen := map[string]bool{m.cfg.Self: true}
	list = slices.DeleteFunc(list, func(a string) bool {
		twice := seen[a]
		seen[a] = true
		return twice
	})
	m.mu.Lock()
	clear(m.leads)
	for _, o := range origins {
		m.leads[o] = true
	}
	if i := slices.Index(list, m.leader); i > 0 && m.leads[m.leader] {
		list = slices.Insert(slices.Delete(list, i, i+1), 0, m.leader)
	}
	m.mu.Unlock()
	m.cfg.Pool.Set(list)
	return list
}

func boolOrder(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
