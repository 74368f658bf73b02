package segment

import (
	"encoding/binary"
	"math"

	"wenlan/internal/errs"
)

// chunkData is a chunk of the dictionary, and what is counted of its common words.
type chunkData struct {
	post, pos, words, first []byte
	common                  []commonWord
	counts                  []byte
}

// commonWord is a common word, by its value in the dictionary, and where its counts start.
type commonWord struct {
	value uint64
	at    uint32
}

// chunkList writes the chunks, and what is where.
type chunkList struct {
	f    *writer
	rows []byte
	n    uint32

	common, counts []byte
}

func (l *chunkList) put(c chunkData) (chunkData, error) {
	l.rows = binary.LittleEndian.AppendUint64(l.rows, l.f.off)
	for _, b := range [][]byte{c.post, c.pos, c.words} {
		l.rows = binary.LittleEndian.AppendUint64(l.rows, uint64(len(b)))
		l.f.write(b)
	}
	l.rows = binary.LittleEndian.AppendUint32(l.rows, uint32(len(c.first)))
	l.rows = append(l.rows, c.first...)
	if uint64(len(l.counts)+len(c.counts)) > math.MaxUint32 {
		return c, errs.New(errs.TooLarge, "the counts of common words are too long for one segment")
	}
	for _, x := range c.common {
		l.common = binary.LittleEndian.AppendUint32(l.common, l.n)
		l.common = binary.LittleEndian.AppendUint32(l.common, uint32(len(l.counts))+x.at)
		l.common = binary.LittleEndian.AppendUint64(l.common, x.value)
	}
	l.counts = append(l.counts, c.counts...)
	l.n++
	return c, l.f.err
}

func (l *chunkList) finish() error {
	l.f.section(secChunks, append(binary.LittleEndian.AppendUint32(nil, l.n), l.rows...))
	if len(l.common) > 0 {
		l.f.section(secCommon, l.common)
		l.f.section(secCounts, l.counts)
	}
	return l.f.err
}

// endChunk gives the chunk away.
func (t *termWriter) endChunk() (err error) {
	if t.fst.words == 0 {
		return nil
	}
	t.fst.finish()
	t.words = t.fst.out
	t.chunkData, err = t.put(t.chunkData)
	t.post, t.pos, t.chunkData.common, t.counts = t.post[:0], t.pos[:0], t.chunkData.common[:0], t.counts[:0]
	t.fst.reset(t.words)
	return err
}
