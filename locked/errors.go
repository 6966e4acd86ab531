package locked

import (
	"errors"
	"fmt"
	"strings"

	"github.com/memkeep/memkeep/internal/page"
)

// Errors that callers branch on with errors.Is. Their causes differ in what
// helps: wait, stop using it, or look for a bug.
var (
	// ErrExhausted says that the budget of locked memory is in use. Nothing
	// is lost: Destroy a buffer, or wait with a context variant of the call.
	ErrExhausted = errors.New("locked: the budget of locked memory is in use")

	// ErrDestroyed says that the buffer was destroyed, by its owner or by a
	// purge, and its bytes wiped.
	ErrDestroyed = errors.New("locked: the buffer is destroyed")

	// ErrClosed says that the pool was closed.
	ErrClosed = errors.New("locked: the pool is closed")

	// ErrCorrupted says that something wrote outside a buffer's bytes: the
	// canary before them, or the padding before that, had changed. The
	// memory was wiped all the same.
	ErrCorrupted = errors.New("locked: memory before the buffer was overwritten")

	// ErrUnsupported says that this platform, or the backend that was asked
	// for, can't lock memory. It is an [errors.ErrUnsupported] as well.
	ErrUnsupported = page.ErrUnsupported
)

// LimitError says that memory could not be locked: because the process's limit
// is used up, or because the request is larger than the budget can ever be.
// Everything that is open goes on working. Its text says how to raise the
// limit.
type LimitError struct {
	Requested int    // bytes that were to be locked
	Locked    int    // bytes this pool has locked
	Budget    int    // bytes this pool may lock
	Soft      uint64 // the process's limit in force, in bytes, as in [Limits]
	Hard      uint64 // the limit up to which the process may raise Soft
	Err       error  // the system's error; nil when the budget said no

	chosen bool // the budget is what the caller asked for, not what the limit allows
}

// Unlimited is the value of a limit that bounds nothing.
const Unlimited = page.Unlimited

func (e *LimitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "locked: can't lock %d bytes: %d of a budget of %d are locked, the process's %s is %s (hard limit %s)",
		e.Requested, e.Locked, e.Budget, limitName, limitText(e.Soft), limitText(e.Hard))
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	b.WriteString(". ")
	if e.Err == nil && e.chosen {
		b.WriteString("Raise Config.LockedBytes")
		return b.String()
	}
	b.WriteString(remedy)
	return b.String()
}

// Unwrap returns the system's error, if there was one.
func (e *LimitError) Unwrap() error { return e.Err }

func limitText(v uint64) string {
	if v == Unlimited {
		return "unlimited"
	}
	return fmt.Sprintf("%d bytes", v)
}
