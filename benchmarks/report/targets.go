package report

import (
	"fmt"
	"math"
)

// Names of lines that the targets speak of.
const (
	lineUse      = "memkeep Use"
	lineOpen     = "memkeep Open"
	lineMemkeep  = "memkeep"
	lineMemguard = "memguard"
	lineBare     = "bare"
)

// A Target is one of the project's own goals, and what this run says of it.
type Target struct {
	What          string
	Goal, Stretch string
	Measured      string
	Verdict       string // met, met with stretch, missed, or why there is none
}

// A bound is a goal for one figure.
type bound struct {
	what          string
	goal, stretch float64
	atLeast       bool
	unit          string
	measured      Spread
}

// Targets of the project: medians of the ratios within each repeat, for secrets
// of 32 bytes where no other size is named.
func Targets(r *Results) []Target {
	open := func(line string, size int) *Cell {
		return r.Find(Key{Workload: Open, Line: line, Size: size, Goroutines: 1})
	}
	seal := func(line string) *Cell { return r.Find(Key{Workload: Seal, Line: line, Size: 32, Goroutines: 1}) }
	parallel := func(line string, n int) *Cell {
		return r.Find(Key{Workload: Parallel, Line: line, Size: 32, Goroutines: n})
	}
	scaling := combine(func(ns []float64) float64 { return (ns[0] / ns[1]) / (ns[2] / ns[3]) },
		parallel(lineUse, 1), parallel(lineUse, 2), parallel(lineBare, 1), parallel(lineBare, 2))
	bounds := []bound{
		{"Use ÷ the bare cipher's open, its key schedule kept", 1.25, 1.0, false, "×", Ratio(open(lineUse, 32), open(lineBare, 32))},
		{"memguard's Open + Destroy ÷ Use", 200, 280, true, "×", Ratio(open(lineMemguard, 32), open(lineUse, 32))},
		{"memguard's Open + Destroy ÷ Open + Destroy", 25, 80, true, "×", Ratio(open(lineMemguard, 32), open(lineOpen, 32))},
		{"memguard's NewEnclave ÷ New", 100, 150, true, "×", Ratio(seal(lineMemguard), seal(lineMemkeep))},
		{"Use by 2 goroutines ÷ by 1, relative to the bare cipher's own scaling", 0.9, 1.0, true, "×", scaling},
		{"heap for each secret at rest", 80, 64, false, " B", heapPerSecret(r)},
	}
	var targets []Target
	for _, b := range bounds {
		targets = append(targets, b.judge())
	}
	targets = append(targets, lockedBytes(r))
	return append(targets, bound{"64 KiB secret: Use ÷ the bare cipher's open", 1.2, 1.05, false, "×",
		Ratio(open(lineUse, 65536), open(lineBare, 65536))}.judge())
}

func (b bound) judge() Target {
	sign := "≤ "
	if b.atLeast {
		sign = "≥ "
	}
	t := Target{What: b.what, Goal: sign + digits(b.goal) + b.unit, Stretch: sign + digits(b.stretch) + b.unit}
	if b.measured.N == 0 {
		t.Measured, t.Verdict = none, "not measured"
		return t
	}
	t.Measured = digits(b.measured.Median) + b.unit
	if b.measured.N > 1 {
		t.Measured += fmt.Sprintf(" (%s … %s)", digits(b.measured.Low), digits(b.measured.High))
	}
	reached := func(bound float64) bool {
		if b.atLeast {
			return b.measured.Median >= bound
		}
		return b.measured.Median <= bound
	}
	switch {
	case reached(b.stretch):
		t.Verdict = "met, stretch too"
	case reached(b.goal):
		t.Verdict = "met"
	default:
		t.Verdict = "**missed**"
	}
	return t
}

// heapPerSecret is that of the largest population, to a tenth of a byte: what
// else was allocated meanwhile is some kilobytes.
func heapPerSecret(r *Results) Spread {
	best := Spread{}
	for _, n := range r.Values(Populate, func(k Key) int { return k.Secrets }) {
		f := r.Find(Key{Workload: Populate, Line: lineMemkeep, Size: 32, Secrets: n}).footprint()
		if f != nil && f.Secrets == n {
			best = SpreadOf([]float64{math.Round(10*f.PerSecret()) / 10})
		}
	}
	return best
}

// lockedBytes compares the smallest and the largest population.
func lockedBytes(r *Results) Target {
	const most = 64 << 10
	t := Target{What: "locked bytes with few and with many secrets", Goal: "equal", Stretch: fmt.Sprintf("equal, ≤ %s B", count(most))}
	var counts []int
	for _, n := range r.Values(Populate, func(k Key) int { return k.Secrets }) {
		if f := r.Find(Key{Workload: Populate, Line: lineMemkeep, Size: 32, Secrets: n}).footprint(); f != nil && f.Secrets == n && f.Locked >= 0 {
			counts = append(counts, n)
		}
	}
	if len(counts) < 2 {
		t.Measured, t.Verdict = none, "not measured"
		return t
	}
	locked := func(n int) int64 {
		return r.Find(Key{Workload: Populate, Line: lineMemkeep, Size: 32, Secrets: n}).footprint().Locked
	}
	few, many := counts[0], counts[len(counts)-1]
	t.Measured = fmt.Sprintf("%s B with %s, %s B with %s", count(locked(few)), count(int64(few)), count(locked(many)), count(int64(many)))
	switch {
	case locked(few) != locked(many):
		t.Verdict = "**missed**"
	case locked(many) <= most:
		t.Verdict = "met, stretch too"
	default:
		t.Verdict = "met"
	}
	return t
}
