package report

import (
	"math"
	"slices"
)

// A Spread is the middle and the quartiles of some figures.
type Spread struct {
	N                  int
	Median, Low, High  float64 // Low and High are the quartiles
	Smallest, Greatest float64
}

// SpreadOf returns the spread of the values, N 0 for none. Quartiles are
// interpolated.
func SpreadOf(values []float64) Spread {
	if len(values) == 0 {
		nan := math.NaN()
		return Spread{0, nan, nan, nan, nan, nan}
	}
	v := slices.Sorted(slices.Values(values))
	return Spread{
		N:        len(v),
		Median:   quantile(v, 0.5),
		Low:      quantile(v, 0.25),
		High:     quantile(v, 0.75),
		Smallest: v[0],
		Greatest: v[len(v)-1],
	}
}

func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	part := at - float64(i)
	return sorted[i]*(1-part) + sorted[i+1]*part
}

// Time is the spread of the cell's times for an operation, in ns. A nil cell
// has none.
func (c *Cell) Time() Spread {
	if c == nil {
		return SpreadOf(nil)
	}
	var v []float64
	for _, s := range c.Samples {
		if s.Ops > 0 {
			v = append(v, s.NsPerOp())
		}
	}
	return SpreadOf(v)
}

// Ratio is the spread of a ÷ b, in time for an operation, each taken within one
// repeat: what the machine did to both of them cancels out.
func Ratio(a, b *Cell) Spread {
	return combine(func(ns []float64) float64 { return ns[0] / ns[1] }, a, b)
}

// combine computes a figure from the cells' times in each repeat that all have.
func combine(f func(ns []float64) float64, cells ...*Cell) Spread {
	if slices.Contains(cells, nil) {
		return SpreadOf(nil)
	}
	var v []float64
	for _, first := range cells[0].Samples {
		ns := make([]float64, 0, len(cells))
		for _, c := range cells {
			for _, s := range c.Samples {
				if s.Repeat == first.Repeat && s.Ops > 0 {
					ns = append(ns, s.NsPerOp())
					break
				}
			}
		}
		if len(ns) == len(cells) {
			v = append(v, f(ns))
		}
	}
	return SpreadOf(v)
}

// footprint returns the cell's last one, nil if there is none.
func (c *Cell) footprint() *Footprint {
	if c == nil || len(c.Samples) == 0 {
		return nil
	}
	return c.Samples[len(c.Samples)-1].Footprint
}

// PerSecret is the heap for each secret, in bytes.
func (f *Footprint) PerSecret() float64 { return float64(f.Heap) / float64(f.Secrets) }
