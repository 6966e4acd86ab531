package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/memkeep/memkeep/benchmarks/contenders"
	"github.com/memkeep/memkeep/benchmarks/report"
	"github.com/memkeep/memkeep/benchmarks/workload"
)

// A Progress is told how far the run is.
type Progress interface {
	// Total says how many measurements there will be.
	Total(n int)
	// Begin says that the next of them begins, or is passed over.
	Begin(what string)
}

type runner struct {
	Plan
	progress Progress
	results  *report.Results
	order    *rand.Rand
	rejected map[string]string // contenders that failed the check, and why
	merged   map[*report.Cell]*hdrhistogram.Histogram
}

// Run measures the plan. Contenders that break a promise are not timed; what
// fails is written down with its message, and the run goes on. The error is that
// of ctx, or of the machine.
func Run(ctx context.Context, p Plan, progress Progress) (*report.Results, error) {
	r := &runner{
		Plan:     p,
		progress: progress,
		results:  new(report.Results),
		order:    rand.New(rand.NewPCG(p.Seed, 0)),
		rejected: map[string]string{},
		merged:   map[*report.Cell]*hdrhistogram.Histogram{},
	}
	groups := p.groups()
	starts := 1
	eachContender(func(contenders.Line) { starts++ })
	total := len(contenders.All()) + len(contenders.Beside()) + starts*p.Repeats*firsts
	for _, g := range groups {
		total += len(g.cells)*p.Repeats*max(1, g.times) + len(g.populations())
	}
	progress.Total(total + p.Repeats) // those of the key server
	if err := r.check(ctx); err != nil {
		return nil, err
	}
	if p.Only == "" || p.Only == first {
		if err := r.first(ctx); err != nil {
			return nil, err
		}
	}
	for _, g := range groups {
		if err := r.group(ctx, g); err != nil {
			return nil, err
		}
	}
	if p.Only == "" || p.Only == keysGroup {
		if err := r.keyserver(ctx); err != nil {
			return nil, err
		}
	}
	for c, h := range r.merged {
		c.Merged = tailOf(h)
	}
	return r.results, nil
}

// populations returns one cell for each process that is populated.
func (g group) populations() map[processKey]*cell {
	firsts := map[processKey]*cell{}
	if g.once != nil {
		for _, c := range g.cells {
			if firsts[c.key()] == nil {
				firsts[c.key()] = c
			}
		}
	}
	return firsts
}

// check holds every contender to its promises.
func (r *runner) check(ctx context.Context) error {
	sizes := append([]int{1, 31}, r.Sizes...)
	for _, c := range append(contenders.All(), contenders.Beside()...) {
		r.progress.Begin("checking " + c.Name)
		entry := report.Contender{Name: c.Name, About: c.About, Module: c.Module, Skipped: c.Skipped}
		for _, way := range c.Ways {
			entry.Lines = append(entry.Lines, contenders.Line{Contender: c, Way: way}.Label())
		}
		if c.Skipped == "" {
			p, err := start(ctx, c.Name, 0)
			if err != nil {
				return err
			}
			s, err := p.ask(ctx, workload.Request{Op: workload.OpCheck, Sizes: sizes}, time.Minute)
			_ = p.end(5 * time.Second) // it was asked; how it ends is no matter
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				entry.Rejected = err.Error()
				r.rejected[c.Name] = err.Error()
			}
			if s.Note != "" {
				r.results.Environment.Backend = s.Note
			}
		}
		r.results.Contenders = append(r.results.Contenders, entry)
	}
	return nil
}

// firsts is how often more than others this is repeated: it takes milliseconds,
// and much of that is the system's starting of a process, which varies.
const firsts = 5

// first measures the time from the start of a process until it has opened its
// first secret. It is the parent that looks at the clock.
func (r *runner) first(ctx context.Context) error {
	cells := []*cell{{Cell: &report.Cell{Key: report.Key{Workload: report.First, Line: report.NobodysLine}}, contender: &contenders.Contender{Name: workload.Nobody}}}
	eachContender(func(l contenders.Line) {
		cells = append(cells, &cell{Cell: &report.Cell{Key: report.Key{Workload: report.First, Line: l.Name, Size: smallest}}, contender: l.Contender})
	})
	r.add(cells)
	for repeat := range r.Repeats * firsts {
		for _, i := range r.order.Perm(len(cells)) {
			c := cells[i]
			r.progress.Begin("time to the first secret")
			if c.Error != "" {
				continue
			}
			took, err := startToFirst(ctx, c.contender.Name)
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				c.Error = err.Error()
				continue
			}
			c.Samples = append(c.Samples, report.Sample{Repeat: repeat, Ops: 1, Ns: int64(took)})
		}
	}
	return nil
}

func startToFirst(ctx context.Context, name string) (time.Duration, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("hangs: no secret is open after 10 s"))
	defer cancel()
	cmd, err := command(ctx, name, 0)
	if err != nil {
		return 0, err
	}
	cmd.Env = append(cmd.Env, workload.EnvFirst+"=1")
	var stderr complaint
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	_, errRead := bufio.NewReader(out).ReadString('\n')
	took := time.Since(began)
	if err := cmd.Wait(); err != nil || errRead != nil {
		return 0, fmt.Errorf("dies: %s %w", stderr.reason(), errors.Join(err, context.Cause(ctx)))
	}
	return took, nil
}

// add puts cells among the results, but for those of rejected contenders, which
// are there with the reason.
func (r *runner) add(cells []*cell) {
	for _, c := range cells {
		if why := r.rejected[c.contender.Name]; why != "" {
			c.Error = "not timed: " + why
		}
		r.results.Cells = append(r.results.Cells, c.Cell)
	}
}

// record keeps a sample.
func (r *runner) record(c *cell, repeat int, s workload.Sample) {
	sample := report.Sample{Repeat: repeat, Ops: s.Ops, Ns: int64(s.Elapsed)}
	if s.Footprint != nil {
		f := report.Footprint(*s.Footprint)
		sample.Footprint = &f
	}
	if s.Histogram != nil {
		h, err := hdrhistogram.Decode(s.Histogram)
		if err != nil {
			c.Error = err.Error()
			return
		}
		sample.Tail = tailOf(h)
		if all := r.merged[c.Cell]; all != nil {
			all.Merge(h)
		} else {
			r.merged[c.Cell] = h
		}
	}
	c.Samples = append(c.Samples, sample)
}

func tailOf(h *hdrhistogram.Histogram) *report.Tail {
	return &report.Tail{
		Count: h.TotalCount(),
		P50:   h.ValueAtPercentile(50),
		P99:   h.ValueAtPercentile(99),
		P999:  h.ValueAtPercentile(99.9),
		Max:   h.Max(),
	}
}
