// Package page maps guarded, locked runs of pages: the memory that secrets
// may lie in.
//
// It is the only package that asks the operating system for memory. What
// differs between mechanisms (memfd_secret, memfd_create with mlock, memcall)
// is behind [Backend], one file each; what differs between operating systems
// is behind the build tags of this package. One conformance suite runs over
// every backend that the machine has.
//
// A dual run is mapped twice, at two addresses that share the same pages:
//
//	view:   [guard][ pages ][guard]           its access is the buffer's state
//	window:                 [guard][ pages ][guard]   always readable and writable
//
// A caller is given the view alone. The library writes and wipes through the
// window, so the view never has to become writable for that, and a change of
// state is one system call. A single run has one mapping, and its window and
// view are the same bytes.
//
// Only Linux has dual runs. On Windows a section backed by the page file could be
// mapped twice, but nothing that Microsoft documents says what the runs here rely on:
// that pages locked through the window stay so whatever becomes of the view, when
// a lock belongs to an address ("locks the specified region of the process's virtual
// address space") and is lost when the protection of that address becomes no
// access. Wine can't tell either: its sections are files on a disk. A run that is
// locked once at its only address, and locked again when it was closed, needs no
// such assumption.
//
// Guard pages are reserved address space with no memory behind it and no
// access: touching one is a fault. They count towards no lock limit.
//
// Two backends lock nothing, and are opened by [OpenUnlocked] or by their names alone:
// memcall's pages without the lock, and slices of the Go heap where memcall does not
// build.
package page

import (
	"errors"
	"fmt"
	"os"
)

// Access is what a run's view allows.
type Access uint8

const (
	// None faults on every access.
	None Access = iota
	// Read faults on writing.
	Read
	// ReadWrite faults on nothing.
	ReadWrite
)

// String returns the name of a for error messages.
func (a Access) String() string {
	switch a {
	case None:
		return "no access"
	case Read:
		return "read-only"
	case ReadWrite:
		return "read-write"
	default:
		return fmt.Sprintf("Access(%d)", uint8(a))
	}
}

// A Run is a guarded run of locked pages, excluded, where the system can, from
// core dumps and from child processes. It is made by [Backend.Map] and stays
// valid until [Backend.Unmap]. The bytes lie outside the Go heap, but for those of
// [Unguarded]: no finalizer may unmap a run while a slice of it lives.
type Run struct {
	// Window is where the library writes. In a dual run it is always readable
	// and writable; in a single run it is View.
	Window []byte
	// View is what a caller gets. Its access is set by [Backend.Protect].
	View []byte
	// Dual reports that Window and View are different addresses.
	Dual bool
	// Dumpable reports that a core dump or crash report may include the pages,
	// because the system can't exclude them, or can't exclude any more.
	Dumpable bool
	// Exposed is set by an owner whose caller may change the pages' protection by
	// system calls. Where that can cost their lock, each change of access locks
	// them again, until the view is closed.
	Exposed bool

	whole    []byte   // the reservation with its guards, in one piece
	pieces   [][]byte // of a run that could not be mapped, what is to be unmapped of whole
	excluded bool     // registered with the system for exclusion from crash reports
	unlocked bool     // closing the view cost its lock
}

// DumpableBytes is how many bytes of the run a core dump may include.
func (r *Run) DumpableBytes() int {
	if r.Dumpable {
		return len(r.View)
	}
	return 0
}

// Backend is one mechanism for guarded, locked pages. Implementations are safe
// for concurrent use on different runs; calls on one run are serialised by
// its owner.
type Backend interface {
	// Name is the mechanism's name as it shows in statistics.
	Name() string

	// Charge returns how many bytes a run of size bytes counts towards the
	// process's limit on locked memory: size, or twice as many for a dual run of
	// which the system counts each mapping. Some kernels count each page of
	// memfd_secret once, whatever maps it.
	Charge(size int, dual bool) int

	// Map returns a run of size bytes, a positive multiple of the page size,
	// zeroed, locked, and advised as [Advised] says. The view of a dual run
	// starts with no access, a single run starts readable and writable. A
	// backend without dual runs returns a single one. Where the system has no
	// more of a [Resource] the error is a *[LockError]; otherwise an error that
	// names the call. After an error nothing stays mapped, unless the system refuses to
	// unmap it: then Map returns a run with the error, and Unmap is the only call for it.
	Map(size int, dual bool) (*Run, error)

	// Protect sets the access of the run's view. Its errors are those of Map.
	Protect(r *Run, a Access) error

	// Unmap releases the run. The caller has wiped it. After an error the run
	// is still the caller's, and Unmap may be called again.
	Unmap(r *Run) error
}

