package exec

import (
	"math"

	"wenlan/internal/index/segment"
)

// Model is the ranking function, BM25F. A word that a document has tf times in the fields
// of a mask gives
//
//	idf · (1 - 1/(1 + w/norm)),  w = heaviest + (tf-1)·lightest,
//	norm = K1 · (1 - B + B·length/average),
//	idf = ln(1 + (N - df + ½)/(df + ½))
//
// where heaviest and lightest are the greatest and the least weight of the mask's fields
// that were asked for, and length is the document's weighted length in tokens, quantised
// (segment.LenOf). It is BM25Similarity of Lucene 8 and later, with w in place of tf.
type Model struct {
	k1, b        float32
	heavy, light [256]float32 // by mask
}

// DefaultModel has k1 1.2, b 0.75 and the weights 8 (title), 5 (creators), 3 (about), 1
// (publisher, abstract, body), 10 (identifiers), 2 (readings).
var DefaultModel = NewModel(1.2, 0.75, [segment.NumFields]float32{
	segment.Title: 8, segment.Creators: 5, segment.About: 3, segment.Publisher: 1,
	segment.Abstract: 1, segment.ID: 10, segment.Reading: 2, segment.Body: 1,
})

// NewModel makes a model. All must be above 0, b at most 1; it panics otherwise, because
// these are constants of a program.
func NewModel(k1, b float32, weights [segment.NumFields]float32) *Model {
	if !(k1 > 0) || !(b > 0) || b > 1 {
		panic("exec: k1 or b")
	}
	m := &Model{k1: k1, b: b}
	for mask := 1; mask < 256; mask++ {
		light := float32(math.MaxFloat32)
		for f, w := range weights {
			if !(w > 0) {
				panic("exec: a weight")
			}
			if mask>>f&1 == 1 {
				m.heavy[mask], light = max(m.heavy[mask], w), min(light, w)
			}
		}
		m.light[mask] = light
	}
	return m
}

// scale is a model over the statistics of one snapshot.
type scale struct {
	*Model
	docs int64        // documents, the deleted ones included
	inv  [256]float32 // 1/norm, by length code
	avg  float64      // what inv was made for
	of   *Model

	weights segment.Weights // heavy, light and inv
}

func (s *scale) set(m *Model, segments []segment.View) {
	s.Model, s.docs = m, 0
	var sum uint64
	for i := range segments {
		s.docs += int64(segments[i].Docs())
		sum += segments[i].LengthSum()
	}
	avg := 1.0
	if s.docs > 0 && sum > 0 {
		avg = float64(sum) / float64(s.docs)
	}
	if s.of == m && s.avg == avg {
		return
	}
	s.of, s.avg = m, avg
	s.weights = segment.Weights{Heavy: &m.heavy, Light: &m.light, Norm: &s.inv}
	for c := range s.inv {
		length := float64(segment.LenOf(uint8(c)))
		s.inv[c] = float32(1 / (float64(m.k1) * (1 - float64(m.b) + float64(m.b)*length/avg)))
	}
}

func (s *scale) idf(df int64) float32 {
	df = min(df, s.docs)
	return float32(math.Log(1 + (float64(s.docs-df)+0.5)/(float64(df)+0.5)))
}

// score is what one posting gives. Every step is monotone in w and in inv, rounding
// included, so that the score of a bound is a bound of the scores.
func (s *scale) score(weight float32, mask, tf, length uint8) float64 {
	x := s.reach(mask, tf, length)
	return quantise(weight - float32(weight/(1+x)))
}

// reach is w/norm.
func (s *scale) reach(mask, tf, length uint8) float32 {
	return s.weights.Of(mask, tf, length)
}

// least is a reach below which no score comes up to thr, with a margin for rounding. It
// spares the division.
func least(weight float32, thr float64) float32 {
	switch w := float64(weight); {
	case thr <= 0:
		return 0
	case thr >= w*(1-1e-6):
		return 1e5
	default:
		return float32(thr / (w - thr) * (1 - 1e-4))
	}
}

// quantise rounds to a multiple of 2^-30, for scores below 2^21.
func quantise(x float32) float64 {
	const magic = 1 << 22
	return float64(float64(x)+magic) - magic
}
