package blob_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"wenlan/internal/blob"
)

func TestPick(t *testing.T) {
	dir := t.TempDir()
	l := open(t, blob.LocalConfig{Roots: []string{dir}})
	if err := l.Pick(t.Context(), 10, func(string) (bool, error) { return false, errors.New("there is nothing") }); err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for i := range 8 {
		all[put(t, l, fmt.Append(nil, "blob ", i)).SHA256] = true
	}
	if err := l.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "foreign"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	err := l.Pick(t.Context(), 10_000, func(sha string) (bool, error) {
		if !all[sha] {
			return true, fmt.Errorf("%s was never put", sha)
		}
		seen[sha] = true
		return len(seen) == len(all), nil
	})
	if err != nil || len(seen) != len(all) {
		t.Errorf("%d of %d were picked: %v", len(seen), len(all), err)
	}
}
