package harness

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/memkeep/memkeep/benchmarks/contenders"
	"github.com/memkeep/memkeep/benchmarks/report"
	"github.com/memkeep/memkeep/benchmarks/workload"
)

// processes are the children of one group.
type processes map[processKey]*process

func (ps processes) end() {
	for key, p := range ps {
		// What a large population leaves is the system's to clean up.
		wait := 5 * time.Second
		if key.secrets > 0 {
			wait = 0
		}
		_ = p.end(wait) // all its answers are in
		delete(ps, key)
	}
}

// group measures the cells of one group: in each repeat all of them once, in an
// order of its own.
func (r *runner) group(ctx context.Context, g group) error {
	ps := processes{}
	defer func() { ps.end() }()
	r.add(cellsBut(g.cells, purges))
	defer func() { r.add(cellsBut(g.cells, others)) }()
	if g.once != nil {
		if err := r.populate(ctx, g, ps); err != nil {
			return err
		}
	}
	for _, part := range []func(*cell) bool{others, purges} {
		cells := filter(g.cells, part)
		for repeat := range r.Repeats * max(1, g.times) {
			for _, i := range r.turn(g, cells) {
				r.progress.Begin(describe(cells[i]))
				if err := r.measure(ctx, g, ps, cells[i], repeat); err != nil {
					return err
				}
			}
			if g.fresh {
				ps.end()
			}
		}
	}
	return nil
}

// turn is the order of one repeat: drawn, and with what belongs together together.
func (r *runner) turn(g group, cells []*cell) []int {
	order := r.order.Perm(len(cells))
	if g.together == nil {
		return order
	}
	rank := map[report.Key]int{}
	for _, i := range order {
		if k := g.together(cells[i]); rank[k] == 0 {
			rank[k] = len(rank) + 1
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return rank[g.together(cells[a])] - rank[g.together(cells[b])] })
	return order
}

// Purges come last, since nothing opens afterwards.
func purges(c *cell) bool { return c.request.Op == workload.OpPurge }
func others(c *cell) bool { return !purges(c) }

func filter(cells []*cell, keep func(*cell) bool) []*cell {
	var kept []*cell
	for _, c := range cells {
		if keep(c) {
			kept = append(kept, c)
		}
	}
	return kept
}

func cellsBut(cells []*cell, drop func(*cell) bool) []*cell {
	return filter(cells, func(c *cell) bool { return !drop(c) })
}

// populate starts the processes of the group and has them seal their secrets.
func (r *runner) populate(ctx context.Context, g group, ps processes) error {
	done := map[processKey]bool{}
	for _, c := range g.cells {
		if done[c.key()] {
			continue
		}
		done[c.key()] = true
		once := g.once(c)
		r.add([]*cell{once})
		r.progress.Begin(describe(once))
		if once.Error != "" {
			continue
		}
		p, err := start(ctx, c.contender.Name, c.Limit)
		if err != nil {
			return err
		}
		ps[c.key()] = p
		s, err := p.ask(ctx, once.request, r.Patience+r.Hang)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if s.Footprint != nil {
			r.record(once, 0, s)
		}
		if err != nil {
			once.Error = err.Error()
			_ = p.end(0)
			delete(ps, c.key())
			fail(g.cells, c.key(), "not all secrets could be sealed: "+err.Error())
		}
	}
	return nil
}

// fail ends all cells that run in the process.
func fail(cells []*cell, key processKey, why string) {
	for _, c := range cells {
		if c.key() == key && c.Error == "" {
			c.Error = why
		}
	}
}

// measure takes one sample of the cell, in its process, which it starts if need
// be. A cell that failed once is not measured again.
func (r *runner) measure(ctx context.Context, g group, ps processes, c *cell, repeat int) error {
	if c.Error != "" {
		return nil
	}
	p := ps[c.key()]
	if p == nil {
		var err error
		if p, err = start(ctx, c.contender.Name, c.Limit); err != nil {
			return err
		}
		ps[c.key()] = p
	}
	s, err := p.ask(ctx, c.request, c.request.For+r.patience(c.contender.Name))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var gone *goneError
	switch {
	case errors.As(err, &gone):
		delete(ps, c.key())
		c.Error = err.Error()
		if g.once != nil {
			fail(g.cells, c.key(), "its process was ended by another measurement: "+err.Error())
		}
	case err != nil:
		c.Error = err.Error()
	default:
		r.record(c, repeat, s)
	}
	return nil
}

// patience is how much longer than its time a measurement may take. Of memkeep no hang
// is known, and a crowd of it takes long on a busy machine.
func (r *runner) patience(contender string) time.Duration {
	if contender == contenders.Memkeep {
		return time.Minute
	}
	return r.Hang
}

// describe names a cell for the progress.
func describe(c *cell) string {
	text := c.Workload + ": " + c.Line
	if c.Size > 0 {
		text += fmt.Sprintf(", %d bytes", c.Size)
	}
	if c.Goroutines > 1 {
		text += fmt.Sprintf(", %d goroutines", c.Goroutines)
	}
	if c.Secrets > 0 {
		text += fmt.Sprintf(", %d secrets", c.Secrets)
	}
	return text
}
