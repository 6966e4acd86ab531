// Package harden asks the system to keep the whole process's memory to itself,
// beyond the pages that hold secrets.
//
// One function for each measure, one file for each system's means. A measure
// that a system does not have is an error that wraps [errors.ErrUnsupported];
// what failed changed nothing, unless its function says otherwise. None of them
// is undone. Package locked has the public door, and says what each costs.
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
