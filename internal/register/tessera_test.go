package register

import (
	"context"
	"testing"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// TestVerifyForeignLog verifies and reads a log that Tessera has written, with
// none of our charters and entries.
func TestVerifyForeignLog(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	signer, vkey := newKey(t, "example.com/log")
	key, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	driver, err := posix.New(ctx, posix.Config{Path: dir})
	if err != nil {
		t.Fatal(err)
	}
	opts := tessera.NewAppendOptions().WithCheckpointSigner(signer).
		WithBatching(256, 50*time.Millisecond).WithCheckpointInterval(200 * time.Millisecond)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, opts)
	if err != nil {
		t.Fatal(err)
	}
	var futures []tessera.IndexFuture
	for i := range 600 {
		futures = append(futures, appender.Add(ctx, tessera.NewEntry(testEntry(i))))
	}
	at := map[uint64]int{}
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 50*time.Millisecond)
	for i, f := range futures {
		index, _, err := awaiter.Await(ctx, f)
		if err != nil {
			t.Fatal(err)
		}
		at[index.Index] = i
	}
	if err := shutdown(ctx); err != nil {
		t.Fatal(err)
	}

	cfg := Config{Dir: dir, Verifier: key, Origin: "example.com/log"}
	var problems []Problem
	sum, err := Verify(ctx, cfg, VerifyOptions{Each: func(i int64, e []byte) error {
		if want := testEntry(at[uint64(i)]); string(e) != string(want) {
			t.Errorf("entry %d is %q, want %q", i, e, want)
		}
		return nil
	}}, func(p Problem) { problems = append(problems, p) })
	if err != nil || sum.Size != 600 || sum.Entries != 600 {
		t.Fatalf("%+v, %v", sum, err)
	}
	for _, p := range problems {
		if p.Where != ".state" { // Tessera's own notes
			t.Errorf("%+v", p)
		}
	}
	r, err := Open(cfg)
	if err != nil || r.Size() != 600 {
		t.Fatal(err)
	}
	if _, err := r.InclusionProof(300, 600); err != nil {
		t.Error(err)
	}
}
