package enclave

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/locked"
)

// Errors that callers branch on with errors.Is. The packages locked and coffer return
// the same values. ErrClosed of package load and ErrUnsupported of package keys are errors
// of their own.
var (
	// ErrEmpty reports a secret of no bytes.
	ErrEmpty = errors.New("enclave: empty secret")

	// ErrReadOnly reports that New can't wipe the secret, because it lies in
	// read-only memory: a frozen buffer, a slice from Use, a constant. Nothing was
	// sealed. NewCopy accepts such a secret, and Seal such a buffer.
	ErrReadOnly = errors.New("enclave: can't wipe a secret in read-only memory: use NewCopy")

	// ErrRedacted reports text that is a printed enclave, such as "[REDACTED 32
	// bytes]", instead of a secret.
	ErrRedacted = errors.New("enclave: the text is a redacted secret")

	// ErrDecrypt reports that a ciphertext does not decrypt although its session
	// has the key: it was modified.
	ErrDecrypt = coffer.ErrDecrypt

	// ErrPurged reports that the session was purged after the enclave was made.
	ErrPurged = errors.New("enclave: the session was purged")

	// ErrDestroyed reports that the enclave or the buffer was destroyed, or that
	// the enclave is nil, zero or a copy of its struct.
	ErrDestroyed = locked.ErrDestroyed

	// ErrClosed reports that the session was closed.
	ErrClosed = locked.ErrClosed

	// ErrExhausted reports that the budget of locked memory is in use. Destroy a
	// buffer, or wait with the context variant of the call.
	ErrExhausted = locked.ErrExhausted

	// ErrCorrupted reports that something wrote outside a buffer's bytes.
	ErrCorrupted = locked.ErrCorrupted

	// ErrNothingRead reports that a reader gave no secret.
	ErrNothingRead = locked.ErrNothingRead

	// ErrUnsupported reports that memory can't be locked on this platform, or not
	// by the requested backend. It matches [errors.ErrUnsupported] as well.
	ErrUnsupported = locked.ErrUnsupported
)

// LimitError reports that there is no locked memory for a request: which resource ran
// out, the figures, and the remedy. If its Err is nil, the request is larger than the
// session's budget can hold, so it will never succeed; else the system refused to lock
// more. Open buffers are not affected.
type LimitError = locked.LimitError

// A named error is one of the errors above, in words for what the caller holds.
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
	errDefault   = errors.New("enclave: the default session can't be closed; once SetDefault has chosen another one, it can")
)

// refused rewords an error of a pool that gave no memory for size bytes. Errors of
// callers' functions never come here.
func refused(ctx context.Context, size int, err error) error {
	switch {
	case errors.Is(err, ErrClosed):
		return errClosed
	case ctx.Err() != nil && errors.Is(err, context.Cause(ctx)):
		return fmt.Errorf("enclave: waiting for %d bytes of locked memory: %w", pagesOf(size)*os.Getpagesize(), err)
	}
	return err
}
