//go:build !ios

package main

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"

	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/platform"
	"github.com/memkeep/memkeep/internal/secretdo"
	"github.com/memkeep/memkeep/locked"
)

// state is everything that the findings are made of.
type state struct {
	OS, Arch string
	Limits   locked.Limits
	// LimitsErr is why the limits could not be read or no backend is there.
	LimitsErr error
	Probe     probe // nothing if Process is set
	Facts     platform.Facts
	// RuntimeSecret says whether the program is built with runtime/secret.
	RuntimeSecret platform.Answer
	// Process is the process that was asked for; nil for the doctor itself.
	Process *platform.Process
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

// protected says whether secrets can be protected, or are in another process.
func (s state) protected() platform.Answer {
	switch {
	case s.Process == nil && s.Probe.Err == nil, s.Process != nil && (s.Process.Locked > 0 || s.Process.Pages.Total() > 0):
		return platform.Yes
	case s.Process != nil && s.Process.PagesErr != nil:
		return platform.Unknown
	}
	return platform.No
}

// examine looks at a process, or at the doctor's own if pid is 0.
func examine(pid int) (state, error) {
	if pid != 0 {
		return examineProcess(pid)
	}
	// The facts come first: the kernel reports no hibernation while a secret page
	// is mapped.
	s := state{OS: runtime.GOOS, Arch: runtime.GOARCH, Facts: platform.Read()}
	s.Limits, s.LimitsErr = locked.CurrentLimits()
	s.Probe = lockSession()
	s.RuntimeSecret = platform.No
	if secretdo.On {
		s.RuntimeSecret = platform.Yes
	}
	return s, nil
}

// examineProcess looks at another process from outside.
func examineProcess(pid int) (state, error) {
	p, facts, err := platform.ReadProcess(pid)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return state{}, fmt.Errorf("there is no process %d, or /proc hides it from this user (hidepid): run doctor as root", pid)
	case err != nil:
		return state{}, fmt.Errorf("process %d: %w", pid, err)
	}
	s := state{OS: runtime.GOOS, Arch: runtime.GOARCH, Facts: facts, Process: &p}
	s.Limits, s.LimitsErr = locked.CurrentLimits()
	s.Limits = limitsOf(p, s.Limits)
	s.RuntimeSecret = builtWithSecret(fmt.Sprintf("/proc/%d/exe", pid))
	return s, nil
}

// limitsOf turns what the system offers this process into what p has of it.
func limitsOf(p platform.Process, l locked.Limits) locked.Limits {
	l.Soft, l.Hard, l.Exempt = p.LockSoft, p.LockHard, p.Exempt
	l.Budget = locked.DefaultLockedBytes
	if !p.Exempt {
		// A pool raises the soft limit to the hard one.
		l.Budget = int(min(uint64(l.Budget), max(l.Soft, l.Hard)))
	}
	l.Budget = l.Budget / l.PageSize * l.PageSize
	switch {
	case p.Pages.Secret > 0:
		l.Backend, l.BackendReason = locked.MemfdSecret, ""
		return l
	case p.Pages.Memfd > 0:
		l.Backend = locked.Memfd
	case p.Pages.Locked > 0 || p.Locked > 0:
		l.Backend = locked.Mlock
	default:
		l.Backend = ""
	}
	if l.BackendReason == "" {
		l.BackendReason = "it offers memfd_secret to the doctor"
		if p.Filtered == platform.Yes {
			l.BackendReason = filtered
		}
	}
	return l
}

// filtered is why a process may have no memfd_secret where the doctor has it.
const filtered = "not permitted, as it seems, by the process's seccomp filter; the doctor has memfd_secret"

// builtWithSecret reads how a program was built.
func builtWithSecret(path string) platform.Answer {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return platform.Unknown
	}
	for _, setting := range info.Settings {
		if setting.Key == "GOEXPERIMENT" && strings.Contains(","+setting.Value+",", ",runtimesecret,") {
			return platform.Yes
		}
	}
	return platform.No
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
		share, err := bridge.NewRegion(pool, 1)
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
