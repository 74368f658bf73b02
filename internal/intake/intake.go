// Package intake takes files into the library: it finds them, parses them,
// checks their rights, looks for what is already there, stores the blobs and
// appends the entries.
//
// # What is true when
//
// A file is reported as added, known or revised only once that is durable: its
// blobs are flushed, then the entry that names them is appended, then the
// report is made. A file that is refused leaves nothing behind. Stopping at any
// moment, by cancelling the context or by losing power, loses nothing that was
// reported; running the same command again finishes the job, because a file
// that is already in the library is known by its hash.
//
// # Shape
//
// One goroutine finds, as many as there are cores parse and store, and one
// appends in batches, in the order in which files were found. Memory is bounded
// by the parsers' limits times the number of cores.
package intake

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"wenlan/internal/blob"
	"wenlan/internal/errs"
	"wenlan/internal/format"
	"wenlan/internal/record"
)

// Known is what intake asks of the catalogue, which must have followed the
// register to its end.
type Known interface {
	ByBlob(ctx context.Context, sha256 string) ([]int64, error)
	ByID(ctx context.Context, scheme, value string) ([]int64, error)
	ByKey(ctx context.Context, key string) ([]int64, error)
	Record(ctx context.Context, n int64) (*record.State, error)

	// BySources gives for each name and id the record that the source knows by it,
	// or nil, at the same places; Number, Files, Rights, Sources and MergedInto are filled in.
	BySources(ctx context.Context, asked []record.Source) ([]*record.State, error)
	// Alike gives for each description, by its marks, the records that look the same; of the
	// states what record.SameEdition and record.EditionIDs look at, Files, Rights and Sources.
	Alike(ctx context.Context, asked []record.Marks) ([][]record.Match, error)
	// Said is what one source says of a record: what its next patch applies to.
	Said(ctx context.Context, n int64, source string) (said record.Record, ok bool, err error)
	// Layers is what each source says of a record; see record.Layers.
	Layers(ctx context.Context, n int64) ([]record.Layer, error)
}

// Appender appends entries; they are durable when it returns, and Known has
// followed.
type Appender interface {
	Append(ctx context.Context, entries [][]byte) (first int64, err error)
}

// BulkAppender appends for imports. Known has followed when it returns; other views may
// follow later.
type BulkAppender interface {
	// AppendWhole is Append; whole has what each entry decodes to, or nil. Neither
	// changes any more.
	AppendWhole(ctx context.Context, entries [][]byte, whole []*record.Entry) (first int64, err error)
}

// plainBulk appends as other intakes do.
type plainBulk struct{ Appender }

func (p plainBulk) AppendWhole(ctx context.Context, entries [][]byte, _ []*record.Entry) (int64, error) {
	return p.Append(ctx, entries)
}

// Config joins an intake to its library.
type Config struct {
	Register Appender
	Bulk     BulkAppender // the same for imports; nil: Register
	Blobs    blob.Store
	Known    Known
	Keep     sync.Locker      // held from seeing that a batch's blobs are there until it is appended; who deletes blobs excludes it. May be nil
	Poppler  *format.Poppler  // makes covers of PDF files; nil: they go without
	Workers  int              // 0: one for each core
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: slog.Default
}

// Intake takes files in, and records in bulk. One [Intake.Add] runs at a time; others
// wait, and so does each batch of an [Intake.Import].
type Intake struct {
	cfg Config
	mu  sync.Mutex
}

