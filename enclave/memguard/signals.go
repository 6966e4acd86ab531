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

// CatchSignal waits for any of the signals in a goroutine, and then calls f, purges the
// session and ends the process with code 1. Without signals it waits for any except the
// one that the Go runtime sends itself, SIGURG on Unix. Calling CatchSignal again
// replaces both f and the signals; a signal that is no longer among them has its
// earlier effect again. Other handlers in the program receive the signals too.
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

// CatchInterrupt purges the session and ends the process with code 1 on an interrupt.
// It replaces an earlier [CatchSignal], and a later one replaces it.
func CatchInterrupt() { CatchSignal(func(os.Signal) {}, os.Interrupt) }

// wait handles the first signal, unless the catcher is replaced before.
func (c *catcher) wait() {
	for {
		select {
		case s := <-c.caught:
			c.run(s)
		case <-c.replaced:
			// One may have come just before.
			select {
			case s := <-c.caught:
				c.run(s)
			default:
			}
			return
		}
	}
}

// run runs the current function, which may be newer than c's.
func (c *catcher) run(s os.Signal) {
	if c.all && s == preemption {
		return
	}
	catching.Lock()
	handle := catching.now.handle
	catching.Unlock()
	handle(s)
	core.Exit(1)
}
