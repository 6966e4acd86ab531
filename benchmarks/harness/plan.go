package harness

import (
	"runtime"
	"slices"
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
	Messages   []int         // for the cipher alone, in bytes
	Goroutines []int         // at once
	Crowds     []int         // of goroutines, for memkeep and the floor alone
	Secrets    []int         // at rest
	Growth     []int         // at rest, for memkeep and the floor alone
	Limit      int           // on locked memory, in bytes
	LimitCrowd []int         // of goroutines under the limit
	LimitMany  []int         // secrets at rest under the limit
	Patience   time.Duration // how long sealing all secrets may take
	Hang       time.Duration // beyond its time, after which a measurement counts as hanging
	Quick      bool
	Seed       uint64
	Only       string // one group of Groups; all if empty
}

// first is the group that is no group: see runner.first.
const first = "first"

// Groups are the names of the groups, in the order in which they run.
func Groups() []string {
	names := []string{first}
	for _, g := range Quick().groups() {
		if !slices.Contains(names, g.name) {
			names = append(names, g.name)
		}
	}
	return names
}

// Full is the plan whose results are published.
func Full() Plan {
	return Plan{
		Repeats:    10,
		Cell:       50 * time.Millisecond,
		Sizes:      []int{32, 256, 4096, 65536},
		Messages:   []int{1, 16, 32, 64, 128, 192, 256, 320, 384, 512, 768, 1024, 1536, 2048, 4096, 16384, 65536},
		Goroutines: []int{1, 2, 8, 64},
		Crowds:     []int{1000, 10_000},
		Secrets:    []int{10, 1000, 100_000},
		Growth:     []int{10, 1000, 100_000},
		Limit:      64 << 10,
		LimitCrowd: []int{100, 10_000, 100_000},
		LimitMany:  []int{1000, 100_000},
		Patience:   2 * time.Minute,
		Hang:       5 * time.Second,
	}
}

// Huge is the largest number of secrets that Growth can be asked for: ten millions
// take some seconds and a gigabyte each.
const Huge = 10_000_000

