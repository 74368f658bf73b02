package segment

// Weights are what a search gives a posting: its reach is (Heavy[mask] + (tf-1)·Light[mask]) · Norm[length], each step rounded
// to 32 bits, with the mask cut to the fields that are asked for. It rises with tf, and falls, or stays, as the length rises.
type Weights struct{ Heavy, Light, Norm *[256]float32 }

// Of is the reach of a posting.
func (w *Weights) Of(mask, tf, length uint8) float32 {
	return float32(float32(w.Heavy[mask]+float32(float32(tf-1)*w.Light[mask])) * w.Norm[length])
}

// MaxReach bounds the reach of the postings of the block that BlockLast is of, and says whether all of them are in the
// fields, given as bits. It is what Impacts gives, summed up. Past the last block it is 0.
func (p *Postings) MaxReach(w *Weights, fields uint8) (most float32, all bool) {
	if p.sh >= p.nblk {
		return 0, true
	}
	if p.single {
		if len(p.own) == 0 {
			p.smallImpacts()
		}
		all = true
		for _, x := range p.own {
			if m := x.Mask & fields; m != 0 {
				most = max(most, w.Of(m, x.MaxTF, x.MinLen))
			} else {
				all = false
			}
		}
		return most, all
	}
	return p.maxReach(p.rawBounds(p.sh), w, fields)
}

// GroupReach is MaxReach of a group of blocks; of one that is not there it is 0.
func (p *Postings) GroupReach(group int, w *Weights, fields uint8) (most float32, all bool) {
	if group >= p.Groups() {
		return 0, true
	}
	return p.maxReach(p.groupBounds(group), w, fields)
}

// maxReach reads bounds, as bounds.impacts does.
func (p *Postings) maxReach(b []byte, w *Weights, fields uint8) (most float32, all bool) {
	var h bounds
	if !h.open(b) {
		p.damage()
		return 0, true
	}
	b, all = h.b, true
	for range h.masks {
		if len(b) < 2 || b[0] == 0 {
			p.damage()
			return 0, true
		}
		mask, length, tf := b[0]&fields, b[1], uint8(1)
		b = b[2:]
		if mask == 0 {
			all = false
		}
		if h.allOnes {
			most = max(most, w.Of(mask, 1, length))
			continue
		}
		tf = 0
		for i := 0; ; i++ {
			v, rest, ok := uvarint(b)
			if !ok || v>>1 == 0 || v>>1 > uint64(255-tf) || i == maxPairs {
				p.damage()
				return 0, true
			}
			tf += uint8(v >> 1)
			most = max(most, w.Of(mask, tf, length))
			b = rest
			if v&1 == 0 {
				break
			}
			if len(b) == 0 {
				p.damage()
				return 0, true
			}
			length, b = b[0], b[1:]
		}
	}
	return most, all
}
