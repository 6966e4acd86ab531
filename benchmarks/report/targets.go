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
	lineFloor    = "floor"

	// LineCipher is our cipher alone, lineXCrypto the one that it is measured against.
	LineCipher  = "internal/xchacha"
	lineXCrypto = "golang.org/x/crypto"
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
	h := headline{Run{Results: r}}
	head := func(line, base string, size, awake int) Spread {
		return Ratio(h.cell(line, size, awake), h.cell(base, size, awake))
	}
	parallel := func(line string, n int) *Cell {
		return r.Find(Key{Workload: Parallel, Line: line, Size: 32, Goroutines: n})
	}
	scaling := combine(func(ns []float64) float64 { return (ns[0] / ns[1]) / (ns[2] / ns[3]) },
		parallel(lineUse, 1), parallel(lineUse, 2), parallel(lineBare, 1), parallel(lineBare, 2))
	use := Ratio(h.opened(lineUse, 32), h.opened(lineBare, 32)) // of a run from before there was a headline
	if s := head(HeadUse, HeadBareOpen, 32, 0); s.N > 0 {
		use = s
	}
	var bounds []bound
	for _, size := range []int{32, 256, 1024, 65536} {
		goal := 1.0
		if size == 65536 {
			goal = 0.85
		}
		bounds = append(bounds, bound{"the cipher alone, open, " + bytesOf(size) + ": ours ÷ x/crypto", goal, 0.8, false, "×", r.cipherRatio(CipherOpen, size)})
	}
	bounds = append(bounds,
		bound{"the cipher alone, open or seal, whatever the size: ours ÷ x/crypto", 1.05, 1, false, "×", r.worstCipher()},
		bound{"Use ÷ the bare cipher, its key kept", 1.1, 0.95, false, "×", use},
		bound{"New ÷ the bare cipher into fresh memory", 1.1, 1, false, "×", head(HeadNew, HeadBareSeal, 32, 0)},
		bound{"New of 64 KiB ÷ fresh memory, the bare cipher and the wipe", 1.3, 1, false, "×", head(HeadNew, HeadFloorSeal, 65536, 0)},
		bound{"Open + Destroy ÷ its floor, the process alone", 1.05, 1, false, "×", head(HeadOpen, HeadFloorOpen, 32, 0)},
		bound{"Open + Destroy ÷ its floor, another thread awake", 1.05, 1, false, "×", head(HeadOpen, HeadFloorOpen, 32, 1)},
		bound{"Use by 2 goroutines ÷ by 1, relative to the bare cipher's own scaling", 0.9, 1.0, true, "×", scaling},
		bound{"Use of 16 KiB ÷ the bare cipher, under 64 KiB of locked memory", 3, 1, false, "×", r.underLimit()},
		bound{"Use by 10,000 goroutines ÷ by 100, under the same", 0.5, 0.9, true, "×", r.crowd(LimitCrowd, 10_000)},
		bound{"Use by 10,000 that yield while the secret is open ÷ by 100", 0.5, 0.9, true, "×", r.crowd(LimitYield, 10_000)},
		bound{"Use by 100,000 goroutines ÷ by 100", 0.3, 0.9, true, "×", r.crowd(LimitCrowd, 100_000)},
		bound{"Use by 100,000 that yield while the secret is open ÷ by 100", 0.3, 0.9, true, "×", r.crowd(LimitYield, 100_000)},
		bound{"heap for each secret at rest", 80, 64, false, " B", heapPerSecret(r)},
	)
	bounds = append(bounds, keyBounds(r)...)
	var targets []Target
	for _, b := range bounds {
		targets = append(targets, b.judge())
	}
	return append(targets, lockedBytes(r))
}

// cipherRatio is our cipher's time ÷ the other's, on messages of the size.
func (r *Results) cipherRatio(workload string, size int) Spread {
	return Ratio(r.Find(Key{Workload: workload, Line: LineCipher, Size: size}), r.Find(Key{Workload: workload, Line: lineXCrypto, Size: size}))
}

// worstCipher is the greatest of those medians.
func (r *Results) worstCipher() Spread {
	worst := Spread{}
	for _, workload := range []string{CipherOpen, CipherSeal} {
		for _, size := range r.Values(workload, func(k Key) int { return k.Size }) {
			if s := r.cipherRatio(workload, size); s.N > 0 && (worst.N == 0 || s.Median > worst.Median) {
				worst = s
			}
		}
	}
	return worst
}

// limit is the one limit on locked memory that the workload was measured under.
func (r *Results) limit(workload string) int {
	limits := r.Values(workload, func(k Key) int { return k.Limit })
	if len(limits) != 1 {
		return 0
	}
	return limits[0]
}

// underLimit is Use of 16 KiB ÷ the bare cipher where hardly more can be locked.
func (r *Results) underLimit() Spread {
	use := Key{Workload: LimitOpen, Line: lineUse, Size: 16 << 10, Goroutines: 1, Limit: r.limit(LimitOpen)}
	bare := use
	bare.Line = lineBare
	return Ratio(r.Find(use), r.Find(bare))
}

// crowd is the throughput of n goroutines ÷ that of 100.
func (r *Results) crowd(workload string, n int) Spread {
	few := Key{Workload: workload, Line: lineUse, Size: 32, Goroutines: 100, Limit: r.limit(workload)}
	many := few
	many.Goroutines = n
	return Ratio(r.Find(few), r.Find(many))
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