// Quick is a smoke run: everything once, nothing to rely on.
func Quick() Plan {
	return Plan{
		Repeats:    1,
		Cell:       2 * time.Millisecond,
		Sizes:      []int{32, 65536},
		Messages:   []int{32, 256, 1024, 65536},
		Goroutines: []int{1, 2, 8},
		Crowds:     []int{10_000},
		Secrets:    []int{10, 1000},
		Growth:     []int{10, 1000},
		Limit:      64 << 10,
		LimitCrowd: []int{100, 10_000},
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
	name  string
	cells []*cell
	// fresh processes for each repeat: where the system puts them is then not
	// the same in all repeats. Without, processes are kept, for what takes
	// long to set up.
	fresh bool
	// once is done by each process when it starts.
	once func(*cell) *cell
	// together, if any, is what cells have in common that are measured one right after
	// the other, for their ratios: what disturbs one then disturbs the others.
	together func(*cell) report.Key
	// times is how often each repeat is made, for what is to be exact: once if zero.
	times int
}

// A cell is what is asked, and where the answers go.
type cell struct {
	*report.Cell
	contender *contenders.Contender
	request   workload.Request
}

// key says which process a cell runs in.
func (c *cell) key() processKey {
	return processKey{c.contender.Name, c.request.Holder, c.Secrets, c.Limit}
}

type processKey struct {
	contender, holder string
	secrets, limit    int
}

// cell makes a cell of the line, with its key and request.
func (p Plan) cell(l contenders.Line, label string, k report.Key, r workload.Request) *cell {
	k.Line = label
	r.Way, r.Size, r.Goroutines, r.Secrets, r.Awake = l.Way, k.Size, k.Goroutines, k.Secrets, k.Awake
	if r.For == 0 {
		r.For = p.Cell
	}
	return &cell{Cell: &report.Cell{Key: k}, contender: l.Contender, request: r}
}

// Groups of the plan, in the order in which they run.
func (p Plan) groups() []group {
	groups := []group{p.headline(), p.cipher(), p.single(), p.parallel(), p.latency()}
	for _, n := range p.Secrets {
		groups = append(groups, p.many(n))
	}
	groups = append(groups, p.keys(), p.growth(), p.limit())
	for _, n := range p.LimitMany {
		groups = append(groups, p.limitMany(n))
	}
	if p.Only != "" {
		groups = slices.DeleteFunc(groups, func(g group) bool { return g.name != p.Only })
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

// headline is memkeep beside what its calls can't go below, all in one process, with
// that process alone and with another of its threads awake: revoking a page then
// interrupts the processor that it runs on.
func (p Plan) headline() group {
	g := group{name: "headline", fresh: true, times: 4, together: besidesLine}
	awake := []int{0}
	if runtime.GOMAXPROCS(0) > 1 {
		awake = append(awake, 1)
	}
	for _, size := range []int{smallest, 64 << 10} {
		for _, n := range awake {
			add := func(label, beside string, way contenders.Way, op workload.Op) {
				g.cells = append(g.cells, p.cell(memkeepLine(way), label,
					report.Key{Workload: report.Headline, Size: size, Goroutines: 1, Awake: n},
					workload.Request{Op: op, Contender: beside, For: p.Cell / 2}))
			}
			add(report.HeadUse, "", contenders.Use, workload.OpOpen)
			add(report.HeadBareOpen, contenders.Bare, contenders.Use, workload.OpOpen)
			add(report.HeadNew, "", contenders.Use, workload.OpSeal)
			add(report.HeadBareSeal, contenders.Bare, contenders.Use, workload.OpSeal)
			add(report.HeadOpen, "", contenders.Open, workload.OpOpen)
			if floor := contenders.Beside()[0]; floor.Skipped == "" {
				add(report.HeadFloorOpen, floor.Name, contenders.Open, workload.OpOpen)
				add(report.HeadFloorSeal, floor.Name, contenders.Open, workload.OpSeal)
			}
		}
	}
	return g
}

// besidesLine is a cell's key but for its line.
func besidesLine(c *cell) report.Key {
	k := c.Key
	k.Line = ""
	return k
}

// memkeepLine is memkeep in one of its ways.
func memkeepLine(way contenders.Way) contenders.Line {
	for _, l := range contenders.Lines() {
		if l.Name == contenders.Memkeep && l.Way == way {
			return l
		}
	}
	panic("harness: internal error: no line for memkeep")
}

// cipher is ours beside the one that is measured against, over sizes.
func (p Plan) cipher() group {
	g := group{name: "cipher", fresh: true, together: besidesLine}
	for _, size := range p.Messages {
		for _, op := range []struct {
			workload string
			op       workload.Op
		}{{report.CipherOpen, workload.OpCipherOpen}, {report.CipherSeal, workload.OpCipherSeal}} {
			for _, name := range []string{workload.OurCipher, workload.XCrypto} {
				g.cells = append(g.cells, p.cell(memkeepLine(contenders.Use), name,
					report.Key{Workload: op.workload, Size: size},
					workload.Request{Op: op.op, Cipher: name, For: p.Cell / 2}))
			}
		}
	}
	return g
}

func (p Plan) single() group {
	g := group{name: "sizes", fresh: true}
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
	g := group{name: "goroutines", fresh: true}
	for _, n := range p.Goroutines {
		each(func(l contenders.Line) {
			g.cells = append(g.cells, p.cell(l, l.Label(), report.Key{Workload: report.Parallel, Size: smallest, Goroutines: n}, workload.Request{Op: workload.OpOpen}))
		})
	}
	for _, n := range p.Crowds {
		each(func(l contenders.Line) {
			if l.Way == contenders.Use && (l.Name == contenders.Memkeep || l.Name == contenders.Bare) {
				g.cells = append(g.cells, p.cell(l, l.Label(), report.Key{Workload: report.Parallel, Size: smallest, Goroutines: n},
					workload.Request{Op: workload.OpOpen, For: crowdTime * p.Cell}))
			}
		})
	}
	return g
}

// crowdTime is how much longer than others a crowd is measured: each of its
// goroutines has its turn some times.
const crowdTime = 4

func (p Plan) latency() group {
	g := group{name: "latency", fresh: true}
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
	g := group{name: "mix", once: p.populateFirst(report.Populate)}
	cores := runtime.GOMAXPROCS(0)
	eachContender(func(l contenders.Line) {
		if n >= mixed {
			g.cells = append(g.cells, p.cell(l, l.Name, report.Key{Workload: report.Mix, Size: smallest, Goroutines: cores, Secrets: n},
				workload.Request{Op: workload.OpMix, For: 2 * p.Cell}))
		}
		if n == p.Secrets[len(p.Secrets)-1] {
			g.cells = append(g.cells, p.cell(l, l.Name, report.Key{Workload: report.MixLatency, Size: smallest, Goroutines: cores, Secrets: n},
				workload.Request{Op: workload.OpMix, Latency: true, For: 2 * p.Cell}))
		}
		purge := p.cell(l, l.Name, report.Key{Workload: report.Purge, Size: smallest, Secrets: n}, workload.Request{Op: workload.OpPurge})
		g.cells = append(g.cells, purge)
	})
	return g
}

// growth is ways of holding ever more secrets.
func (p Plan) growth() group {
	line := memkeepLine(contenders.Use)
	g := group{name: "growth", once: func(c *cell) *cell {
		return p.cell(line, c.request.Holder, report.Key{Workload: report.Growth, Size: smallest, Secrets: c.Secrets},
			workload.Request{Op: workload.OpPopulate, Holder: c.request.Holder, For: p.Patience})
	}}
	for _, n := range p.Growth {
		for _, holder := range workload.Holders() {
			add := func(workloadName string, op workload.Op) {
				g.cells = append(g.cells, p.cell(line, holder, report.Key{Workload: workloadName, Size: smallest, Goroutines: 1, Secrets: n},
					workload.Request{Op: op, Holder: holder}))
			}
			add(report.Hot, workload.OpHot)
			add(report.Any, workload.OpAny)
			if holder != workload.BareObjects {
				add(report.GrowthPurge, workload.OpPurge)
			}
		}
	}
	return g
}

// limit is opening under a limit on locked memory, from which no process is
// exempt.
func (p Plan) limit() group {
	g := group{name: "limit", fresh: true}
	for _, shape := range []struct{ size, goroutines int }{{smallest, 1}, {smallest, 64}, {16384, 1}} {
		each(func(l contenders.Line) {
			k := report.Key{Workload: report.LimitOpen, Size: shape.size, Goroutines: shape.goroutines, Limit: p.Limit}
			g.cells = append(g.cells, p.cell(l, l.Label(), k, workload.Request{Op: workload.OpOpen}))
		})
	}
	use := memkeepLine(contenders.Use)
	for _, n := range p.LimitCrowd {
		for _, yield := range []bool{false, true} {
			k := report.Key{Workload: report.LimitCrowd, Size: smallest, Goroutines: n, Limit: p.Limit}
			if yield {
				k.Workload = report.LimitYield
			}
			g.cells = append(g.cells, p.cell(use, use.Label(), k, workload.Request{Op: workload.OpOpen, Yield: yield, For: crowdTime * p.Cell}))
		}
	}
	return g
}

// limitMany is the mix over n secrets under the limit.
func (p Plan) limitMany(n int) group {
	g := group{name: "limit", once: p.populateFirst(report.LimitSeal)}
	eachContender(func(l contenders.Line) {
		k := report.Key{Workload: report.LimitMix, Size: smallest, Goroutines: runtime.GOMAXPROCS(0), Secrets: n, Limit: p.Limit}
		g.cells = append(g.cells, p.cell(l, l.Name, k, workload.Request{Op: workload.OpMix}))
	})
	return g
}
