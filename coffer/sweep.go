package coffer

import (
	"runtime"

	"github.com/memkeep/memkeep/internal/sigframe"
)

// exclusively runs f, which handles the shares, under all locks. Then it sweeps
// what signals left of the registers in ordinary memory: see package sigframe.
//
// What f may have left is on its own thread, which it stays on: two system
// calls. What operations may have left is on any thread, and is swept by one of
// the process's coffers, if one ran since the last time: so coffers at rest
// disturb nobody. sweep is sigframe's for that.
func (c *Coffer) exclusively(f func() error, sweep func() (bool, error)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.lockedOut(f)
	if c.silent {
		return err
	}
	// A system that refuses (no /proc, a filter of system calls) leaves the
	// frames as they are until the next signal: no reason to fail what is done.
	if swept, _ := sweep(); !swept {
		_ = sigframe.SweepThread()
	}
	return err
}

// lockedOut runs f under all locks.
func (c *Coffer) lockedOut(f func() error) error {
	c.lockAll()
	defer c.unlockAll()
	if !c.closed {
		c.clearLanes()
	}
	return f()
}

// clearLanes wipes what is left in a state where an operation met memory that
// faults, such as a slice of a destroyed buffer, in a program that recovers from
// that. Any other operation leaves its state clear. The caller holds all locks.
func (c *Coffer) clearLanes() {
	for _, l := range c.lanes {
		if l.dirty {
			l.state.Wipe()
			l.dirty = false
		}
	}
}
