package main

import (
	"fmt"
	"io"
	"os"
	"os/signal"
)

// watchReload runs reload at each signal to reload, and says what came of it. stop
// ends that. Where the system has no such signal it does nothing.
func watchReload(stderr io.Writer, reload func() error) (stop func()) {
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
				if err := reload(); err != nil {
					fmt.Fprintf(stderr, "keyserver: not reloaded: %v\n", err)
				} else {
					fmt.Fprintln(stderr, "keyserver: token reloaded")
				}
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
