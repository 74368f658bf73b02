package register

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
)

// TestForeignVerifier copies a register to another folder and has Tessera's
// client and fsck verify it there, then damages it and expects them to notice.
func TestForeignVerifier(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, cfg, want := library(t, nil, t.TempDir(), 256*257+77)
	dir := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.CopyFS(dir, os.DirFS(cfg.Dir)); err != nil {
		t.Fatal(err)
	}
	key, err := parseKey(mustParse(t, r.Charters()[0]).Origin)
	if err != nil {
		t.Fatal(err)
	}
	src := client.FileFetcher{Root: dir}
	hasher := func(bundle []byte) ([][]byte, error) {
		var b api.EntryBundle
		if err := b.UnmarshalText(bundle); err != nil {
			return nil, err
		}
		var hashes [][]byte
		for _, e := range b.Entries {
			hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(e))
		}
		return hashes, nil
	}
	check := func() error {
		// Each wrong file ends one of its workers, and without workers it hangs: so it
		// gets more than there are wrong files, and a deadline.
		done := make(chan error, 1)
		go func() { done <- fsck.New(r.Origin(), key, src, hasher, fsck.Opts{N: 16}).Check(ctx) }()
		select {
		case err := <-done:
			return err
		case <-time.After(20 * time.Second):
			return context.DeadlineExceeded
		}
	}
	if err := check(); err != nil {
		t.Fatalf("fsck: %v", err)
	}

	cp, _, _, err := client.FetchCheckpoint(ctx, src.ReadCheckpoint, key, r.Origin())
	if err != nil || int(cp.Size) != len(want) {
		t.Fatal(cp, err)
	}
	builder, err := client.NewProofBuilder(ctx, cp.Size, src.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []uint64{0, 300, 65536, cp.Size - 1} {
		p, err := builder.InclusionProof(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := r.InclusionProof(int64(i), r.Size())
		if err != nil || len(ours) != len(p) {
			t.Fatal(len(ours), len(p), err)
		}
		for j := range p {
			if !bytes.Equal(p[j], ours[j][:]) {
				t.Errorf("entry %d: another proof than ours", i)
			}
		}
		leaf := rfc6962.DefaultHasher.HashLeaf(want[i])
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, i, cp.Size, leaf, p, cp.Hash); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
		bundle, err := client.GetEntryBundle(ctx, src.ReadEntryBundle, i/256, cp.Size)
		if err != nil || !bytes.Equal(bundle.Entries[i%256], want[i]) {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	ours, err := r.ConsistencyProof(1000, r.Size())
	if err != nil {
		t.Fatal(err)
	}
	p, err := builder.ConsistencyProof(ctx, 1000, cp.Size)
	if err != nil || len(p) != len(ours) {
		t.Fatal(len(p), err)
	}
	for j := range p {
		if !bytes.Equal(p[j], ours[j][:]) {
			t.Error("another consistency proof than ours")
		}
	}

	for _, name := range []string{"tile/entries/100", "tile/0/100"} {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := check(); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a flipped bit in %s was not found: %v", name, err)
		}
		data[len(data)/2] ^= 1
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestForeignTracker has Tessera's client follow a growing register over HTTP,
// served by Resource: also with a checkpoint that is already old.
func TestForeignTracker(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, _, want := library(t, nil, t.TempDir(), 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		data, err := r.Resource(strings.TrimPrefix(req.URL.Path, "/"))
		if err != nil {
			http.NotFound(w, req)
			return
		}
		_, _ = w.Write(data)
	}))
	defer server.Close()
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	src, err := client.NewHTTPFetcher(u, server.Client())
	if err != nil {
		t.Fatal(err)
	}
	key, err := parseKey(mustParse(t, r.Charters()[0]).Origin)
	if err != nil {
		t.Fatal(err)
	}
	tracker, err := client.NewLogStateTracker(ctx, src.ReadTile, nil, key, r.Origin(), client.UnilateralConsensus(src.ReadCheckpoint))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 5, 240, 1, 255, 256, 700} {
		old := r.Size()
		if _, err := r.Append(ctx, batchOf(len(want), n)); err != nil {
			t.Fatal(err)
		}
		want = append(want, batchOf(len(want), n)...)
		if _, _, _, err := tracker.Update(ctx); err != nil {
			t.Fatalf("at %d: %v", r.Size(), err)
		}
		if int64(tracker.Latest().Size) != r.Size() {
			t.Fatal("the tracker stays behind")
		}
		// A client that still has the old checkpoint can finish.
		for i := uint64(0); i < uint64(old); i += 256 {
			b, err := client.GetEntryBundle(ctx, src.ReadEntryBundle, i/256, uint64(old))
			if err != nil || !bytes.Equal(b.Entries[0], want[i]) {
				t.Fatalf("bundle %d of a tree of %d: %v", i/256, old, err)
			}
		}
		if _, err := client.FetchRangeNodes(ctx, uint64(old), src.ReadTile); err != nil {
			t.Fatalf("tiles of a tree of %d: %v", old, err)
		}
	}
}
