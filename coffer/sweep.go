package coffer

import (
	"runtime"

	"github.com/memkeep/memkeep/internal/sigframe"
)

// A signal that lands inside the cipher leaves registers in ordinary memory:
// see the package sigframe. Whoever changes the shares sweeps that away.
//
// What the change itself may have left is on its own thread, which it stays
// on: two system calls. What operations may have left is on any thread, and is
// swept only if one ran since the last time, so that a coffer at rest disturbs
// nobody.

// sweeper is the part of a coffer that sweeps.
type sweeper struct {
	swept uint64       // operations until the last sweep; all lanes' locks protect it
	all   func() error // sigframe.Overwrite, or a test's
	own   func() error // sigframe.OverwriteOwn, or a test's
}

var realSweeper = sweeper{all: sigframe.Overwrite, own: sigframe.OverwriteOwn}

// exclusively runs f, which handles the shares, under all locks, and sweeps.
func (c *Coffer) exclusively(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ran, err := c.lockedOut(f)
	// A system that refuses (no /proc, a filter of system calls) leaves the
	// frames as they are until the next signal: no reason to fail what is done.
	if ran {
		_ = c.sweeper.all()
	} else {
		_ = c.sweeper.own()
	}
	return err
}

// lockedOut runs f under all locks, and reports whether operations ran since
// the last sweep.
func (c *Coffer) lockedOut(f func() error) (ran bool, err error) {
	c.lockAll()
	defer c.unlockAll()
	operations := uint64(0)
	for _, l := range c.lanes {
		operations += l.seals + l.opens
	}
	ran = operations != c.sweeper.swept
	c.sweeper.swept = operations
	if ran && !c.closed {
		c.clearLanes()
	}
	return ran, f()
}

// clearLanes wipes what is left in a state where an operation met memory that
// faults, such as a slice of a destroyed buffer, in a program that recovers from
// that. Any other operation leaves its state clear. The caller holds all locks.
func (c *Coffer) clearLanes() {
	for _, l := range c.lanes {
		l.state.Wipe()
	}
}
