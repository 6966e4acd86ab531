package harness

import (
	"runtime"
	"time"

	"github.com/memkeep/memkeep/benchmarks/contenders"
	"github.com/memkeep/memkeep/benchmarks/report"
	"github.com/memkeep/memkeep/benchmarks/workload"
)

// A Plan is how much is measured.
type Plan struct {
	Repeats    int           // of each measurement
	Cell       time.Duration // what one measurement takes
	Sizes      []int         // of secrets, in bytes
	Goroutines []int         // at once
	Secrets    []int         // at rest
	Flat       []int         // at rest, for memkeep alone
	Limit      int           // on locked memory, in bytes
	LimitMany  []int         // secrets at rest under the limit
	Patience   time.Duration // how long sealing all secrets may take
	Hang       time.Duration // beyond its time, after which a measurement counts as hanging
	Quick      bool
	Seed       uint64
}

// Full is the plan whose results are published.
func Full() Plan {
	return Plan{
		Repeats:    10,
		Cell:       50 * time.Millisecond,
		Sizes:      []int{32, 256, 4096, 65536},
		Goroutines: []int{1, 2, 4, 8, 16, 32, 64},
		Secrets:    []int{10, 1000, 100_000, 1_000_000},
		Flat:       []int{10, 1000, 100_000, 1_000_000, 10_000_000},
		Limit:      64 << 10,
		LimitMany:  []int{1000, 100_000},
		Patience:   2 * time.Minute,
		Hang:       5 * time.Second,
	}
}

// Quick is a smoke run: everything once, nothing to rely on.
func Quick() Plan {
	return Plan{
		Repeats:    1,
		Cell:       2 * time.Millisecond,
		Sizes:      []int{32, 65536},
		Goroutines: []int{1, 2, 8},
		Secrets:    []int{10, 1000},
		Flat:       []int{10, 1000},
		Limit:      64 << 10,
		LimitMany:  []int{1000},
		Patience:   5 * time.Second,
		Hang:       3 * time.Second,
		Quick:      true,
	}
}

// smallest is the size of the secrets wherever it is not what is varied.
const smallest = 32

// mixed are the populations that the mix runs over: with ten secrets there is
// no choice of keys to speak of.
const mixed = 1000

// A group is cells that are measured side by side. Each contender has a process
// for each population and limit in it.
type group struct {
	cells []*cell
	// fresh processes for each repeat: where the system puts them is then not
	// the same in all repeats. Without, processes are kept, for what takes
	// long to set up.
	fresh bool
	// once is done by each process when it starts.
	once func(*cell) *cell
}

// A cell is what is asked, and where the answers go.
type cell struct {
	*report.Cell
	contender *contenders.Contender
	request   workload.Request
}

// key says which process a cell runs in.
func (c *cell) key() processKey { return processKey{c.contender.Name, c.Secrets, c.Limit} }

type processKey struct {
	contender      string
	secrets, limit int
}

// cell makes a cell of the line, with its key and request.
func (p Plan) cell(l contenders.Line, label string, k report.Key, r workload.Request) *cell {
	k.Line = label
	r.Way, r.Size, r.Goroutines, r.Secrets = l.Way, k.Size, k.Goroutines, k.Secrets
	if r.For == 0 {
		r.For = p.Cell
	}
	return &cell{Cell: &report.Cell{Key: k}, contender: l.Contender, request: r}
}

// Groups of the plan, in the order in which they run.
func (p Plan) groups() []group {
	groups := []group{p.single(), p.parallel(), p.latency()}
	for _, n := range p.Secrets {
		groups = append(groups, p.many(n))
	}
	groups = append(groups, p.flat(), p.limit())
	for _, n := range p.LimitMany {
		groups = append(groups, p.limitMany(n))
	}
	return groups
}

// each runs f for each line that can run.
func each(f func(contenders.Line)) {
	for _, l := range contenders.Lines() {
		if l.Skipped == "" {
			f(l)
		}
	}
}

// eachContender runs f for each contender once: for what does not depend on
// the way of opening.
func eachContender(f func(contenders.Line)) {
	each(func(l contenders.Line) {
		if l.Way == l.Ways[0] {
			f(l)
		}
	})
}

