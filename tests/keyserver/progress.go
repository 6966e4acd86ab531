package main

import (
	"fmt"
	"os"
	"sync"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// plainStep is how many steps there are from one plain line to the next, where
// the log is no terminal.
const plainStep = 10_000

// A progress tells how far work has come: with a bar on a terminal, with a
// plain line now and then elsewhere. It is safe for concurrent use.
type progress struct {
	out   *os.File
	bar   *progressbar.ProgressBar // nil where there is no terminal
	total int                      // negative if unknown
	what  string

	mu   sync.Mutex // protects done, and serialises lines
	done int
}

func newProgress(out *os.File, total int, what string) *progress {
	p := &progress{out: out, total: total, what: what}
	if term.IsTerminal(int(out.Fd())) {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(out),
			progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(),
			progressbar.OptionShowIts(),
			progressbar.OptionThrottle(100_000_000), // 100 ms
			progressbar.OptionClearOnFinish(),
		)
	}
	return p
}

// add says that one more step is done.
func (p *progress) add() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	switch {
	case p.bar != nil:
		// A terminal that can't be written to is no reason to stop.
		_ = p.bar.Add(1)
	case p.done%plainStep == 0 && p.total >= 0:
		fmt.Fprintf(p.out, "keyserver: %s: %d of %d\n", p.what, p.done, p.total)
	case p.done%plainStep == 0:
		fmt.Fprintf(p.out, "keyserver: %s: %d\n", p.what, p.done)
	}
}

// say writes a line beside the progress.
func (p *progress) say(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	fmt.Fprintln(p.out, "keyserver:", line)
}

// finish ends the progress, however far it came.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Exit()
		_ = p.bar.Clear()
	}
}
