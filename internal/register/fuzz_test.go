package register

import (
	"bytes"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

func FuzzParseCharter(f *testing.F) {
	k := newKeys(f)
	_, w := witnessKey(f, "w.example")
	first := k.charter()
	first.Addresses = []string{"https://library.example/"}
	first.Witnesses, first.Quorum = []string{w}, 1
	signed, err := SignCharter(first, k.trustee)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	next, err := NextCharter(LibraryID([]byte("x")), signed)
	if err != nil {
		f.Fatal(err)
	}
	next.Base = &Base{Size: 5}
	more, err := SignCharter(next, k.trustee)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(more)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCharter(data)
		if err != nil {
			return
		}
		again, err := note.Sign(&note.Note{Text: c.Text()}, k.trustee)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(data, []byte(c.Text()+"\n")) {
			t.Fatal("the text has two forms")
		}
		if _, err := ParseCharter(again); err != nil {
			t.Fatal(err)
		}
		for _, old := range [][]byte{nil, signed} {
			if v, err := VerifyCharter(old, data); err == nil && v.Text() != c.Text() {
				t.Fatal("verified something else")
			}
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	k := newKeys(f)
	key, err := parseKey(k.vkey)
	if err != nil {
		f.Fatal(err)
	}
	s, w := witnessKey(f, "w.example")
	witness, err := ParseWitness(w)
	if err != nil {
		f.Fatal(err)
	}
	signed, err := signCheckpoint(k.log, 77, [32]byte{1, 2}, k.origin)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	n, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		f.Fatal(err)
	}
	cosigned, err := note.Sign(n, s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(cosigned)
	f.Add([]byte("a\n1\nAAAA\n\n— a AAAAAAAA\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCheckpoint(data, k.log, key, witness)
		if err != nil {
			return
		}
		if c.Size != 77 || c.Root != [32]byte{1, 2} {
			t.Fatal("a forged checkpoint")
		}
		if exactCheckpoint(c, data) && !bytes.Equal(data, signed) && !bytes.Equal(data, cosigned) {
			// The same signatures may only be in another order, or fewer.
			if len(data) != len(cosigned) {
				t.Fatalf("another form of a checkpoint: %q", data)
			}
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	f.Add([]byte(nil), 0)
	f.Add([]byte{0, 1, 'x', 0, 0}, 2)
	f.Add([]byte{0, 1, 'x', 255, 255}, 2)
	f.Add(bundleOf(nil, nil, batchOf(0, 256)), 256)
	f.Fuzz(func(t *testing.T, data []byte, w int) {
		w = max(0, min(w, width))
		entries, err := parseBundle(data, w)
		cut, cutErr := cutBundle(data, w)
		if err != nil {
			return
		}
		if cutErr != nil || !bytes.Equal(cut, data) {
			t.Fatal("cut and parsed differently")
		}
		if !bytes.Equal(bundleOf(nil, nil, entries), data) {
			t.Fatal("a bundle has two forms")
		}
	})
}

func FuzzTilePath(f *testing.F) {
	for _, p := range []string{"tile/0/000", "tile/entries/x001/234.p/5", "tile/7/x999/x999/x999/x999/x999/x999/999", "tile/data/000"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		if tile, ok := parseTilePath(path); ok && (tilePath(tile) != path || tile.N < 0 || tile.W < 1 || tile.W > width) {
			t.Fatalf("%q is %+v", path, tile)
		}
	})
}

func FuzzParseFork(f *testing.F) {
	k := newKeys(f)
	charter, err := SignCharter(k.charter(), k.trustee)
	if err != nil {
		f.Fatal(err)
	}
	var notes []string
	for i := range byte(2) {
		signed, err := signCheckpoint(k.log, 77, [32]byte{1, i}, k.origin)
		if err != nil {
			f.Fatal(err)
		}
		notes = append(notes, string(signed))
	}
	good := &Fork{Key: k.vkey, Shorter: notes[0], Longer: notes[1], Root: [32]byte{1, 1}}
	data, err := good.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"key":"","proof":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fork, err := ParseFork(data)
		if err != nil {
			return
		}
		if fork.Verify([][]byte{charter}) == nil {
			// The keys of a fuzzing worker are its own: only its own seed can be right.
			for _, n := range []string{fork.Shorter, fork.Longer} {
				if !strings.HasPrefix(n, k.log+"\n77\n") {
					t.Fatalf("a forged proof: %q", data)
				}
			}
		}
		again, err := fork.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseFork(again); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzParseGround(f *testing.F) {
	g := groundState{library: LibraryID(nil), size: 5, instead: none}
	f.Add(g.text())
	g.instead = LibraryID([]byte("x"))
	f.Add(g.text())
	f.Add([]byte("5 9 AAAA\n"))
	b := Branch{From: 3, Size: 9}
	b.ID = branchID(b.Size, b.Root)
	f.Add(b.fromText())
	f.Fuzz(func(t *testing.T, data []byte) {
		if g, err := parseGroundState(data); err == nil && !bytes.Equal(g.text(), data) {
			t.Fatal("it has two forms")
		}
		if b, ok := parseFrom(branchID(b.Size, b.Root), data); ok && (b.From < 0 || b.From >= b.Size) {
			t.Fatal("a branch without entries")
		}
	})
}
