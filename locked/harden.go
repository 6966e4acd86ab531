package locked

import (
	"errors"
	"fmt"

	"github.com/memkeep/memkeep/internal/harden"
	"github.com/memkeep/memkeep/internal/page"
)

// Hardening names measures that keep the whole process's memory to itself:
// what its own code copies of a secret, what its cryptography derives of a key,
// is in ordinary memory, which a [Pool] has no part in. The zero value asks for
// nothing. Each measure costs something; none is undone.
type Hardening struct {
	// NoCoreDumps leaves no core dump when the process crashes.
	//
	// Cost: there is no dump to find a bug with. The core limit becomes
	// the hard limit too, and child processes inherit it.
	//
	// Linux, macOS and the BSDs set RLIMIT_CORE; on Linux to one byte rather
	// than zero, since a program that core_pattern names gets a dump at a
	// limit of zero, but not of one. Windows: SetErrorMode, so that a crash
	// does not go to Windows Error Reporting; the Go runtime does the same
	// at its start, but under GOTRACEBACK=wer.
	NoCoreDumps bool

	// NotDumpable lets no other process of the same user trace this one or
	// read its memory, and leaves no core dump where the system sees both as
	// one (Linux, FreeBSD). Root still can.
	//
	// Cost: no debugger, strace or profiler that attaches (gdb, dlv
	// attach, perf -p) works, except as root. On Linux the files of
	// /proc/self belong to root: a process that is not root can't open its
	// own /proc/self/mem or environ. On macOS a process that is being
	// debugged ends.
	//
	// Call Harden after the process has changed its user. Linux:
	// PR_SET_DUMPABLE; FreeBSD: PROC_TRACE_CTL; macOS: PT_DENY_ATTACH.
	NotDumpable bool

	// LockAll keeps all memory of the process out of swap, not only the
	// pages of pools.
	//
	// Cost: nothing that the process touches ever leaves main memory, and
	// every mapping counts whole towards the limit on locked memory, the
	// address space that the Go runtime reserves included. The process
	// needs CAP_IPC_LOCK, or a limit that is unlimited or can be raised to
	// that: under any other, the runtime would end the program when its
	// heap grows past the limit, so Harden refuses. The figures of
	// [Stats] stay those of pools alone.
	//
	// Linux: mlockall, with MCL_ONFAULT.
	LockAll bool
}

// A HardenError says which measure failed, by the name of its field, and why.
// Its cause wraps [errors.ErrUnsupported] where the platform has no such measure.
type HardenError struct {
	Measure string
	Err     error
}

func (e *HardenError) Error() string {
	return fmt.Sprintf("locked: hardening: %s: %v", e.Measure, e.Err)
}

// Unwrap returns the cause.
func (e *HardenError) Unwrap() error { return e.Err }

// Harden takes the measures that h names, for the whole process, and returns
// those that were taken. The others' errors are joined, a *[HardenError] for each;
// one that fails does not keep the rest from being taken. It may be called
// again, for more or for the same.
//
// A server calls it at its start, once it runs as its user and before it has
// any secret. Nothing in this module calls it: importing a package, or making a
// pool, changes nothing for the rest of the process.
func Harden(h Hardening) (taken Hardening, err error) {
	return hardenWith(h, measures{harden.NoCoreDumps, harden.NotDumpable, func() error { return harden.LockAll(ofProcess().lift) }})
}

// measures is how each is taken: the seam where tests put failures.
type measures struct{ noCoreDumps, notDumpable, lockAll func() error }

func hardenWith(h Hardening, m measures) (taken Hardening, err error) {
	var errs []error
	for _, measure := range []struct {
		name   string
		wanted bool
		take   func() error
		taken  *bool
	}{
		{"NoCoreDumps", h.NoCoreDumps, m.noCoreDumps, &taken.NoCoreDumps},
		{"NotDumpable", h.NotDumpable, m.notDumpable, &taken.NotDumpable},
		{"LockAll", h.LockAll, m.lockAll, &taken.LockAll},
	} {
		if !measure.wanted {
			continue
		}
		if err := measure.take(); err != nil {
			errs = append(errs, &HardenError{measure.name, err})
			continue
		}
		*measure.taken = true
	}
	return taken, errors.Join(errs...)
}

// lift makes sure that no limit will ever stand against what the process locks:
// it raises the soft limit where that is all it takes.
func (r rlimits) lift() error {
	limits, err := r.read()
	if err != nil {
		return err
	}
	if limits.InReach() == page.Unlimited {
		return nil
	}
	if limits.Hard == page.Unlimited {
		if err = r.raise(page.Unlimited); err == nil {
			return nil
		}
	}
	return errors.Join(fmt.Errorf("the process's limit is %s (hard limit %s): under a limit the Go runtime ends the program when its memory grows past it. %s",
		limitText(limits.Soft), limitText(limits.Hard), remedies[LockedMemory]), err)
}
