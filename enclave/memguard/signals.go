package memguard

import (
	"os"
	"os/signal"
	"sync"

	"github.com/memkeep/memkeep/enclave/memguard/core"
)

// catching is the one catcher there is.
var catching struct {
	sync.Mutex
	now *catcher // nil until the first CatchSignal
}

// A catcher waits for signals, in a goroutine, until it is replaced.
type catcher struct {
	handle   func(os.Signal)
	caught   chan os.Signal
	replaced chan struct{}
	all      bool
}

// CatchSignal makes each of the signals, or any if none are given, run f, purge
// the session and end the process with code 1. Calling it again replaces both the
// function and the signals: one that is no longer among them does again what it
// did before. Handlers that the program has elsewhere stay, and get the signals
// too.
//
// Any signal is any but the one by which the Go runtime interrupts goroutines,
// SIGURG on Unix. While signals are caught there is one goroutine.
func CatchSignal(f func(os.Signal), signals ...os.Signal) {
	c := &catcher{
		handle: f,
		// Several may come at once; the first ends the process.
		caught:   make(chan os.Signal, 4),
		replaced: make(chan struct{}),
		all:      len(signals) == 0,
	}
	catching.Lock()
	defer catching.Unlock()
	old := catching.now
	catching.now = c
	// The new one first: no signal of both sets may find neither.
	signal.Notify(c.caught, signals...)
	if old != nil {
		signal.Stop(old.caught)
		close(old.replaced)
	}
	go c.wait()
}

// CatchInterrupt makes an interrupt purge the session and end the process with
// code 1. It replaces an earlier [CatchSignal], and a later one replaces it.
func CatchInterrupt() { CatchSignal(func(os.Signal) {}, os.Interrupt) }

// wait handles the first signal, unless the catcher is replaced before.
func (c *catcher) wait() {
	for {
		select {
		case s := <-c.caught:
			c.take(s)
		case <-c.replaced:
			// One may have come just before.
			select {
			case s := <-c.caught:
				c.take(s)
			default:
			}
			return
		}
	}
}

// take handles a signal with the function in force, which may be a newer one.
func (c *catcher) take(s os.Signal) {
	if c.all && s == preemption {
		return
	}
	catching.Lock()
	handle := catching.now.handle
	catching.Unlock()
	handle(s)
	core.Exit(1)
}
