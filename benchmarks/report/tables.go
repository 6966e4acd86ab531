package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// Print writes the whole run as tables.
func Print(out io.Writer, r *Results) {
	p := printer{out, r}
	p.environment()
	p.contenders()
	p.headline()
	p.cipher()
	p.times("Opening, reading and closing one secret, one goroutine", Open, func(k Key) string { return bytesOf(k.Size) })
	p.times("Sealing one secret, one goroutine", Seal, func(k Key) string { return bytesOf(k.Size) })
	p.parallel()
	p.tails("Latency of opening, reading and closing 32 bytes (the clock's time is part of it)", Latency,
		goroutines)
	p.times("Mix of 90% use, 9% open, 1% seal; Zipf choice of keys; 32 bytes; a goroutine for each processor", Mix, secrets)
	p.tails("Latency within the mix", MixLatency, secrets)
	p.keys()
	p.footprints()
	p.growth()
	p.times("Purge: all secrets made unreadable", Purge, secrets)
	p.first()
	p.times(fmt.Sprintf("Opening, reading and closing under a limit of %s on locked memory", p.limit()), LimitOpen,
		func(k Key) string { return bytesOf(k.Size) + ", " + goroutines(k) })
	p.times("The mix under that limit", LimitMix, secrets)
	p.crowds()
	p.targets()
}

func goroutines(k Key) string {
	if k.Goroutines == 1 {
		return "1 goroutine"
	}
	return fmt.Sprintf("%d goroutines", k.Goroutines)
}

func secrets(k Key) string { return count(int64(k.Secrets)) + " secrets" }

type printer struct {
	out io.Writer
	*Results
}

func (p printer) table(title string, header ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(p.out)
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = text.FormatDefault
	t.Style().Options.SeparateRows = false
	t.AppendHeader(table.Row(header))
	fmt.Fprintf(p.out, "\n%s\n", title)
	var configs []table.ColumnConfig
	for i := range header {
		if i >= 2 {
			configs = append(configs, table.ColumnConfig{Number: i + 1, Align: text.AlignRight})
		}
	}
	t.SetColumnConfigs(configs)
	return t
}

func (p printer) environment() {
	e := p.Environment
	fmt.Fprintf(p.out, "%s\n%s; %s; GOMAXPROCS %d; pages of %d bytes\n", e.Command, e.Machine(), e.Limit(), e.GOMAXPROCS, e.PageSize)
	fmt.Fprintf(p.out, "%s, commit %s; %d repeats of %v each, %v in all; load %s before, %s after; %.1f%% of the processors' time stolen\n",
		e.Date.Format(time.DateTime), e.Commit, e.Repeats, e.CellTime, e.Duration, e.Load(), e.LoadAfter, 100*e.StealShare)
	fmt.Fprintf(p.out, "Figures are medians over the repeats with their quartiles; ratios are medians of the ratios within each repeat.\n")
	if e.Quick {
		fmt.Fprintln(p.out, "THIS WAS A SMOKE RUN: its figures mean nothing.")
	}
}

// Load is the load before the run.
func (e Environment) Load() string { return e.LoadBefore }

func (p printer) contenders() {
	t := p.table("Who took part", "contender", "version", "what it is")
	t.SetColumnConfigs([]table.ColumnConfig{{Number: 3, WidthMax: 100, WidthMaxEnforcer: text.WrapSoft}})
	for _, c := range p.Results.Contenders {
		about := c.About
		if c.Skipped != "" {
			about = "SKIPPED: " + c.Skipped
		}
		if c.Rejected != "" {
			about = "NOT TIMED, it broke a promise: " + c.Rejected
		}
		t.AppendRow(table.Row{c.Name, c.Version, about})
	}
	t.Render()
}

// groups calls f for the cells of each case of a workload, in order.
func (p printer) groups(workload string, name func(Key) string, f func(name string, cells []*Cell)) {
	var order []string
	cells := map[string][]*Cell{}
	for _, c := range p.Cells {
		if c.Workload != workload {
			continue
		}
		n := name(c.Key)
		if cells[n] == nil {
			order = append(order, n)
		}
		cells[n] = append(cells[n], c)
	}
	for _, n := range order {
		f(n, cells[n])
	}
}

// like returns the cell that differs from c in its line alone.
func (p printer) like(c *Cell, line string) *Cell {
	k := c.Key
	k.Line = line
	return p.Find(k)
}

// times prints a time for each cell, with its ratios.
func (p printer) times(title, workload string, name func(Key) string) {
	t := p.table(title, "", "contender", "median", "quartiles", "÷ bare", "memguard ÷ it")
	p.groups(workload, name, func(name string, cells []*Cell) {
		for _, c := range cells {
			if len(c.Samples) > 0 {
				t.AppendRow(table.Row{name, c.Line, duration(c.Time().Median), quartiles(c.Time()),
					ratio(Ratio(c, p.like(c, lineBare))), ratio(Ratio(p.like(c, lineMemguard), c))})
			}
			p.failure(t, name, c, 6)
		}
		t.AppendSeparator()
	})
	t.Render()
}

