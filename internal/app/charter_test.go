package app

import (
	"bytes"
	"testing"

	"wenlan/internal/register"
)

// FuzzCharters reads what a trustee is sent: charters, and the head and the entries
// of a branch.
func FuzzCharters(f *testing.F) {
	log := register.NewLogName()
	_, origin, err := register.GenerateKeys(log)
	if err != nil {
		f.Fatal(err)
	}
	_, trustee, err := register.GenerateKeys("a")
	if err != nil {
		f.Fatal(err)
	}
	draft, err := register.DraftCharter(register.NewCharter(log, origin, []string{trustee}, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(draft)
	f.Add([]byte(`["a","b"]`))
	f.Add([]byte(`{"branch":"5-00","from":4,"entries":1}`))
	f.Add([]byte("e30=\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if list, err := parseCharters("x", data); err == nil {
			for _, c := range list {
				_, _ = InspectCharter(c, list)
			}
		}
		if head, err := parseBranch(data); err == nil && !isBranchID(head.ID) {
			t.Errorf("%q is taken as the id of a branch", head.ID)
		}
		next := int64(0)
		_ = eachEntry(bytes.NewReader(data), func(n int64, entry []byte) error {
			if n != next || entry != nil && len(entry) == 0 {
				t.Errorf("entry %d, not %d: %q", n, next, entry)
			}
			next++
			return nil
		})
	})
}
