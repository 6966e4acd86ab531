package locked

import (
	"errors"
	"fmt"
	"strings"

	"github.com/memkeep/memkeep/internal/page"
)

// Errors that callers branch on with errors.Is.
var (
	// ErrExhausted reports that the budget of locked memory is in use. Destroy a
	// buffer, or wait with the context variant of the call.
	ErrExhausted = errors.New("locked: the budget of locked memory is in use")

	// ErrDestroyed reports that the buffer was destroyed, by its owner or by a
	// purge, and its bytes wiped.
	ErrDestroyed = errors.New("locked: the buffer is destroyed")

	// ErrClosed reports that the pool was closed.
	ErrClosed = errors.New("locked: the pool is closed")

	// ErrCorrupted reports that something wrote outside a buffer's bytes: the
	// canary before them, or the padding before that, had changed. The memory
	// was wiped.
	ErrCorrupted = errors.New("locked: memory before the buffer was overwritten")

	// ErrUnsupported reports that this platform, or the requested backend, can't
	// lock memory. [Config.AllowUnlocked] continues without. It matches
	// [errors.ErrUnsupported] as well.
	ErrUnsupported = page.ErrUnsupported
)

// Resource is something that a process can run out of.
type Resource string

// The resources of a [LimitError].
const (
	LockedMemory    Resource = Resource(page.LockedMemory)    // the budget, or the limit on locked memory
	FileDescriptors Resource = Resource(page.FileDescriptors) // of the process, or of the system
	Mappings        Resource = Resource(page.Mappings)        // the number of them, vm.max_map_count on Linux
	AddressSpace    Resource = Resource(page.AddressSpace)    // for a secret of that size
	Memory          Resource = Resource(page.Memory)          // the machine's
)

// LimitError reports that there is no locked memory for a request, because the process
// ran out of a resource, or because the request is larger than the budget can hold.
// Open buffers are not affected. Error returns one line with the figures, Remedy says
// how to raise the limit, and errors.Is finds the system's error.
type LimitError struct {
	Resource  Resource // what ran out
	Size      int      // bytes of the secret; 0 if the request was not for one
	Requested int      // bytes to be locked
	Locked    int      // bytes this pool has locked
	Budget    int      // bytes this pool may lock
	Soft      uint64   // the process's limit in force, in bytes, as in [Limits]
	Hard      uint64   // the limit up to which the process may raise Soft
	Err       error    // the system's error; nil if the budget was too small

	chosen bool // the caller chose the budget; the process's limit did not reduce it
}

// Unlimited is the value of no limit.
const Unlimited = page.Unlimited

// Error returns the figures on one line.
func (e *LimitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "locked: can't lock %d bytes", e.Requested)
	if e.Size > 0 {
		fmt.Fprintf(&b, " for a secret of %d bytes", e.Size)
	}
	switch {
	case e.Resource != LockedMemory && e.Resource != "":
		fmt.Fprintf(&b, ": out of %s", e.Resource)
	case e.Err == nil && e.chosen:
		fmt.Fprintf(&b, ": the budget of %d bytes can't hold it", e.Budget)
	default:
		fmt.Fprintf(&b, ": %d bytes of a budget of %d are locked, and the process's %s is %s (hard limit %s)",
			e.Locked, e.Budget, limitName, limitText(e.Soft), limitText(e.Hard))
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Remedy returns the commands and settings that raise the limit, in a few sentences. If
// locked memory ran out, the last says how to run without it.
func (e *LimitError) Remedy() string {
	if e.Resource == LockedMemory && e.Err == nil && e.chosen {
		return "Give the session or the pool a larger budget: MaxLockedBytes in enclave.Config, or LockedBytes in locked.Config. " +
			"enclave.SetDefault makes a session from enclave.NewSession the default one."
	}
	if e.Resource == LockedMemory {
		return remedies[e.Resource] + doWithout
	}
	return remedies[e.Resource]
}

// doWithout is the last remedy for a process that can't lock memory.
const doWithout = " Where no lock can be had, AllowUnlocked in enclave.Config or locked.Config continues without, and for " +
	"enclave/memguard the environment variable MEMKEEP_ALLOW_UNLOCKED=1: the system may then write open secrets to swap."

// Unwrap returns the system's error, if there was one.
func (e *LimitError) Unwrap() error { return e.Err }

// MarshalText returns the text of Error, in JSON too.
func (e *LimitError) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// limitError describes a refusal with the figures of now: the system's, which it
// keeps for the figures, or for nil the budget's own.
func (m *store) limitError(requested int, refused *page.LockError) *LimitError {
	e := &LimitError{Resource: LockedMemory, Requested: requested, Budget: m.total, chosen: !m.cut}
	if refused != nil {
		e.Resource, e.Err = Resource(refused.Resource), refused
	}
	// Without the limits the error still says what was refused and why.
	if l, err := page.ReadLimits(); err == nil {
		e.Soft, e.Hard = l.Soft, l.Hard
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e.Locked = m.locked
	if refused != nil {
		last := *e // the caller's gets the secret's size
		m.lastLimit = &last
	}
	return e
}

// forSecret adds the secret's size to a *LimitError, which is err's caller's own.
func forSecret(size int, err error) error {
	if limit, ok := errors.AsType[*LimitError](err); ok && limit.Size == 0 {
		limit.Size = size
	}
	return err
}

func limitText(v uint64) string {
	if v == Unlimited {
		return "unlimited"
	}
	return fmt.Sprintf("%d bytes", v)
}