// headline prints memkeep's calls beside what they can't go below.
func (p printer) headline() {
	t := p.table("memkeep beside the bare cipher and its floors, in one process, in turns", "", "", "median", "quartiles", "÷ bare", "÷ floor")
	h := headline{Run{Results: p.Results}}
	bases := map[string][2]string{HeadUse: {HeadBareOpen, ""}, HeadOpen: {HeadBareOpen, HeadFloorOpen}, HeadNew: {HeadBareSeal, HeadFloorSeal}}
	name := func(k Key) string {
		if k.Awake == 0 {
			return bytesOf(k.Size) + ", the process alone"
		}
		return bytesOf(k.Size) + ", another thread awake"
	}
	p.groups(Headline, name, func(name string, cells []*Cell) {
		for _, c := range cells {
			if len(c.Samples) > 0 {
				of := func(i int) string { return ratio(Ratio(c, h.cell(bases[c.Line][i], c.Size, c.Awake))) }
				t.AppendRow(table.Row{name, c.Line, duration(c.Time().Median), quartiles(c.Time()), of(0), of(1)})
			}
			p.failure(t, name, c, 6)
		}
		t.AppendSeparator()
	})
	t.Render()
}

// cipher prints our cipher beside the other, a row for each size.
func (p printer) cipher() {
	t := p.table("The cipher alone, one message again and again: ours, which puts its key together each time, and golang.org/x/crypto's with its key kept",
		"", "size", "open", "x/crypto", "÷", "quartiles", "seal", "x/crypto", "÷", "quartiles")
	for _, size := range p.Values(CipherOpen, func(k Key) int { return k.Size }) {
		row := table.Row{"", bytesOf(size)}
		for _, workload := range []string{CipherOpen, CipherSeal} {
			ours, theirs := p.Find(Key{Workload: workload, Line: LineCipher, Size: size}), p.Find(Key{Workload: workload, Line: lineXCrypto, Size: size})
			r := Ratio(ours, theirs)
			row = append(row, timeOf(ours), timeOf(theirs), ratio(r), digits(r.Low)+" … "+digits(r.High))
		}
		t.AppendRow(row)
	}
	t.Render()
}

// growth prints what ever more secrets cost.
func (p printer) growth() {
	t := p.table("Ever more secrets of 32 bytes: the time to seal one, to open one of 1,000 spread over all and any of all, what they take, and one garbage collection",
		"", "held as", "seal", "open 1,000", "open any", "bytes each", "GC: all processors", "GC: pause", "GC: from begin to end", "purge")
	p.groups(Growth, secrets, func(name string, cells []*Cell) {
		for _, c := range cells {
			if f := c.footprint(); f != nil {
				of := func(workload string) string {
					return timeOf(p.Find(Key{Workload: workload, Line: c.Line, Size: c.Size, Goroutines: 1, Secrets: c.Secrets}))
				}
				t.AppendRow(table.Row{name, c.Line, timeOf(c), of(Hot), of(Any), digits(f.PerSecret()), duration(float64(f.GCCPU)),
					duration(float64(f.GCPause)), duration(float64(f.GC)), of(GrowthPurge)})
			}
			p.failure(t, name, c, 10)
		}
		t.AppendSeparator()
	})
	t.Render()
}

// crowds prints many goroutines under the limit.
func (p printer) crowds() {
	t := p.table("Use of 32 bytes by many goroutines under that limit, and, where each lets others run while its secret is open, which they wait for", "", "contender", "time for each", "quartiles", "throughput")
	for _, workload := range []string{LimitCrowd, LimitYield} {
		p.groups(workload, goroutines, func(name string, cells []*Cell) {
			for _, c := range cells {
				if workload == LimitYield {
					name += ", yielding"
				}
				if len(c.Samples) > 0 {
					t.AppendRow(table.Row{name, c.Line, duration(c.Time().Median), quartiles(c.Time()), perSecond(c.Time().Median)})
				}
				p.failure(t, name, c, 5)
			}
		})
		t.AppendSeparator()
	}
	t.Render()
}