func (p Plan) single() group {
	g := group{fresh: true}
	for _, size := range p.Sizes {
		each(func(l contenders.Line) {
			g.cells = append(g.cells, p.cell(l, l.Label(), report.Key{Workload: report.Open, Size: size, Goroutines: 1}, workload.Request{Op: workload.OpOpen}))
		})
	}
	for _, size := range p.Sizes {
		eachContender(func(l contenders.Line) {
			g.cells = append(g.cells, p.cell(l, l.Name, report.Key{Workload: report.Seal, Size: size, Goroutines: 1}, workload.Request{Op: workload.OpSeal}))
		})
	}
	return g
}

func (p Plan) parallel() group {
	g := group{fresh: true}
	for _, n := range p.Goroutines {
		each(func(l contenders.Line) {
			g.cells = append(g.cells, p.cell(l, l.Label(), report.Key{Workload: report.Parallel, Size: smallest, Goroutines: n}, workload.Request{Op: workload.OpOpen}))
		})
	}
	return g
}

func (p Plan) latency() group {
	g := group{fresh: true}
	for _, n := range []int{1, p.Goroutines[len(p.Goroutines)-1]} {
		each(func(l contenders.Line) {
			g.cells = append(g.cells, p.cell(l, l.Label(), report.Key{Workload: report.Latency, Size: smallest, Goroutines: n},
				workload.Request{Op: workload.OpOpen, Latency: true, For: 2 * p.Cell}))
		})
	}
	return g
}

// populateFirst makes a process seal its secrets before anything else.
func (p Plan) populateFirst(workloadName string) func(*cell) *cell {
	return func(c *cell) *cell {
		line := contenders.Line{Contender: c.contender, Way: c.contender.Ways[0]}
		return p.cell(line, c.contender.Name, report.Key{Workload: workloadName, Size: smallest, Secrets: c.Secrets, Limit: c.Limit},
			workload.Request{Op: workload.OpPopulate, For: p.Patience})
	}
}

// many is the mix over n secrets, and then the purge of them.
func (p Plan) many(n int) group {
	g := group{once: p.populateFirst(report.Populate)}
	cores := runtime.GOMAXPROCS(0)
	eachContender(func(l contenders.Line) {
		if n >= mixed {
			g.cells = append(g.cells,
				p.cell(l, l.Name, report.Key{Workload: report.Mix, Size: smallest, Goroutines: cores, Secrets: n},
					workload.Request{Op: workload.OpMix, For: 2 * p.Cell}),
				p.cell(l, l.Name, report.Key{Workload: report.MixLatency, Size: smallest, Goroutines: cores, Secrets: n},
					workload.Request{Op: workload.OpMix, Latency: true, For: 2 * p.Cell}))
		}
		purge := p.cell(l, l.Name, report.Key{Workload: report.Purge, Size: smallest, Secrets: n}, workload.Request{Op: workload.OpPurge})
		g.cells = append(g.cells, purge)
	})
	return g
}

// flat is memkeep alone, on ever more secrets, beside the floor.
func (p Plan) flat() group {
	g := group{once: p.populateFirst("flat: populate")}
	for _, n := range p.Flat {
		each(func(l contenders.Line) {
			if l.Name != contenders.Memkeep && l.Name != contenders.Bare {
				return
			}
			g.cells = append(g.cells,
				p.cell(l, l.Label(), report.Key{Workload: report.Hot, Size: smallest, Goroutines: 1, Secrets: n}, workload.Request{Op: workload.OpHot}),
				p.cell(l, l.Label(), report.Key{Workload: report.Any, Size: smallest, Goroutines: 1, Secrets: n}, workload.Request{Op: workload.OpAny}))
		})
	}
	return g
}

// limit is opening under a limit on locked memory, from which no process is
// exempt.
func (p Plan) limit() group {
	g := group{fresh: true}
	for _, shape := range []struct{ size, goroutines int }{{smallest, 1}, {smallest, 64}, {4096, 1}, {16384, 1}} {
		each(func(l contenders.Line) {
			k := report.Key{Workload: report.LimitOpen, Size: shape.size, Goroutines: shape.goroutines, Limit: p.Limit}
			g.cells = append(g.cells, p.cell(l, l.Label(), k, workload.Request{Op: workload.OpOpen}))
		})
	}
	return g
}

// limitMany is the mix over n secrets under the limit.
func (p Plan) limitMany(n int) group {
	g := group{once: p.populateFirst(report.LimitSeal)}
	eachContender(func(l contenders.Line) {
		k := report.Key{Workload: report.LimitMix, Size: smallest, Goroutines: runtime.GOMAXPROCS(0), Secrets: n, Limit: p.Limit}
		g.cells = append(g.cells, p.cell(l, l.Name, k, workload.Request{Op: workload.OpMix}))
	})
	return g
}
