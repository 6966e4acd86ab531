package locked

import (
	"errors"
	"fmt"

	"github.com/memkeep/memkeep/internal/harden"
	"github.com/memkeep/memkeep/internal/page"
)

// Hardening selects measures that protect the memory of the whole process. A [Pool]
// protects only its own pages, not what the program's code copies of a secret or
// derives from it. Each measure has a cost, and none can be undone. The zero value
// selects none.
type Hardening struct {
	// NoCoreDumps leaves no core dump when the process crashes.
	//
	// Cost: there is no dump to debug with. The limit can't be raised again,
	// and child processes inherit it.
	//
	// Linux, macOS and the BSDs: RLIMIT_CORE; on Linux one byte rather than
	// zero, since a program that core_pattern names receives a dump at a limit
	// of zero, but not of one. Windows: SetErrorMode, so that a crash is not
	// reported to Windows Error Reporting; the Go runtime does the same at
	// start, except with GOTRACEBACK=wer.
	NoCoreDumps bool

	// NotDumpable stops other processes of the same user from tracing this one
	// or reading its memory, and on Linux and FreeBSD also disables core dumps.
	// It does not stop root.
	//
	// Cost: debuggers and profilers can't attach (gdb, dlv attach, strace,
	// perf -p), except as root. On Linux, root owns the files of /proc/self, so
	// another user's process can't open its own /proc/self/mem or environ. On
	// macOS a process that is being debugged ends.
	//
	// Call Harden after the process has changed its user. Linux:
	// PR_SET_DUMPABLE; FreeBSD: PROC_TRACE_CTL; macOS: PT_DENY_ATTACH.
	NotDumpable bool

	// LockAll keeps all memory of the process out of swap, not only the pages
	// of pools.
	//
	// Cost: everything that the process touches stays in RAM, and every mapping
	// counts towards the limit on locked memory, including the address space
	// that the Go runtime reserves. The process needs CAP_IPC_LOCK, or a limit
	// that is unlimited or can be raised to that. Otherwise the runtime would
	// end the program when its heap outgrows the limit, so Harden refuses.
	// [Stats] still counts pools alone.
	//
	// Linux: mlockall, with MCL_ONFAULT.
	LockAll bool
}

// A HardenError reports which measure failed, by the name of its field, and why. Its
// cause wraps [errors.ErrUnsupported] if the platform does not have the measure.
type HardenError struct {
	Measure string
	Err     error
}

func (e *HardenError) Error() string {
	return fmt.Sprintf("locked: hardening: %s: %v", e.Measure, e.Err)
}

// Unwrap returns the cause.
func (e *HardenError) Unwrap() error { return e.Err }

// Harden applies the measures that h selects to the whole process, and returns those
// that succeeded. If any fail, it still applies the others, and joins a *[HardenError]
// for each failure. It may be called again.
//
// Call Harden at the start of a server, after it has changed its user and before it has
// any secret. No hardening is applied unless you call it.
func Harden(h Hardening) (taken Hardening, err error) {
	return hardenWith(h, measures{harden.NoCoreDumps, harden.NotDumpable, func() error { return harden.LockAll(ofProcess().lift) }})
}

// measures are the functions that apply them; tests inject failures.
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

// lift makes sure that the process may lock without limit: it raises the soft limit if
// that is enough.
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
	return errors.Join(fmt.Errorf("the process's limit is %s (hard limit %s): under a limit, the Go runtime ends the program when its memory outgrows it. %s",
		limitText(limits.Soft), limitText(limits.Hard), remedies[LockedMemory]), err)
}
