package keyset

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/bits"
	"os"
	"runtime"
	"sort"

	"wenlan/internal/durable"
	"wenlan/internal/errs"
)

const (
	magic    = "wlkeys1\n"
	trailer  = 24
	perSlot  = 32 // pairs to a slot of the directory, about
	maxSlots = 28 // bits of the directory
	wordSize = 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Run is a file of pairs, mapped. It is unmapped when nothing refers to it any
// more, so the file may be removed while it is read.
type Run struct {
	data  []byte
	pairs int
	bits  int // of the directory
	kw    int // bytes of a key
	nw    int // bytes of a number
	dir   []byte
}

// OpenRun maps a run. errs.Corrupt means that the file is none, or is cut; its
// checksum is looked at by Check. A pair that is damaged on the disk gives wrong
// answers, never a crash.
func OpenRun(path string) (*Run, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() < trailer || info.Size() > math.MaxInt {
		return nil, errs.New(errs.Corrupt, "%s is no run of keys", f.Name())
	}
	data, unmap, err := durable.Map(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", f.Name(), err)
	}
	r, err := newRun(data)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", f.Name(), err), unmap())
	}
	runtime.AddCleanup(r, func(unmap func() error) { _ = unmap() }, unmap)
	return r, nil
}

// newRun reads the trailer of a run.
func newRun(data []byte) (*Run, error) {
	bad := errs.New(errs.Corrupt, "this is no run of keys, or not a whole one")
	if len(data) < trailer || string(data[len(data)-len(magic):]) != magic {
		return nil, bad
	}
	end := data[len(data)-trailer:]
	n := binary.BigEndian.Uint64(end)
	r := &Run{data: data, bits: int(end[8]), kw: int(end[9]), nw: int(end[10])}
	if r.bits > maxSlots || r.kw != (64-r.bits+7)/8 || r.nw < 1 || r.nw > 8 || n > math.MaxUint32 {
		return nil, bad
	}
	slots := (int64(1)<<r.bits + 1) * 4
	if int64(n)*int64(r.kw+r.nw)+slots+trailer != int64(len(data)) {
		return nil, bad
	}
	r.pairs = int(n)
	r.dir = data[int64(n)*int64(r.kw+r.nw) : len(data)-trailer]
	return r, nil
}

// Pairs is how many there are, marks included.
func (r *Run) Pairs() int { return r.pairs }

// Check reads the whole run and says what is wrong with it: errs.Corrupt.
func (r *Run) Check() error {
	defer runtime.KeepAlive(r)
	end := r.data[len(r.data)-trailer:]
	if crc32.Checksum(r.data[:len(r.data)-12], castagnoli) != binary.BigEndian.Uint32(end[12:]) {
		return errs.New(errs.Corrupt, "a run of keys is damaged: its checksum is wrong")
	}
	return nil
}

// word reads w bytes at place i of the file; eight are there, as the directory and
// the trailer follow the pairs.
func (r *Run) word(i, w int) uint64 {
	return binary.BigEndian.Uint64(r.data[i:i+wordSize]) >> (64 - 8*w)
}

func (r *Run) slot(i uint64) int {
	return min(int(binary.BigEndian.Uint32(r.dir[4*i:])), r.pairs)
}

// low is the part of key i that the file has; number follows it.
func (r *Run) low(i int) uint64 { return r.word(i*(r.kw+r.nw), r.kw) }

func (r *Run) number(i int) (n int64, gone bool) {
	v := r.word(i*(r.kw+r.nw)+r.kw, r.nw)
	runtime.KeepAlive(r)
	return int64(v >> 1), v&1 == 1
}

// suffix is the part of a key that the pairs have.
func (r *Run) suffix(key uint64) uint64 {
	if r.kw == 8 {
		return key
	}
	return key & (1<<(8*r.kw) - 1)
}

