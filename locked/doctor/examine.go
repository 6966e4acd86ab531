//go:build !ios

package main

import (
	"context"
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

// probe is what came of locking what a session takes.
type probe struct {
	Err    error
	Locked int // bytes locked for it, as the limit counts them
	// Outside says whether an open page could be read from outside of the
	// process, and OutsideErr why that is not known.
	Outside    platform.Answer
	OutsideErr error
}

// sessionPages is how many pages the smallest session of package enclave locks:
// one for each share of its key, one for Use, one for an open buffer.
const sessionPages = 4

func (s state) protected() bool { return s.Probe.Err == nil }

// examine looks at this process. The facts come first: the kernel reports no
// hibernation while a secret page is mapped.
func examine() state {
	s := state{OS: runtime.GOOS, Arch: runtime.GOARCH, Facts: platform.Read()}
	s.Limits, s.LimitsErr = locked.CurrentLimits()
	s.Probe = lockSession()
	return s
}

// lockSession takes what the smallest session takes, uses it as a server does,
// and gives it back.
func lockSession() (p probe) {
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
	nothing := func([]byte) error { return nil }
	if err := pool.Use(context.Background(), 32, nothing, nothing); err != nil {
		return probe{Err: err}
	}
	b, err := pool.New(32)
	if err != nil {
		return probe{Err: err}
	}
	defer func() { p.Err = errors.Join(p.Err, b.Destroy()) }()
	if err := errors.Join(b.Scramble(), b.Freeze()); err != nil {
		return probe{Err: err}
	}
	p.Locked = pool.Stats().LockedBytes
	p.Outside, p.OutsideErr = platform.Outside(b.Bytes())
	return p
}
