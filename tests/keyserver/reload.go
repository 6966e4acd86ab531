package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
)

// watchReload reloads the sources at each signal to do so, and says what came of it.
// stop ends that. Where the system has no such signal it does nothing.
func watchReload(stderr io.Writer, s *sources) (stop func()) {
	if len(reloadSignals) == 0 {
		return func() {}
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, reloadSignals...)
	stopped, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-signals:
				s.reload().say(stderr)
			case <-stopped:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(stopped)
		<-ended
	}
}

// say prints the outcome: first what stays as it was, and why, then a line that ends
// the report.
func (o outcome) say(out io.Writer) {
	for _, err := range o.errs {
		fmt.Fprintf(out, "keyserver: not reloaded, the old version stays in use: %v\n", err)
	}
	fmt.Fprintf(out, "keyserver: reloaded: read %d, changed %d, added %d, gone %d, failed %d\n",
		o.read, o.changed, o.added, o.gone, len(o.errs))
}
