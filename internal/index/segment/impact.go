package segment

import (
	"encoding/binary"
	"slices"
)

// impactTally finds the impacts of a block: for each mask the pairs of tf and length code that no other
// posting with that mask excels in both.
type impactTally struct {
	masks []uint8 // in the order of their first postings
	maxTF uint8
	place [256]uint8            // of each mask in masks
	least [][tallyTFs + 1]uint8 // by mask and tf, the last for all above: the least length code
	has   [][tallyTFs + 1]bool
	most  []uint8 // by mask: the greatest tf
}

// tallyTFs is up to which tf each has a place of its own.
const tallyTFs = 15

func (t *impactTally) reset() { t.masks, t.maxTF = t.masks[:0], 0 }

func (t *impactTally) add(mask, tf, length uint8) {
	k := int(t.place[mask])
	if k >= len(t.masks) || t.masks[k] != mask {
		k = len(t.masks)
		t.place[mask] = uint8(k)
		t.masks = append(t.masks, mask)
		if k == len(t.least) {
			t.least = append(t.least, [tallyTFs + 1]uint8{})
			t.has = append(t.has, [tallyTFs + 1]bool{})
			t.most = append(t.most, 0)
		}
		t.has[k], t.most[k] = [tallyTFs + 1]bool{}, 0
	}
	t.maxTF = max(t.maxTF, tf)
	t.most[k] = max(t.most[k], tf)
	i := min(int(tf), tallyTFs+1) - 1
	if !t.has[k][i] || length < t.least[k][i] {
		t.has[k][i], t.least[k][i] = true, length
	}
}

// impacts appends the impacts of the mask at k, at most maxPairs, by rising tf and length.
func (t *impactTally) impacts(k int, dst []Impact) []Impact {
	var all [tallyTFs + 1]Impact
	n := len(all)
	for i := tallyTFs; i >= 0; i-- {
		if !t.has[k][i] || n < len(all) && all[n].MinLen <= t.least[k][i] {
			continue
		}
		tf := uint8(i + 1)
		if i == tallyTFs {
			tf = t.most[k]
		}
		n--
		all[n] = Impact{t.masks[k], tf, t.least[k][i]}
	}
	out := all[n:]
	for len(out) > maxPairs { // join the two neighbours that lose least by it
		best, loss := 0, 0.0
		for i := range len(out) - 1 {
			x, y := out[i], out[i+1]
			l := min(float64(y.MaxTF)/float64(x.MaxTF), float64(1+LenOf(y.MinLen))/float64(1+LenOf(x.MinLen)))
			if i == 0 || l < loss {
				best, loss = i, l
			}
		}
		out[best+1].MinLen = out[best].MinLen
		out = slices.Delete(out, best, best+1)
	}
	return append(dst, out...)
}

// append appends the bounds of all that was added, as a block or a group has them.
func (t *impactTally) append(dst []byte) []byte {
	head := uint8(len(t.masks) - 1)
	if t.maxTF == 1 {
		head |= allOnes
	}
	dst = append(dst, head)
	var pairs [maxPairs]Impact
	for k := range t.masks {
		dst = append(dst, t.masks[k])
		was := uint8(0)
		impacts := t.impacts(k, pairs[:0])
		for i, x := range impacts {
			dst = append(dst, x.MinLen)
			if t.maxTF > 1 {
				more := uint64(0)
				if i+1 < len(impacts) {
					more = 1
				}
				dst = binary.AppendUvarint(dst, uint64(x.MaxTF-was)<<1|more)
				was = x.MaxTF
			}
		}
	}
	return dst
}