// find gives the places of the pairs with a key.
func (r *Run) find(key uint64) (from, to int) {
	slot := key >> (64 - r.bits)
	lo, end := r.slot(slot), r.slot(slot+1)
	want := r.suffix(key)
	for hi := end; lo < hi; {
		mid := int(uint(lo+hi) >> 1)
		if r.low(mid) < want {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	to = lo
	if to < end && r.low(to) == want { // most keys have one number
		to++
		to += sort.Search(end-to, func(i int) bool { return r.low(to+i) != want })
	}
	runtime.KeepAlive(r)
	return lo, to
}

// key is key i, whose first bits the directory has.
func (r *Run) key(i int) uint64 {
	lo, hi := uint64(0), uint64(1)<<r.bits // the last slot that begins at i or before it
	for lo+1 < hi {
		if mid := (lo + hi) / 2; r.slot(mid) <= i {
			lo = mid
		} else {
			hi = mid
		}
	}
	key := r.low(i)
	if r.bits > 0 {
		key = key&(1<<(64-r.bits)-1) | lo<<(64-r.bits)
	}
	runtime.KeepAlive(r)
	return key
}

// cursor reads a run from its start.
type cursor struct {
	r    *Run
	at   int
	slot uint64
}

func (c *cursor) next() (p Pair, ok bool) {
	r := c.r
	if c.at >= r.pairs {
		return p, false
	}
	for c.slot+1 < 1<<r.bits && r.slot(c.slot+1) <= c.at {
		c.slot++
	}
	p.Key = r.low(c.at)
	if r.bits > 0 {
		p.Key = p.Key&(1<<(64-r.bits)-1) | c.slot<<(64-r.bits)
	}
	p.N, p.Gone = r.number(c.at)
	c.at++
	return p, true
}

// Write merges parts of a set, recent before runs and the newest run first, into a
// run at path, which must not be there; with sync it is on the disk when Write
// returns, its folder's entry apart. last says that nothing is older, so that marks are
// left out. What a failed Write leaves is removed.
func Write(path string, recent []Pair, runs []*Run, last, sync bool) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			os.Remove(path)
		}
	}()
	if err := write(f, recent, runs, last); err != nil {
		return err
	}
	if sync {
		return f.Sync()
	}
	return nil
}

func write(f io.Writer, recent []Pair, runs []*Run, last bool) error {
	most, width := len(recent), 1
	for _, p := range recent {
		width = max(width, (bits.Len64(uint64(p.N))+8)/8) // a bit more for the mark
	}
	for _, r := range runs {
		most, width = most+r.pairs, max(width, r.nw)
	}
	if most > math.MaxUint32 {
		return errs.New(errs.TooLarge, "a run of %d keys is too long", most)
	}
	slots := min(bits.Len(uint(most/perSlot)), maxSlots)
	kw := (64 - slots + 7) / 8
	dir := make([]byte, 0, (1<<slots+1)*4)
	sum := crc32.New(castagnoli)
	w := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<18)
	m := newMerge(recent, runs)
	n := uint64(0)
	var pair [16]byte
	for p, ok := m.next(); ok; p, ok = m.next() {
		if p.Gone && last {
			continue
		}
		for slot := p.Key >> (64 - slots); uint64(len(dir)/4) <= slot; {
			dir = binary.BigEndian.AppendUint32(dir, uint32(n))
		}
		v := uint64(p.N) << 1
		if p.Gone {
			v |= 1
		}
		binary.BigEndian.PutUint64(pair[:], p.Key<<(64-8*kw))
		binary.BigEndian.PutUint64(pair[kw:], v<<(64-8*width))
		if _, err := w.Write(pair[:kw+width]); err != nil {
			return err
		}
		n++
	}
	for len(dir) < cap(dir) {
		dir = binary.BigEndian.AppendUint32(dir, uint32(n))
	}
	if _, err := w.Write(dir); err != nil {
		return err
	}
	end := binary.BigEndian.AppendUint64(nil, n)
	end = append(end, byte(slots), byte(kw), byte(width), 0)
	if _, err := w.Write(end); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := f.Write(append(binary.BigEndian.AppendUint32(nil, sum.Sum32()), magic...))
	return err
}
