package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/memkeep/memkeep/benchmarks/harness"
)

// newProgress returns a bar if out is a terminal, and plain lines otherwise.
func newProgress(out io.Writer) harness.Progress {
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &bar{out: out}
	}
	return &lines{out: out, began: time.Now()}
}

type bar struct {
	out io.Writer
	*progressbar.ProgressBar
}

func (b *bar) Total(n int) {
	b.ProgressBar = progressbar.NewOptions(n,
		progressbar.OptionSetWriter(b.out),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetElapsedTime(true),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish(),
	)
}

func (b *bar) Begin(what string) {
	b.Describe(fmt.Sprintf("%-70.70s", what))
	_ = b.Add(1) // a bar that can't be drawn is no reason to stop
}

// lines says every twentieth of the run what is measured.
type lines struct {
	out         io.Writer
	began       time.Time
	total, done int
	next        int // the line after so many measurements
}

func (l *lines) Total(n int) { l.total = n }

func (l *lines) Begin(what string) {
	if l.done >= l.next {
		fmt.Fprintf(l.out, "%4.0f s  %3d%%  %s\n", time.Since(l.began).Seconds(), 100*l.done/max(1, l.total), what)
		l.next += max(1, l.total/20)
	}
	l.done++
}
