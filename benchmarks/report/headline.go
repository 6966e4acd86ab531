package report

import (
	"fmt"
	"strings"
	"time"
)

// A headline is what the README says of one run: times, and ratios to what can't
// be gone below.
type headline struct{ Run }

func (h headline) cell(line string, size, awake int) *Cell {
	return h.Find(Key{Workload: Headline, Line: line, Size: size, Goroutines: 1, Awake: awake})
}

// against is a cell's time and its ratio to another's.
func (h headline) against(line, base string, size, awake int, of string) string {
	c := h.cell(line, size, awake)
	r := Ratio(c, h.cell(base, size, awake))
	if r.N == 0 {
		return none
	}
	return fmt.Sprintf("%s, %s %s", duration(c.Time().Median), ratio(r), of)
}

// use is Use beside the bare cipher; from processes of their own in runs from
// before there was a headline.
func (h headline) use(size, awake int) string {
	if s := h.against(HeadUse, HeadBareOpen, size, awake, "bare"); s != none || awake > 0 {
		return s
	}
	c := h.opened(lineUse, size)
	r := Ratio(c, h.opened(lineBare, size))
	if r.N == 0 {
		return none
	}
	return fmt.Sprintf("%s, %s bare", duration(c.Time().Median), ratio(r))
}

func (h headline) opened(line string, size int) *Cell {
	return h.Find(Key{Workload: Open, Line: line, Size: size, Goroutines: 1})
}

// open is Open beside its floor, or alone in runs from before there was one.
func (h headline) open(awake int) string {
	if s := h.against(HeadOpen, HeadFloorOpen, 32, awake, "floor"); s != none || awake > 0 {
		return s
	}
	return timeOf(h.opened(lineOpen, 32))
}

func (h headline) seal(size int) string {
	if s := h.against(HeadNew, HeadBareSeal, size, 0, "bare"); s != none {
		return s
	}
	return timeOf(h.Find(Key{Workload: Seal, Line: lineMemkeep, Size: size, Goroutines: 1}))
}

func timeOf(c *Cell) string {
	if c == nil || c.Time().N == 0 {
		return none
	}
	return duration(c.Time().Median)
}

// peer is how long a peer takes to open 32 bytes, or why there is no figure.
func (h headline) peer(line string) string {
	for _, c := range h.Contenders {
		for _, l := range c.Lines {
			switch cell := h.opened(line, 32); {
			case l != line:
			case c.Skipped != "":
				return "skipped: " + short(c.Skipped, 40)
			case c.Rejected != "":
				return "fails: " + short(c.Rejected, 40)
			case cell == nil || cell.Time().N == 0:
				return "fails"
			default:
				return timeOf(cell)
			}
		}
	}
	return none
}

// Section is what the README shows of the runs, in Markdown: a column for each
// processor. The folder is that of the results, as seen from the README.
func Section(runs []Run, folder string) string {
	var b strings.Builder
	b.WriteString("\n| 32 bytes, one goroutine |")
	for _, r := range runs {
		fmt.Fprintf(&b, " [%s](%s/%s) |", title(r.Processor), folder, r.Processor)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(runs)) + "\n")
	row := func(name string, of func(headline) string) {
		fmt.Fprintf(&b, "| %s |", name)
		for _, r := range runs {
			fmt.Fprintf(&b, " %s |", of(headline{r}))
		}
		b.WriteString("\n")
	}
	row("`Use`: decrypt, read, wipe", func(h headline) string { return h.use(32, 0) })
	row("… with another thread awake", func(h headline) string { return h.use(32, 1) })
	row("… 64 KiB", func(h headline) string { return h.use(64<<10, 0) })
	row("`Open`, read, `Destroy`", func(h headline) string { return h.open(0) })
	row("… with another thread awake", func(h headline) string { return h.open(1) })
	row("`New`", func(h headline) string { return h.seal(32) })
	row("… 64 KiB", func(h headline) string { return h.seal(64 << 10) })
	for _, peer := range peers(runs) {
		row(peer+": open, read, close", func(h headline) string { return h.peer(peer) })
	}
	b.WriteString("\n\"bare\" is x/crypto's `chacha20poly1305.NewX` with its key in ordinary memory; \"floor\" is that cipher and two bare calls of `mprotect` on a page. " +
		"They run in memkeep's process and take turns with it; ratios are medians of the ratios within each turn. " +
		"Below 1.00×, memkeep's cipher is the faster one.\n\n")
	for _, r := range runs {
		e := r.Environment
		fmt.Fprintf(&b, "- %s: %s, %s, commit %s.\n", title(r.Processor), e.Date.Format(time.DateOnly), e.Machine(), e.Commit)
	}
	fmt.Fprintf(&b, "\n![%s](%s/%s/%s)\n", timeBySizeTitle, folder, runs[0].Processor, timeBySizeFile)
	return b.String()
}

// peers are the lines of the runs that are not memkeep's and not the bare cipher.
func peers(runs []Run) []string {
	var names []string
	seen := map[string]bool{}
	for _, r := range runs {
		for _, c := range r.Contenders {
			for _, l := range c.Lines {
				if seen[l] || strings.HasPrefix(l, lineMemkeep+" ") || strings.HasPrefix(l, lineBare) || c.Name == lineFloor {
					continue
				}
				seen[l] = true
				names = append(names, l)
			}
		}
	}
	return names
}
