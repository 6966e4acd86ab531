package enclave

import (
	"io"
	"sync/atomic"

	"github.com/memkeep/memkeep/locked"
)

// The package's only state: the default session, which takes no resources before
// its first use, the session that SetDefault chose instead, and all open sessions.
var (
	original    Session
	replacement atomic.Pointer[Session] // nil for none
	sessions    table
)

// Default returns the session behind the package's functions. Unless [SetDefault]
// chose another one, it has the default configuration and is created on first use.
// If that fails, the call that needed it returns the error, and the next call tries
// again. The default session can't be closed.
func Default() *Session {
	if s := replacement.Load(); s != nil {
		return s
	}
	return &original
}

// SetDefault makes s the session behind the package's functions, so that they use
// its budget and backend. Call it at the start of the program: enclaves stay with the
// session that they were made in, and [Purge] does not reach those of the former one:
// call its Purge method. The default session can't be closed.
func SetDefault(s *Session) {
	if s == nil {
		panic("enclave: SetDefault of nil")
	}
	replacement.Store(s)
}

// New seals the secret in the default session and wipes the slice. It returns
// [ErrEmpty], [ErrReadOnly] or a *[LimitError] as [Session.New] does.
func New(secret []byte) (*Enclave, error) { return Default().New(secret) }

// NewCopy seals the secret in the default session and does not wipe the slice: see
// [Session.NewCopy].
func NewCopy(secret []byte) (*Enclave, error) { return Default().NewCopy(secret) }

// NewRandom seals size random bytes in the default session: see [Session.NewRandom].
func NewRandom(size int) (*Enclave, error) { return Default().NewRandom(size) }

// NewFunc calls fill with size bytes of locked memory and seals what it writes in the
// default session: see [Session.NewFunc].
func NewFunc(size int, fill func(dst []byte) error) (*Enclave, error) {
	return Default().NewFunc(size, fill)
}

// Seal moves the buffer's secret into a new enclave of the default session and destroys
// the buffer: see [Session.Seal].
func Seal(b *locked.Buffer) (*Enclave, error) { return Default().Seal(b) }

// NewBuffer returns a writable buffer of size zero bytes from the default session. The
// caller destroys it: see [Session.NewBuffer].
func NewBuffer(size int) (*locked.Buffer, error) { return Default().NewBuffer(size) }

// NewStream returns an empty stream that seals its chunks in the default session.
func NewStream() *Stream { return Default().NewStream() }

// ReadFull reads size bytes into a buffer of the default session: see
// [Session.ReadFull].
func ReadFull(r io.Reader, size int) (*locked.Buffer, error) { return Default().ReadFull(r, size) }

// ReadUntil reads up to delim into a buffer of the default session: see
// [Session.ReadUntil].
func ReadUntil(r io.Reader, delim byte) (*locked.Buffer, error) {
	return Default().ReadUntil(r, delim)
}

// ReadAll reads all of r into a buffer of the default session: see
// [Session.ReadAll].
func ReadAll(r io.Reader) (*locked.Buffer, error) { return Default().ReadAll(r) }

// Purge makes every enclave of the default session unreadable and destroys its open
// buffers: see [Session.Purge].
func Purge() error { return Default().Purge() }
