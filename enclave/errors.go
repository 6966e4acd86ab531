package enclave

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/locked"
)

// Errors that callers branch on with errors.Is. Those that other packages of this
// module return as well are the same values there.
var (
	// ErrEmpty says that there is no secret to keep.
	ErrEmpty = errors.New("enclave: empty secret")

	// ErrReadOnly says that New can't wipe its source, because that lies in
	// read-only memory: a frozen buffer's, what Use lends, a constant's. Nothing was
	// sealed. NewCopy takes such a secret, Seal such a buffer.
	ErrReadOnly = errors.New("enclave: can't wipe a secret in read-only memory: use NewCopy")

	// ErrRedacted says that a text is what an enclave prints, and no secret.
	ErrRedacted = errors.New("enclave: the text is a redacted secret")

	// ErrDecrypt says that a ciphertext does not open although its session has the
	// key: the memory was tampered with.
	ErrDecrypt = coffer.ErrDecrypt

	// ErrPurged says that the session was purged since the enclave was made.
	ErrPurged = errors.New("enclave: the session was purged")

	// ErrDestroyed says that the enclave or the buffer was destroyed. Of an enclave
	// it also says that it was never set, or is a copy.
	ErrDestroyed = locked.ErrDestroyed

	// ErrClosed says that the session was closed.
	ErrClosed = locked.ErrClosed

	// ErrExhausted says that the budget of locked memory is in use. Nothing is lost:
	// destroy a buffer, or wait with a context variant of the call.
	ErrExhausted = locked.ErrExhausted

	// ErrCorrupted says that something wrote outside of a secret's bytes.
	ErrCorrupted = locked.ErrCorrupted

	// ErrNothingRead says that a reader gave no byte to keep.
	ErrNothingRead = locked.ErrNothingRead

	// ErrUnsupported says that memory can't be locked on this platform, or not by
	// the backend that was asked for. It is an [errors.ErrUnsupported] as well.
	ErrUnsupported = locked.ErrUnsupported
)

// LimitError says that there is no locked memory for a request: which resource ran
// out, the figures and the remedy. Everything that is open goes on working.
type LimitError = locked.LimitError

// A named error is one of the errors above in words for what the caller holds.
type named struct {
	words string
	is    error
}

func (e *named) Error() string { return e.words }

// Unwrap returns the error that callers branch on.
func (e *named) Unwrap() error { return e.is }

var (
	errDestroyed = &named{"enclave: destroyed", ErrDestroyed}
	errNeverSet  = &named{"enclave: never set", ErrDestroyed}
	errCopied    = &named{"enclave: copied by value", ErrDestroyed}
	errClosed    = &named{"enclave: the session is closed", ErrClosed}
	errTampered  = &named{"enclave: decryption failed: the ciphertext is corrupted", ErrDecrypt}
	errDefault   = errors.New("enclave: the default session can't be closed: call SetDefault with another one first")
)

// refused puts an error of a pool that gave no memory for size bytes in words of
// this package. fn's errors don't come here: they are returned as they are.
func refused(ctx context.Context, size int, err error) error {
	switch {
	case errors.Is(err, ErrClosed):
		return errClosed
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		page := os.Getpagesize()
		bytes := (size + locked.CanarySize + page - 1) / page * page
		return fmt.Errorf("enclave: waiting for %d bytes of locked memory: %w", bytes, err)
	}
	return err
}
