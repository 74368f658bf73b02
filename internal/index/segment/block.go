package segment

// bounds are those of a block: its masks, and their impacts.
type bounds struct {
	masks   int
	allOnes bool
	b       []byte
}

func (h *bounds) open(b []byte) bool {
	if len(b) < 3 {
		return false
	}
	h.masks, h.allOnes, h.b = int(b[0]&^allOnes)+1, b[0]&allOnes != 0, b[1:]
	return true
}

// impacts appends the impacts of each mask in turn.
func (h *bounds) impacts(dst []Impact) (out []Impact, ok bool) {
	b := h.b
	for range h.masks {
		if len(b) < 2 || b[0] == 0 {
			return dst, false
		}
		x := Impact{Mask: b[0], MinLen: b[1], MaxTF: 1}
		b = b[2:]
		if h.allOnes {
			dst = append(dst, x)
			continue
		}
		x.MaxTF = 0
		for i := 0; ; i++ {
			v, rest, ok := uvarint(b)
			if !ok || v>>1 == 0 || v>>1 > uint64(255-x.MaxTF) || i == maxPairs {
				return dst, false
			}
			x.MaxTF += uint8(v >> 1)
			dst = append(dst, x)
			b = rest
			if v&1 == 0 {
				break
			}
			if len(b) == 0 {
				return dst, false
			}
			x.MinLen, b = b[0], b[1:]
		}
	}
	return dst, true
}

// blockHead is the head of a block of a list in blocks.
type blockHead struct {
	bounds
	width      int
	tfWidth    int
	exceptions int
	docs       []byte // and what follows
	codes      []byte // masks and tfs; set when the documents are decoded
}

// parse reads the head of a block of n postings.
func (h *blockHead) parse(b []byte, n int) bool {
	if len(b) < 2 || h.masks > n {
		return false
	}
	h.width, h.tfWidth, h.exceptions, h.docs = int(b[0]&0x3f), 1<<(b[0]>>6), int(b[1]), b[2:]
	return h.width <= 32 && h.exceptions <= maxExceptions && len(h.docs) >= packedLen(n, h.width)
}

// decodeDocs decodes the documents, which are at least from and end with last.
func (h *blockHead) decodeDocs(out []uint32, from, last uint32) bool {
	unpack(h.docs, h.width, out)
	b := h.docs[packedLen(len(out), h.width):]
	for range h.exceptions {
		if len(b) == 0 {
			return false
		}
		i := b[0]
		high, rest, ok := uvarint(b[1:])
		if !ok || int(i) >= len(out) || high>>(32-h.width) != 0 {
			return false
		}
		out[i] |= uint32(high << h.width)
		b = rest
	}
	at := int64(last)
	for i := len(out) - 2; i >= 0; i-- {
		d := int64(out[i])
		out[i+1] = uint32(at)
		at -= d + 1
	}
	out[0] = uint32(at)
	if at < int64(from) {
		return false
	}
	codes, tfs := 0, 0
	if h.masks > 1 {
		codes = packedLen(len(out), byteWidth(uint8(h.masks-1)))
	}
	if !h.allOnes {
		tfs = packedLen(len(out), h.tfWidth)
	}
	h.codes = b
	return len(b) >= codes+tfs
}

// decodeMasks decodes the masks; decodeDocs was before.
func (h *blockHead) decodeMasks(out []uint8) bool {
	if h.masks == 1 {
		m := h.b[0]
		for i := range out {
			out[i] = m
		}
		return m != 0
	}
	unpackBytes(h.codes, byteWidth(uint8(h.masks-1)), out)
	var room [32]Impact
	impacts, ok := h.impacts(room[:0])
	var table [256]uint8
	k := 0
	for i, x := range impacts {
		if i == 0 || x.Mask != impacts[i-1].Mask {
			table[k&255] = x.Mask
			k++
		}
	}
	for i, c := range out {
		out[i] = table[c]
		ok = ok && table[c] != 0
	}
	return ok
}

// decodeTFs decodes the tfs; decodeDocs was before.
func (h *blockHead) decodeTFs(out []uint8) bool {
	if h.allOnes {
		for i := range out {
			out[i] = 1
		}
		return true
	}
	b := h.codes
	if h.masks > 1 {
		b = b[packedLen(len(out), byteWidth(uint8(h.masks-1))):]
	}
	unpackBytes(b, h.tfWidth, out)
	ok := true
	for i := range out {
		out[i]++
		ok = ok && out[i] != 0
	}
	return ok
}
