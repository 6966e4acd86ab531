//go:build !ios

package main

import (
	"errors"
	"runtime"

	"github.com/memkeep/memkeep/internal/platform"
	"github.com/memkeep/memkeep/locked"
)

// state is everything that the findings are made of.
type state struct {
	OS, Arch string
	Limits   locked.Limits
	// LimitsErr is why the limits could not be read or no backend is there.
	LimitsErr error
	Probe     probe
	Facts     platform.Facts
}

// probe is what came of locking a page.
type probe struct {
	Err    error
	Locked int // bytes locked for one small buffer, as the limit counts them
	// Outside says whether the open page could be read from outside of the
	// process.
	Outside platform.Answer
}

func (s state) protected() bool { return s.Probe.Err == nil }

// examine looks at this process. The facts come first: the kernel reports no
// hibernation while a secret page is mapped.
func examine() state {
	s := state{OS: runtime.GOOS, Arch: runtime.GOARCH, Facts: platform.Read()}
	s.Limits, s.LimitsErr = locked.CurrentLimits()
	s.Probe = lockOne()
	return s
}

// lockOne makes one buffer as a server does, uses it and gives it back. Beside it
// lies what the smallest session needs: a region for each share of its key, and a
// slot that is kept for Use. With large pages a limit may hold a page and not that.
func lockOne() (p probe) {
	pool, err := locked.NewPool(locked.Config{UseSlots: 1})
	if err != nil {
		return probe{Err: err}
	}
	defer func() { p.Err = errors.Join(p.Err, pool.Close()) }()
	for range 2 {
		share, err := pool.NewRegion(1)
		if err != nil {
			return probe{Err: err}
		}
		defer func() { p.Err = errors.Join(p.Err, share.Free()) }()
	}
	before := pool.Stats().LockedBytes
	b, err := pool.New(32)
	if err != nil {
		return probe{Err: err}
	}
	defer func() { p.Err = errors.Join(p.Err, b.Destroy()) }()
	if err := b.Scramble(); err != nil {
		return probe{Err: err}
	}
	if err := b.Freeze(); err != nil {
		return probe{Err: err}
	}
	p.Locked = pool.Stats().LockedBytes - before
	p.Outside, _ = platform.Outside(b.Bytes())
	return p
}
