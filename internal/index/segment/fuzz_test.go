package segment

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math/rand/v2"
	"testing"

	"wenlan/internal/errs"
)

// mend makes the checksums of a segment right, so that what is behind them is read.
func mend(data []byte) []byte {
	data = bytes.Clone(data)
	at := len(data) - footerLen
	if at < 16 {
		return data
	}
	foot := data[at:]
	body, rows := binary.LittleEndian.Uint64(foot), binary.LittleEndian.Uint64(foot[8:])
	if body < uint64(at) && rows < 1000 && body+rows*sectionLen <= uint64(at) {
		crcs := data[int(body)+int(rows)*sectionLen : at]
		for lo := 0; lo < int(body) && len(crcs) >= 4; lo += blockSize {
			binary.LittleEndian.PutUint32(crcs, crc32.Checksum(data[lo:min(lo+blockSize, int(body))], castagnoli))
			crcs = crcs[4:]
		}
		binary.LittleEndian.PutUint32(foot[32:], crc32.Checksum(data[body:at], castagnoli))
	}
	binary.LittleEndian.PutUint32(foot[footerLen-4:], crc32.Checksum(foot[:footerLen-4], castagnoli))
	return data
}

// tryAll opens and reads what may be no segment at all.
func tryAll(t *testing.T, data []byte) {
	r, err := Open(data)
	if err != nil {
		if !errs.Is(err, errs.Corrupt) {
			t.Fatalf("Open: %v", err)
		}
		return
	}
	if r.docs > 1<<16 {
		return // larger than what is tested here; nothing was allocated for it
	}
	readAll(r, []string{"a", "b", "w12", "\ue000id7"})
	if err := r.Verify(); err != nil && !errs.Is(err, errs.Corrupt) {
		t.Fatalf("Verify: %v", err)
	}
	if err := r.Err(); err != nil && !errs.Is(err, errs.Corrupt) {
		t.Fatalf("Err: %v", err)
	}
	// What verifies can be merged, and then verifies too.
	var buf bytes.Buffer
	if r.Err() == nil {
		if err := Merge(&buf, []Input{{Reader: r}}); err != nil {
			t.Fatalf("Merge: %v", err)
		}
		m := open(t, buf.Bytes())
		if err := m.Verify(); err != nil {
			t.Fatalf("Verify after Merge: %v", err)
		}
	}
}

// FuzzOpen reads random and mutated segments, as they are and with their checksums made right.
func FuzzOpen(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 1))
	small(f, 2000)
	for _, n := range []int{0, 1, 5, 40, 200} {
		docs := randomDocs(rnd, n)
		for _, d := range docs {
			d.Tokens[Body] = d.Tokens[Body][:min(4, len(d.Tokens[Body]))]
		}
		f.Add(build(f, docs, n%2 == 0), uint32(100), byte(1), uint32(2000), byte(128))
	}
	f.Fuzz(func(t *testing.T, data []byte, at1 uint32, x1 byte, at2 uint32, x2 byte) {
		if len(data) > 0 {
			data = bytes.Clone(data)
			data[at1%uint32(len(data))] ^= x1
			data[at2%uint32(len(data))] ^= x2
		}
		tryAll(t, data)
		tryAll(t, mend(data))
	})
}

// TestHostile is FuzzOpen over many small changes, checksums made right.
func TestHostile(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 3))
	small(t, 3000)
	docs := randomDocs(rnd, 180)
	for _, d := range docs {
		d.Tokens[Body] = d.Tokens[Body][:min(4, len(d.Tokens[Body]))]
	}
	for _, positions := range []bool{true, false} {
		data := build(t, docs, positions)
		for range 3000 {
			bad := bytes.Clone(data)
			for range 1 + rnd.IntN(3) {
				bad[rnd.IntN(len(bad))] = byte(rnd.Uint32())
			}
			tryAll(t, mend(bad))
		}
	}
}

// FuzzRoundTrip: what goes in comes out, against the naive model.
func FuzzRoundTrip(f *testing.F) {
	f.Add(uint64(1), uint16(10), uint16(500), true)
	f.Add(uint64(2), uint16(300), uint16(100), false)
	f.Fuzz(func(t *testing.T, seed uint64, n, chunk uint16, positions bool) {
		small(t, int(chunk)+50)
		rnd := rand.New(rand.NewPCG(seed, 77))
		docs := randomDocs(rnd, int(n)%400)
		m := newModel(docs)
		r := open(t, build(t, docs, positions))
		compare(t, r, m, positions, true)
		for range min(50, len(m.words)) {
			w := m.words[rnd.IntN(len(m.words))]
			term, _ := r.Term(w)
			walk(t, r, term, m.terms[w], rnd)
		}
	})
}

// FuzzDoc makes documents of raw bytes: any word, any value.
func FuzzDoc(f *testing.F) {
	f.Add([]byte("one two\x00three\xff\xfe two"), int64(-5), int32(3), int16(-200))
	f.Fuzz(func(t *testing.T, raw []byte, record int64, part int32, year int16) {
		if len(raw) > 1<<16 {
			return
		}
		fields := bytes.Split(raw, []byte{0})
		docs := []*Doc{{Record: record, Part: part, Year: year, TitleKey: raw}, {Record: ^record, Part: -part}}
		for i, field := range fields {
			d := docs[i%2]
			for _, w := range bytes.Split(field, []byte{' '}) {
				d.Tokens[i%NumFields] = append(d.Tokens[i%NumFields], string(w))
			}
			d.Kind = string(field)
			d.Subjects = append(d.Subjects, d.Kind)
			d.Access = d.Subjects
		}
		compare(t, open(t, build(t, docs, true)), newModel(docs), true, true)
	})
}