// New makes an intake.
func New(cfg Config) *Intake {
	if cfg.Workers <= 0 {
		cfg.Workers = runtime.GOMAXPROCS(0)
	}
	if cfg.Bulk == nil {
		cfg.Bulk = plainBulk{cfg.Register}
	}
	if cfg.Keep == nil {
		cfg.Keep = new(sync.Mutex)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Intake{cfg: cfg}
}

// Status is what became of a file.
type Status string

const (
	Added       Status = "added"
	AlreadyHere Status = "known"        // nothing was appended
	Revised     Status = "revised"      // a known file, better described or with its rights now stated
	Refused     Status = "refused"      // see Outcome.Err
	NeedsRights Status = "needs-rights" // added, listed, not served
	Joined      Status = "joined"       // imports: a record that the library has from another source
	Deleted     Status = "deleted"      // imports: its source says that it is no more; a record that the library has stays as it is
)

// Outcome says what became of one file.
type Outcome struct {
	Input      string // the path as given, joined with the relative path
	Status     Status
	Record     int64   // the accession number; -1 where there is none
	Duplicates []int64 // records that look the same
	Warnings   []string
	Hints      []string // licences that the text mentions: for the librarian
	Err        error    // why it was refused
}

// Progress is how far an Add is.
type Progress struct {
	Done    int
	Total   int  // found so far
	Counted bool // Total is final
}

// Summary counts the outcomes of an Add or an Import.
type Summary struct {
	Added, Joined, Known, Revised, Refused, NeedsRights int
	Deleted                                             int   // records of an Import that their source says are no more
	Skipped                                             int   // files in folders that are not books in any form that is read
	Warned                                              int   // records of an Import with warnings
	Left                                                *Left // what an Import left aside; nil: nothing
}

// Left counts the records with a field that was not kept, by its name.
type Left struct {
	Fields map[string]int64 `json:"fields"` // of the first maxLeft names
	More   int64            `json:"more,omitempty"`
}

// maxLeft bounds the names in a Left.
const maxLeft = 1000

// note counts what was not kept of a record.
func (s *Summary) note(d *described) {
	if len(d.Warnings) > 0 {
		s.Warned++
	}
	if len(d.Left) > 0 && s.Left == nil {
		s.Left = &Left{Fields: map[string]int64{}}
	}
	for _, name := range d.Left {
		if _, ok := s.Left.Fields[name]; ok || len(s.Left.Fields) < maxLeft {
			s.Left.Fields[name]++
		} else {
			s.Left.More++
		}
	}
}

func (s *Summary) count(st Status) {
	switch st {
	case Added:
		s.Added++
	case AlreadyHere:
		s.Known++
	case Revised:
		s.Revised++
	case Joined:
		s.Joined++
	case Refused:
		s.Refused++
	case NeedsRights:
		s.NeedsRights++
	case Deleted:
		s.Deleted++
	}
}

// Limits of a batch: what is appended at once.
const (
	batchFiles = 64
	batchWait  = 300 * time.Millisecond
)

// Add takes in files and folders. Each file gives one call of report, in the
// order in which they were found, never two at once; progress may be nil.
//
// It fails as a whole, after what was reported, when the options make no sense
// (errs.Invalid), the context ends, or the library cannot be written to. A bad
// file does not fail it: see Summary.Refused.
func (in *Intake) Add(ctx context.Context, paths []string, opt Options, report func(Outcome), progress func(Progress)) (Summary, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	var sum Summary
	flags, err := opt.Rights(in.cfg.Now())
	if err != nil {
		return sum, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	var count counter
	type job struct {
		item item
		done chan *parsed
	}
	jobs := make(chan job, in.cfg.Workers)
	order := make(chan chan *parsed, batchFiles)
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		defer close(order)
		defer close(jobs)
		err := walk(ctx, paths, &count, func(it item) error {
			j := job{it, make(chan *parsed, 1)}
			select {
			case order <- j.done:
			case <-ctx.Done():
				return ctx.Err()
			}
			select {
			case jobs <- j:
			case <-ctx.Done():
				return ctx.Err()
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			cancel(err)
		}
	}()
	for range in.cfg.Workers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range jobs {
				j.done <- in.parse(ctx, j.item, flags)
			}
		}()
	}

	b := batch{in: in, sum: &sum, report: func(o Outcome) {
		sum.count(o.Status)
		count.done++
		report(o)
		if progress != nil {
			total, counted := count.found()
			progress(Progress{Done: count.done, Total: total, Counted: counted})
		}
	}}
	err = b.collect(ctx, order)
	cancel(err)
	for range order { // let the finder end
	}
	wg.Wait()
	sum.Skipped = count.skipped
	if err == nil {
		err = context.Cause(ctx)
		if err == context.Canceled {
			err = nil
		}
	}
	if err != nil {
		return sum, err
	}
	return sum, nil
}

// collect gathers parsed files in order and appends them batch by batch: when a
// batch is full, or when nothing more is ready for a while.
func (b *batch) collect(ctx context.Context, order <-chan chan *parsed) error {
	timer := time.NewTimer(batchWait)
	defer timer.Stop()
	var next <-chan *parsed // the oldest item that is not in the batch yet
	more := order           // nil while next is awaited
	for {
		timer.Reset(batchWait)
		select {
		case <-ctx.Done():
			return b.stop(ctx)
		case <-timer.C:
			if err := b.flush(ctx); err != nil {
				return err
			}
		case done, ok := <-more:
			if !ok {
				return b.flush(ctx)
			}
			next, more = done, nil
		case p := <-next:
			next, more = nil, order
			if err := b.add(ctx, p); err != nil {
				return err
			}
			if len(b.items) >= batchFiles {
				if err := b.flush(ctx); err != nil {
					return err
				}
			}
		}
	}
}

// stop appends what is ready when the work is interrupted.
func (b *batch) stop(ctx context.Context) error {
	if err := b.flush(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// refuse makes the outcome of a file that is not taken in.
func refuse(input string, err error) Outcome {
	if errs.KindOf(err) == errs.Internal {
		err = errs.New(errs.Refused, "%s: it cannot be read: %w", input, err)
	} else {
		err = errs.New(errs.Refused, "%s: %w", input, err)
	}
	return Outcome{Input: input, Status: Refused, Record: -1, Err: err}
}
