package coffer

import (
	"runtime"

	"github.com/memkeep/memkeep/internal/sigframe"
)

// exclusively runs f, which handles the shares, under all locks. Then it overwrites
// what signals saved of the registers: see package sigframe. f's own may be on this
// thread alone, which takes two system calls. Those of operations may be on any
// thread: sweep, a function of sigframe, does nothing if no operation ran.
func (c *Coffer) exclusively(f func() error, sweep func() (bool, error)) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.lockedOut(f)
	if c.silent {
		return err
	}
	// If the system refuses (no /proc, a system call filter), the frames stay until
	// the next signal. f has succeeded all the same.
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
		c.clearWorkspaces()
	}
	return f()
}

// clearWorkspaces wipes states that operations left behind. Only an operation that
// faulted, on a slice of a destroyed buffer, say, in a program that recovers, leaves
// anything. The caller holds all locks.
func (c *Coffer) clearWorkspaces() {
	for _, l := range c.workspaces {
		if l.dirty {
			l.state.Wipe()
			l.dirty = false
		}
	}
}