// ErrUnsupported reports that this platform, or the mechanism that was asked for,
// offers no locked memory.
var ErrUnsupported = fmt.Errorf("memory can't be locked here: %w", errors.ErrUnsupported)

// Resource is what locked pages take of the system, and may run out of.
type Resource string

// The resources. The process has limits on the first four; the last is the
// machine's.
const (
	LockedMemory    Resource = "locked memory"
	FileDescriptors Resource = "file descriptors"
	Mappings        Resource = "memory mappings"
	AddressSpace    Resource = "address space"
	Memory          Resource = "memory"
)

// LockError says that the system refused Size more bytes of locked pages, and
// what it ran out of.
type LockError struct {
	Call     string // what was refused
	Size     int    // the bytes that were to be locked
	Resource Resource
	Err      error
}

func (e *LockError) Error() string {
	return fmt.Sprintf("%s of %d bytes: %v", e.Call, e.Size, e.Err)
}

// Unwrap returns the system's error.
func (e *LockError) Unwrap() error { return e.Err }

// Size returns the page size in bytes.
func Size() int { return os.Getpagesize() }

// The names that [Open] takes and [Backend.Name] returns.
const (
	MemfdSecret = "memfd_secret"
	Memfd       = "memfd"
	Mlock       = "mlock"
	Unlocked    = "unlocked"  // as Mlock, without the lock
	Unguarded   = "unguarded" // ordinary memory
)

// Hook is called before every system call of a backend with the call's name.
// An error stands for the call's failure. A nil Hook does nothing: it is the
// seam where tests inject faults.
type Hook func(call string) error

func (h Hook) before(call string) error {
	if h == nil {
		return nil
	}
	return h(call)
}

// errNotExcluded says that the system doesn't leave pages out of its dumps. The
// run is good all the same.
var errNotExcluded = errors.New("not excluded from crash dumps")

// errMissing says that the system does not have a mechanism.
var errMissing = errors.New("not available")

// Open returns the named backend, or the best one that this system offers for
// the empty name. A named backend that the system lacks is an error that wraps
// [ErrUnsupported]. The best one always locks. Any other error is a failure of the
// moment, a *[LockError] if something ran out. Nothing is mapped yet.
func Open(name string, hook Hook) (Backend, error) {
	switch name {
	case Unlocked:
		return openUnlocked(hook)
	case Unguarded:
		return unguarded{hook}, nil
	}
	var reasons []error
	for _, m := range mechanisms {
		if name != "" && name != m.name {
			continue
		}
		b, err := m.open(hook)
		if err == nil {
			if reasons != nil {
				b = fallback{b, errors.Join(reasons...)}
			}
			return b, nil
		}
		if !errors.Is(err, errMissing) {
			// Out of descriptors, say: that must not cost a better mechanism
			// for as long as the process lives.
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		reasons = append(reasons, err)
	}
	switch {
	case reasons != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnsupported, errors.Join(reasons...))
	case name != "" && len(mechanisms) > 0:
		return nil, noBackend(name)
	default:
		return nil, ErrUnsupported
	}
}

// noBackend is the name of a backend that this system does not know.
type noBackend string

func (n noBackend) Error() string {
	return fmt.Sprintf("no backend %q on this system: it has %v", string(n), Names())
}

func (noBackend) Unwrap() error { return ErrUnsupported }

// OpenUnlocked returns the best backend that does not lock, in place of one that does:
// [Missing] then returns why there is none.
func OpenUnlocked(why error) Backend {
	b, err := openUnlocked(nil)
	if err != nil {
		b = unguarded{}
	}
	return fallback{b, why}
}

// Locks reports whether the pages of b are locked.
func Locks(b Backend) bool { return b.Name() != Unlocked && b.Name() != Unguarded }

// Guards reports whether b takes access from its pages, so that a stale slice faults.
func Guards(b Backend) bool { return b.Name() != Unguarded }

// fallback is a backend that was chosen because there is no better one.
type fallback struct {
	Backend
	missing error
}

// Missing returns why b was chosen and no better backend: what the system answered
// for each of them. It is nil if b is the best one, or was asked for by name.
func Missing(b Backend) error {
	if f, ok := b.(fallback); ok {
		return f.missing
	}
	return nil
}

// Names returns the names of the mechanisms this platform knows, best first,
// whether or not the running system offers them.
func Names() []string {
	names := make([]string, 0, len(mechanisms))
	for _, m := range mechanisms {
		names = append(names, m.name)
	}
	return names
}

// A mechanism opens one backend. Each platform lists its own in mechanisms,
// best first.
type mechanism struct {
	name string
	open func(Hook) (Backend, error)
}
