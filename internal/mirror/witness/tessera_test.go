package witness

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/register"
)

// TestTessera lets somebody else's log ask our witness: Tessera with the entries
// and the key of an origin, which publishes nothing that is not cosigned.
func TestTessera(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l := newLibrary(t, 1, 1)
	l.add(t, 299)
	m := l.patient(t, 0, 0)
	dir := t.TempDir()
	m.onWake = func() { // what is not published yet is there to be copied
		m.mu.Lock()
		signed := m.woken[len(m.woken)-1]
		m.mu.Unlock()
		err := m.reg.Extend(ctx, signed, func(ctx context.Context, fn func(context.Context, register.Get) error) error {
			return fn(ctx, func(_ context.Context, path string, _ int64) ([]byte, error) {
				return os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
			})
		}, register.ExtendOptions{})
		if err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	}
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(m.srv.URL + "/witness")
	if err != nil {
		t.Fatal(err)
	}
	w, err := tessera.NewWitness(l.cosigner[0].VKey(), at)
	if err != nil {
		t.Fatal(err)
	}
	opts := tessera.NewAppendOptions().WithCheckpointSigner(l.origin).WithBatching(256, 20*time.Millisecond).
		WithCheckpointInterval(100*time.Millisecond).WithWitnesses(tessera.NewWitnessGroup(1, w), nil)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = shutdown(ctx) }()
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 20*time.Millisecond)
	var last tessera.IndexFuture
	err = l.reg.Read(ctx, 0, l.reg.Size(), func(i int64, entry []byte) error {
		last = appender.Add(ctx, tessera.NewEntry(entry))
		if i == 0 { // in their order
			_, _, err := awaiter.Await(ctx, last)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	_, signed, err := awaiter.Await(ctx, last)
	if err != nil {
		t.Fatal(err)
	}
	for {
		n, err := note.Open(signed, note.VerifierList(l.cosigner[0].Verifier()))
		if err != nil || len(n.Sigs) != 1 {
			t.Fatalf("%v, %v", n, err)
		}
		if m.reg.Size() == 300 {
			break
		}
		time.Sleep(10 * time.Millisecond)
		if signed, err = reader.ReadCheckpoint(ctx); errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	if root, err := l.reg.RootHash(300); err != nil || root != m.reg.Published().Root {
		t.Errorf("%v, %v", root, err)
	}
}
