package blob_test

import (
	"testing"

	"wenlan/internal/blob"
	"wenlan/internal/blob/blobtest"
	"wenlan/internal/durable"
)

func open(t testing.TB, cfg blob.LocalConfig) *blob.Local {
	t.Helper()
	l, err := blob.OpenLocal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func TestConformance(t *testing.T) {
	t.Run("one root", func(t *testing.T) {
		blobtest.Test(t, func(t *testing.T) blob.Store { return open(t, blob.LocalConfig{Roots: []string{t.TempDir()}}) })
	})
	t.Run("three roots, small batches", func(t *testing.T) {
		blobtest.Test(t, func(t *testing.T) blob.Store {
			return open(t, blob.LocalConfig{Roots: []string{t.TempDir(), t.TempDir(), t.TempDir()}, MaxPending: 3})
		})
	})
	t.Run("simulated disk", func(t *testing.T) {
		blobtest.Test(t, func(t *testing.T) blob.Store {
			return open(t, blob.LocalConfig{Roots: []string{"/a", "/b"}, FS: durable.NewSim(1)})
		})
	})
}
