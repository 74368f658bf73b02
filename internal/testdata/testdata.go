// Package testdata finds the real books, papers and records that tests run on.
// They are not part of the repository.
package testdata

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Dir is the folder of the test data: WENLAN_TESTDATA, else ../shared/data
// beside the repository. Where it is missing the test is skipped, but fails
// when CI=true.
func Dir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("WENLAN_TESTDATA")
	if dir == "" {
		_, self, _, _ := runtime.Caller(0)
		dir = filepath.Join(filepath.Dir(self), "..", "..", "..", "shared", "data")
	}
	if _, err := os.Stat(filepath.Join(dir, "SHA256SUMS")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no test data at %s (set WENLAN_TESTDATA)", dir)
		}
		t.Skipf("no test data at %s (set WENLAN_TESTDATA)", dir)
	}
	return dir
}
