// Package contenders puts memkeep, its peers and its floors behind one
// interface, so that a workload is written once and runs on each of them.
//
// Each file is one contender. What each promises is written down in its
// [Promises], and [Check] holds it to that before anything is timed.
package contenders

import "fmt"

// A Contender is one way of keeping secrets.
type Contender struct {
	Name     string // stable: the name in results and plots
	About    string // what it is, with its settings
	Module   string // the module whose version belongs beside the name
	Ways     []Way  // the ways of opening that differ; at least one
	Promises Promises

	// Skipped says why this contender can't run in this build; empty if it
	// can.
	Skipped string

	// Start makes a store, which its caller closes.
	Start func() (Store, error)
}

// A Way is how a worker opens a secret.
type Way string

const (
	// Use opens the secret for the time of a call.
	Use Way = "Use"
	// Open opens the secret into a buffer, which is destroyed after the call.
	Open Way = "Open"
)

// Promises is what a contender claims, and what Check holds it to.
type Promises struct {
	Encrypted bool               // at rest; a changed ciphertext does not open
	ReadOnly  bool               // a write to the open secret faults
	After     map[Way]AfterClose // what a slice that was kept shows
	Locks     Locks              // what has locked pages of its own for as long as it lives
}

// Locks is what a contender locks pages for, besides what it keeps for itself.
type Locks int

const (
	// LocksNothing: what is locked does not grow with secrets or workers.
	LocksNothing Locks = iota
	// LocksWorkers: each worker has at least a page.
	LocksWorkers
	// LocksSecrets: each secret has at least a page.
	LocksSecrets
)

// AfterClose is what the caller's slice shows after the secret was closed.
type AfterClose int

const (
	// Anything promises nothing: the secret may still be there.
	Anything AfterClose = iota
	// Gone means that the secret is not there; reading need not fault.
	Gone
	// Faults means that reading faults.
	Faults
)

// A Store keeps secrets.
type Store interface {
	// Worker returns what one goroutine works with, on secrets of up to
	// maxSize bytes.
	Worker(maxSize int) (Worker, error)
	// Close frees the store. The secrets were freed before.
	Close() error
}

// A Secret is what a store returns for a secret: a pointer of its own type.
type Secret any

// A Worker seals and opens secrets for one goroutine at a time. The secrets of
// one worker may be opened by another.
type Worker interface {
	// Seal keeps the secret. It may wipe the slice that it is given.
	Seal(secret []byte) (Secret, error)
	// Free gives up what the secret holds beyond memory that the garbage
	// collector takes.
	Free(Secret) error
	// Use runs fn on the secret, in the shortest way that the contender has.
	Use(s Secret, fn func([]byte) error) error
	// Open runs fn on the secret in a buffer of its own, where the contender
	// has one; else it is Use.
	Open(s Secret, fn func([]byte) error) error
	// Close frees the worker.
	Close() error
}

// A Purger is a store that can make all its secrets unreadable at once.
type Purger interface {
	Purge() error
}

// A Tamperer is a store whose ciphertexts the check can reach.
type Tamperer interface {
	// Ciphertext returns the bytes of a secret at rest, to be changed.
	Ciphertext(Secret) []byte
}

// Do opens the secret in the given way.
func Do(w Worker, way Way, s Secret, fn func([]byte) error) error {
	if way == Open {
		return w.Open(s, fn)
	}
	return w.Use(s, fn)
}

// Names of contenders that others are measured against.
const (
	Memkeep  = "memkeep"
	Memguard = "memguard"
	Bare     = "bare"
)

// A Line is one contender in one of its ways: a line of a table.
type Line struct {
	*Contender
	Way Way
}

// Label is the line's name in tables and plots.
func (l Line) Label() string {
	if len(l.Ways) == 1 {
		return l.Name
	}
	return l.Name + " " + string(l.Way)
}

// All returns the contenders in the order of tables.
func All() []*Contender {
	all := []*Contender{memkeep(), facade(), memguardPeer()}
	all = append(all, asherah()...)
	all = append(all, libsodium()...)
	return append(all, lockedBuffer(), bareEach(), bareKept())
}

// Lines returns each contender in each of its ways.
func Lines() []Line {
	var lines []Line
	for _, c := range All() {
		for _, way := range c.Ways {
			lines = append(lines, Line{c, way})
		}
	}
	return lines
}

// Find returns the contender of that name.
func Find(name string) (*Contender, error) {
	for _, c := range append(All(), Beside()...) {
		if c.Name == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("no contender is called %q", name)
}