// failure appends a row with the message, if the cell failed, in place of
// figures or below them.
func (p printer) failure(t table.Writer, name string, c *Cell, width int) {
	if c.Error == "" {
		return
	}
	message := short(c.Error, 100)
	switch {
	case strings.HasPrefix(message, "has no "): // what it does not offer is no failure
	case len(c.Samples) > 0 && c.Workload != Populate && c.Workload != LimitSeal:
		message = fmt.Sprintf("FAILED after %d repeats: %s", len(c.Samples), message)
	default:
		message = "FAILED: " + message
	}
	row := table.Row{name, c.Line}
	for len(row) < width {
		row = append(row, message)
	}
	t.AppendRow(row, table.RowConfig{AutoMerge: true, AutoMergeAlign: text.AlignLeft})
}

// tails prints percentiles over all repeats together.
func (p printer) tails(title, workload string, name func(Key) string) {
	t := p.table(title, "", "contender", "p50", "p99", "p99.9", "max", "of calls")
	p.groups(workload, name, func(name string, cells []*Cell) {
		for _, c := range cells {
			if m := c.Merged; m != nil {
				t.AppendRow(table.Row{name, c.Line, duration(float64(m.P50)), duration(float64(m.P99)), duration(float64(m.P999)),
					duration(float64(m.Max)), count(m.Count)})
			}
			p.failure(t, name, c, 7)
		}
		t.AppendSeparator()
	})
	t.Render()
}

// parallel prints throughput, a column for each number of goroutines.
func (p printer) parallel() {
	counts := p.Values(Parallel, func(k Key) int { return k.Goroutines })
	header := []any{"", "contender"}
	for _, n := range counts {
		header = append(header, goroutines(Key{Goroutines: n}))
	}
	t := p.table("Opening, reading and closing 32 bytes from several goroutines: throughput, and in brackets the multiple of one goroutine's", header...)
	for _, line := range p.Lines(Parallel) {
		row := table.Row{"", line}
		one := p.Find(Key{Workload: Parallel, Line: line, Size: 32, Goroutines: counts[0]})
		for _, n := range counts {
			c := p.Find(Key{Workload: Parallel, Line: line, Size: 32, Goroutines: n})
			if c == nil {
				row = append(row, none)
				continue
			}
			if c.Error != "" {
				row = append(row, "FAILED: "+short(c.Error, 40))
				continue
			}
			row = append(row, fmt.Sprintf("%s (%s)", perSecond(c.Time().Median), ratio(Ratio(one, c))))
		}
		t.AppendRow(row)
	}
	t.Render()
}

// first prints what the first secret adds to the start of a process.
func (p printer) first() {
	t := p.table("From the start of a process until its first secret is open", "", "contender", "median", "quartiles", "more than the process alone")
	alone := p.Find(Key{Workload: First, Line: NobodysLine})
	for _, c := range p.Cells {
		if c.Workload != First {
			continue
		}
		if len(c.Samples) > 0 {
			more := combine(func(ns []float64) float64 { return ns[0] - ns[1] }, c, alone)
			t.AppendRow(table.Row{"", c.Line, duration(c.Time().Median), quartiles(c.Time()), duration(more.Median)})
		}
		p.failure(t, "", c, 5)
	}
	t.Render()
}

// footprints prints what populations take.
func (p printer) footprints() {
	t := p.table("Secrets of 32 bytes at rest, after as many were open at once as there are processors: what they take", "", "contender", "to seal one", "heap for each", "allocations", "locked", "mappings", "resident", "one GC takes")
	print := func(name string, cells []*Cell) {
		for _, c := range cells {
			if f := c.footprint(); f != nil && f.Secrets > 0 {
				each := func(total int64, unit string) string {
					if total < 0 {
						return none
					}
					return digits(float64(total)/float64(f.Secrets)) + unit
				}
				gc := none
				if f.GC >= 0 {
					gc = duration(float64(f.GC))
				}
				t.AppendRow(table.Row{name, c.Line, duration(c.Time().Median), each(f.Heap, " B"), each(f.Objects, ""), bytesOf(f.Locked),
					known(f.Mappings), mib(f.RSS), gc})
			}
			p.failure(t, name, c, 9)
		}
		t.AppendSeparator()
	}
	p.groups(Populate, secrets, print)
	p.groups(LimitSeal, func(k Key) string { return secrets(k) + ", limit " + bytesOf(k.Limit) }, print)
	t.Render()
}

func mib(n int64) string {
	if n < 0 {
		return none
	}
	return digits(float64(n)/(1<<20)) + " MiB"
}

func (p printer) limit() string {
	for _, n := range p.Values(LimitOpen, func(k Key) int { return k.Limit }) {
		return bytesOf(n)
	}
	return none
}

func (p printer) targets() {
	t := p.table("Targets, for secrets of 32 bytes where no other size is named", "", "what", "target", "stretch", "measured (quartiles)", "")
	for _, x := range Targets(p.Results) {
		t.AppendRow(table.Row{"", x.What, x.Goal, x.Stretch, x.Measured, x.Verdict})
	}
	t.Render()
}
