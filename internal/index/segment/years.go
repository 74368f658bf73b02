package segment

import (
	"math"
	"sync"
)

// YearWindow is how many documents a bound of Reader.YearBounds is for.
const YearWindow = 1024

// YearBound is the least and the greatest year of some documents; those of unknown year
// aside. Where all are unknown Least is above Most.
type YearBound struct{ Least, Most int16 }

// yearBounds are found when they are asked for first.
type yearBounds struct {
	once sync.Once
	of   []YearBound
}

// YearBounds bounds the years of each YearWindow documents. Not to be changed.
func (r *Reader) YearBounds() []YearBound {
	r.years.once.Do(func() {
		years := r.Years()
		r.years.of = make([]YearBound, 0, (len(years)+YearWindow-1)/YearWindow)
		for len(years) > 0 {
			n := min(YearWindow, len(years))
			b := YearBound{math.MaxInt16, math.MinInt16}
			for _, y := range years[:n] {
				if y != 0 {
					b.Least, b.Most = min(b.Least, y), max(b.Most, y)
				}
			}
			r.years.of, years = append(r.years.of, b), years[n:]
		}
	})
	return r.years.of
}
