// Package platform reads what the system around the process does with its
// memory: where it swaps, whether it dumps cores or hibernates, and who may
// trace the process. On Linux it reads the same of another process, with
// [ReadProcess].
//
// It changes nothing. What can't be read is [Unknown], never a guess. The
// reading is kept apart from the system: Linux is read from a file system, the
// BSDs and macOS through a function that answers for a sysctl, Windows through
// one that answers for a registry value, so that all of them are tested on any
// machine. Only [Read], [ReadProcess] and what they call ask the system itself.
package platform

import "fmt"

// Answer is the answer to a yes-or-no question.
type Answer uint8

const (
	// Unknown: it could not be read here.
	Unknown Answer = iota
	// No is a certain no.
	No
	// Yes is a certain yes.
	Yes
)

// String returns a in one word.
func (a Answer) String() string {
	switch a {
	case Unknown:
		return "unknown"
	case No:
		return "no"
	case Yes:
		return "yes"
	default:
		return fmt.Sprintf("Answer(%d)", uint8(a))
	}
}

func answer(yes bool) Answer {
	if yes {
		return Yes
	}
	return No
}

// Facts describes what was read.
type Facts struct {
	Swap        Swap
	Core        Core
	Hibernation Hibernation
	Tracing     Tracing
	// Container names what the process runs inside of, docker say; empty if
	// nothing shows.
	Container string
}

// Swap is where memory that is not locked can go.
type Swap struct {
	// Present says whether the system swaps at all.
	Present Answer
	// Areas are those that could be named.
	Areas []Area
	// Barred says that this process is kept out of it, by its cgroup.
	Barred bool
}

// Area is one swap device or file.
type Area struct {
	Name string
	// Encrypted says whether what lies in it is encrypted with a key that
	// the disk does not hold.
	Encrypted Answer
	// Memory says that the area is main memory itself (zram).
	Memory bool
}

// Core is what happens when the process crashes.
type Core struct {
	// Limit is the soft limit on the size of a core dump, in bytes, if
	// Limited says so.
	Limit   uint64
	Limited bool
	// Pattern is where the system writes core dumps; empty if unknown.
	Pattern string
	// Piped says that it hands them to a program, whatever the limit.
	Piped bool
	// Off says whether the system writes none at all, whatever the process
	// asks for.
	Off Answer
	// ForRoot says that a dump is written though the process is not dumpable,
	// readable by root alone.
	ForRoot bool
}

// Hibernation is whether the system can write all of memory to disk.
type Hibernation struct {
	Possible Answer
	Why      string // what says so
}

// Tracing is who may attach a debugger to this process.
type Tracing struct {
	// SameUser says whether any process of the same user may.
	SameUser Answer
	Why      string // what says so
	// Dumpable says whether this process lets itself be dumped and traced.
	Dumpable Answer
}
