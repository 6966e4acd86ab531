// Package harden protects the memory of the whole process, beyond the pages that hold
// secrets.
//
// It has one function for each measure, and one file for each system's calls. A measure
// that a system does not have is an error that wraps [errors.ErrUnsupported]. A measure
// that fails changes nothing, unless its function says otherwise. None is undone.
// Package locked exports the measures and documents what each costs.
//
//	               NoCoreDumps      NotDumpable        LockAll
//	Linux          RLIMIT_CORE      PR_SET_DUMPABLE    mlockall
//	FreeBSD        RLIMIT_CORE      PROC_TRACE_CTL     -
//	macOS          RLIMIT_CORE      PT_DENY_ATTACH     -
//	OpenBSD        RLIMIT_CORE      -                  -
//	NetBSD         RLIMIT_CORE      -                  -
//	Windows        SetErrorMode     -                  -
//
// LockAll is Linux's alone: without its MCL_ONFAULT, locking everything brings
// the Go runtime's whole reserved address space into memory.
package harden
