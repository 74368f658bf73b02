package segment

import (
	"encoding/binary"
)

// Groups is how many groups of blocks the list has, each of GroupBlocks blocks, the last of at most so many. Short lists have
// none: 0.
func (p *Postings) Groups() int { return len(p.groups) / groupEntry }

// GroupBlocks is how many blocks are in a group.
const GroupBlocks = groupLen

// GroupImpacts appends to dst what bounds the score of the postings of a group, as Impacts does for a block; nothing when there is no such group.
func (p *Postings) GroupImpacts(group int, dst []Impact) []Impact {
	var h bounds
	from := len(dst)
	if group >= p.Groups() {
		return dst
	}
	if h.open(p.groupBounds(group)) {
		var ok bool
		if dst, ok = h.impacts(dst); ok {
			return dst
		}
	}
	p.damage()
	return dst[:from]
}

// groupBounds is the bytes of a group's bounds, and what follows; nil when there is damage.
func (p *Postings) groupBounds(group int) []byte {
	if at := binary.LittleEndian.Uint32(p.groups[group*groupEntry:]); uint64(at) < uint64(len(p.joined)) {
		return p.joined[at:]
	}
	return nil
}

// GroupLast is the last document of a group; NoMore when there is no such group.
func (p *Postings) GroupLast(group int) uint32 {
	if group >= p.Groups() {
		return NoMore
	}
	return p.last(min((group+1)*groupLen, p.nblk) - 1)
}

// GroupCount is the number of postings of a group; 0 when there is no such group.
func (p *Postings) GroupCount(group int) int {
	if group >= p.Groups() {
		return 0
	}
	lo, hi := p.before(group), uint32(p.df)
	if group+1 < p.Groups() {
		hi = p.before(group + 1)
	}
	if lo > hi || hi > uint32(p.df) {
		p.damage()
		return 0
	}
	return int(hi - lo)
}

func (p *Postings) before(group int) uint32 {
	return binary.LittleEndian.Uint32(p.groups[group*groupEntry+4:])
}
