package load

import (
	"errors"
	"io/fs"
	"os/exec"

	"github.com/memkeep/memkeep/enclave"
)

// Errors that callers branch on with errors.Is. An empty secret is
// [enclave.ErrEmpty], a missing file [fs.ErrNotExist], and the end of a context
// its cause. Those of [enclave.New] pass through.
var (
	// ErrTooLarge reports a secret of more than [Loader.MaxSize] bytes.
	ErrTooLarge = errors.New("the secret is too large")

	// ErrExposed reports a file that every user of the system may read or write.
	ErrExposed = errors.New("the file is open to every user")

	// ErrNotFile reports a source of a kind that is not read: a directory, a
	// device, a socket.
	ErrNotFile = errors.New("not a file")

	// ErrNotSet reports an environment variable, or a reference, that is not set.
	ErrNotSet = errors.New("not set")

	// ErrNotTerminal reports that the process has no terminal to ask on.
	ErrNotTerminal = errors.New("no terminal")

	// ErrInterrupted reports a signal that came while a terminal was read.
	ErrInterrupted = errors.New("interrupted")

	// ErrNotAllowed reports a reference to a command that is not among
	// [Loader.Commands].
	ErrNotAllowed = errors.New("the program does not allow this command")

	// ErrInvalidRef reports text that is not a reference.
	ErrInvalidRef = errors.New("invalid")

	// ErrSyntax reports JSON or PEM that does not parse.
	ErrSyntax = errors.New("malformed")

	// ErrNoField reports that there is no such JSON field or PEM block, or that
	// it is not the only one.
	ErrNoField = errors.New("no such field")

	// ErrUnsettled reports a source that did not stop changing while it was read.
	ErrUnsettled = errors.New("the source keeps changing")

	// ErrClosed reports the use of a [Rotating] after Close, or a Reload after the
	// context of [NewRotating] has ended. It is not [enclave.ErrClosed].
	ErrClosed = errors.New("load: the rotating secret is closed")
)

// An Error says which source failed, and why. All errors of this package are of
// this type, but for those of a [Rotating] in use. It never holds the secret or a
// part of it.
type Error struct {
	Source string // as a Ref prints: "file:/run/secrets/db"
	Err    error
}

// Error names the source and the cause.
func (e *Error) Error() string { return "load: " + e.Source + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// MarshalText returns the text of Error, in JSON too.
func (e *Error) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// failed returns err as an Error of the source. What an error of os or os/exec
// says about the path is in the source's name already.
func failed(source string, err error) error {
	var own *Error
	if errors.As(err, &own) {
		return err
	}
	var path *fs.PathError
	var program *exec.Error
	if errors.As(err, &path) && err == error(path) {
		err = path.Err
	} else if errors.As(err, &program) && err == error(program) {
		err = program.Err
	}
	return &Error{source, err}
}

// errEmpty is enclave.ErrEmpty in this package's words.
var errEmpty error = emptyError{}

type emptyError struct{}

func (emptyError) Error() string        { return "the secret is empty" }
func (emptyError) Is(target error) bool { return target == enclave.ErrEmpty }
