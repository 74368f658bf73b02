package register

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"wenlan/internal/record"
)

// witnessed makes a register with everything in it: two charters, a witness, a
// cosigned checkpoint, an erased entry, and partial copies of the past.
func witnessed(t testing.TB, dir string, n int) (*Register, Config, [][]byte) {
	t.Helper()
	ctx := context.Background()
	k := newKeys(t)
	wkey, wvkey, err := GenerateKeys("witness.example")
	if err != nil {
		t.Fatal(err)
	}
	cosigner, err := fnote.NewSignerForCosignatureV1(wkey)
	if err != nil {
		t.Fatal(err)
	}
	if wvkey, err = fnote.VKeyToCosignatureV1(wvkey); err != nil {
		t.Fatal(err)
	}
	want := [][]byte{k.entry0(t)}
	cfg := Config{Dir: dir, Signer: k.origin}
	r, err := Create(cfg, want[0])
	if err != nil {
		t.Fatal(err)
	}
	add := func(batch ...[]byte) {
		t.Helper()
		if _, err := r.Append(ctx, batch); err != nil {
			t.Fatal(err)
		}
		want = append(want, batch...)
	}
	c, err := NextCharter(r.Library(), r.Charters()[0])
	if err != nil {
		t.Fatal(err)
	}
	c.Witnesses, c.Quorum = []string{wvkey}, 1
	signed, err := SignCharter(c, k.trustee)
	if err != nil {
		t.Fatal(err)
	}
	add(encode(t, record.Entry{Type: record.TypeCharter, Note: string(signed)}))
	add(batchOf(2, 100)...)
	add(encode(t, record.Entry{Type: record.TypeErasure, Entries: []int64{40}, Ground: "a court"}))
	if err := r.Erase(ctx, []int64{40}); err != nil {
		t.Fatal(err)
	}
	want[40] = nil
	var stale []string
	keep := func() {
		t.Helper()
		for _, name := range partials(t, dir) {
			data, err := r.Resource(name)
			if err != nil {
				t.Fatal(err)
			}
			stale = append(stale, name, string(data))
		}
	}
	keep()
	add(batchOf(len(want), n-len(want)-3)...)
	keep()
	add(batchOf(len(want), 3)...)
	for i := 0; i < len(stale); i += 2 {
		name := filepath.Join(dir, stale[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(stale[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cosigned, err := note.Sign(&note.Note{Text: r.Published().note.Text}, cosigner)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.AddCosignatures(ctx, cosigned); err != nil {
		t.Fatal(err)
	}
	if c := r.Published().Cosignatures; len(c) != 1 || c[0].Name != "witness.example" || c[0].Time.IsZero() {
		t.Fatalf("cosignatures %+v", c)
	}
	return r, cfg, want
}

// TestFlippedBit flips bits in every file, every bit of the small ones, and
// expects Verify to name just that file.
func TestFlippedBit(t *testing.T) {
	dir := t.TempDir()
	_, cfg, _ := witnessed(t, dir, 256*257+300)
	if sum := verifyClean(t, cfg); sum.Erased != 1 || len(sum.Cosignatures) != 1 || sum.Library == "" {
		t.Fatalf("%+v", sum)
	}
	small := t.TempDir()
	_, smallCfg, _ := witnessed(t, small, 270)
	rng := rand.New(rand.NewPCG(1, 2))
	flip := func(dir string, cfg Config, name string, data []byte, at, bit int) {
		t.Helper()
		path := filepath.Join(dir, name)
		data[at] ^= 1 << bit
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		_, problems := verify(t, cfg, VerifyOptions{})
		data[at] ^= 1 << bit
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		found := false
		for _, p := range problems {
			found = found || p.Where == name
			// A damaged charter takes its witnesses and what it founds with it.
			if p.Where != name && !strings.HasPrefix(name, "charters/") {
				t.Errorf("bit %d of byte %d of %s: also %+v", bit, at, name, p)
			}
			if p.What == "" || p.Mend == "" {
				t.Errorf("%+v says too little", p)
			}
		}
		if !found {
			t.Errorf("bit %d of byte %d of %s was not found: %+v", bit, at, name, problems)
		}
	}
	for _, name := range filesOf(t, small) {
		data, err := os.ReadFile(filepath.Join(small, name))
		if err != nil {
			t.Fatal(err)
		}
		every := strings.HasPrefix(name, "charters/") || name == checkpointName
		for at := range data {
			if every || rng.IntN(150) == 0 || at < 3 || at == len(data)-1 {
				for bit := range 8 {
					if every || bit == at%8 {
						flip(small, smallCfg, name, data, at, bit)
					}
				}
			}
		}
	}
	files := filesOf(t, dir)
	for _, name := range files {
		level1 := strings.HasPrefix(name, "tile/1/") || strings.HasPrefix(name, "tile/2/")
		if !level1 && !strings.Contains(name, ".p/") && rng.IntN(len(files)/6) > 0 {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		flip(dir, cfg, name, data, rng.IntN(len(data)), rng.IntN(8))
	}
	verifyClean(t, cfg)
	verifyClean(t, smallCfg)
}

// TestVerifyFiles removes, cuts, lengthens and adds files.
func TestVerifyFiles(t *testing.T) {
	dir := t.TempDir()
	_, cfg, _ := witnessed(t, dir, 600)
	for _, name := range filesOf(t, dir) {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		stale := strings.Contains(name, ".p/") && !strings.HasSuffix(name, ".p/88") && name != "tile/1/000.p/2" || name == safeName // may be removed
		for what, content := range map[string][]byte{"removed": nil, "cut": data[:len(data)-1], "longer": append(bytes.Clone(data), 'x'), "empty": {}} {
			if content == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, content, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			if name == checkpointName && content == nil {
				if _, err := Verify(context.Background(), Config{Dir: dir}, VerifyOptions{}, func(Problem) {}); err == nil {
					t.Error("a missing checkpoint is no error")
				}
			} else if _, problems := verify(t, cfg, VerifyOptions{}); (len(problems) == 0) != (stale && content == nil) {
				t.Errorf("%s %s: %+v", name, what, problems)
			}
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, name := range []string{"extra", "tile/note.txt", "tile/0/1", "charters/9", "charters/x", "tile/0/000.p/300"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("?"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, problems := verify(t, cfg, VerifyOptions{}); len(problems) != 1 || problems[0].Where != name {
			t.Errorf("%s: %+v", name, problems)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	verifyClean(t, cfg)
}

// TestRepair mends every hash tile that can be computed, several at once.
func TestRepair(t *testing.T) {
	dir := t.TempDir()
	_, cfg, _ := witnessed(t, dir, 256*258+20)
	damaged := []string{"tile/0/003", "tile/0/257", "tile/1/000", "tile/1/001.p/2", "tile/0/258.p/20", "tile/2/000.p/1"}
	for i, name := range damaged {
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			err = os.Remove(path)
		} else {
			data[5] ^= 4
			err = os.WriteFile(path, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	sum, problems := verify(t, cfg, VerifyOptions{Repair: true})
	if sum.Repaired != int64(len(damaged)) || len(problems) != len(damaged) {
		t.Fatalf("%d mended: %+v", sum.Repaired, problems)
	}
	verifyClean(t, cfg)
}

func TestVerifyEach(t *testing.T) {
	dir := t.TempDir()
	_, cfg, want := witnessed(t, dir, 700)
	n := 0
	sum, _ := verify(t, cfg, VerifyOptions{Each: func(i int64, e []byte) error {
		if i != int64(n) || !bytes.Equal(e, want[i]) {
			return fmt.Errorf("entry %d", i)
		}
		n++
		return nil
	}})
	if n != 700 || sum.Entries != 699 || sum.Size != 700 {
		t.Errorf("%d entries seen, %+v", n, sum)
	}
}
