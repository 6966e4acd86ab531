package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/memkeep/memkeep/enclave"
)

const (
	// DefaultMaxSize is the default of [Loader.MaxSize], in bytes: 1 MiB, the
	// largest Kubernetes Secret or systemd credential.
	DefaultMaxSize = 1 << 20

	// DefaultTimeout is how long a source may take if the context has no deadline.
	// A program that writes a secret to a pipe does so at once, so a longer
	// silence is a mistake. Terminal and Command, which may wait for a human, have
	// no such bound.
	DefaultTimeout = 30 * time.Second
)

// A Loader configures how secrets are read. The zero value is a good choice, and the
// package's functions use it. The methods are those functions with a context; they
// are safe for concurrent use.
type Loader struct {
	// Session seals the secrets. If nil, the default session does.
	Session *enclave.Session

	// MaxSize is the size of the largest secret, in bytes, and of the JSON or PEM
	// that it is part of: [DefaultMaxSize] if zero or negative.
	MaxSize int

	// KeepLineEnd keeps a final line end, \n or \r\n, in the secret.
	KeepLineEnd bool

	// AllowWorldReadable accepts files that every user may read: see
	// [Loader.File].
	AllowWorldReadable bool

	// Commands lists the programs that a [Ref] may run, each spelled as in the
	// reference: "/usr/bin/pass". If empty, a Ref can run none. The reference
	// chooses the arguments, so do not list a shell.
	Commands []string
}

// File reads the secret in a file: see [Loader.File].
func File(path string) (*enclave.Enclave, error) { return Loader{}.File(context.Background(), path) }

// Dir reads the secrets in a folder: see [Loader.Dir].
func Dir(path string) (map[string]*enclave.Enclave, error) {
	return Loader{}.Dir(context.Background(), path)
}

// Env moves a secret out of the environment: see [Loader.Env].
func Env(name string) (*enclave.Enclave, error) { return Loader{}.Env(context.Background(), name) }

// Credential reads a credential that systemd passed: see [Loader.Credential].
func Credential(name string) (*enclave.Enclave, error) {
	return Loader{}.Credential(context.Background(), name)
}

// FD reads the secret behind a file descriptor: see [Loader.FD].
func FD(n int) (*enclave.Enclave, error) { return Loader{}.FD(context.Background(), n) }

// Reader reads a secret from r: see [Loader.Reader].
func Reader(r io.Reader) (*enclave.Enclave, error) { return Loader{}.Reader(context.Background(), r) }

// Terminal asks for a secret: see [Loader.Terminal].
func Terminal(prompt string) (*enclave.Enclave, error) {
	return Loader{}.Terminal(context.Background(), prompt)
}

// Command reads the secret that a command prints: see [Loader.Command].
func Command(ctx context.Context, argv ...string) (*enclave.Enclave, error) {
	return Loader{}.Command(ctx, argv...)
}

// Reader reads r to its end, straight into locked memory. It does not close r. r must
// not keep the slices that it reads into; a [bufio.Reader] keeps a copy.
//
// If r has a SetReadDeadline method, as files and connections do, the end of ctx
// interrupts a Read; r keeps that deadline, so set another before reading it again.
// Otherwise Reader checks ctx between reads.
func (l Loader) Reader(ctx context.Context, r io.Reader) (*enclave.Enclave, error) {
	return l.seal(ctx, "reader", nil, func(ctx context.Context, consume consumer) error {
		return l.read(ctx, r, 0, consume)
	})
}

// A consumer receives a secret in locked memory, which it may write to and must not
// keep.
type consumer func(secret []byte) error

// A picker returns the part of the bytes that is the secret.
type picker func(secret []byte) ([]byte, error)

// seal returns an enclave with what read gives, or with the part of it that pick
// chooses. Where ctx has no deadline it ends after DefaultTimeout.
func (l Loader) seal(ctx context.Context, source string, pick picker, read func(context.Context, consumer) error) (*enclave.Enclave, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, DefaultTimeout, errTimeout)
		defer cancel()
	}
	return l.sealSlow(ctx, source, pick, read)
}

var errTimeout error = timeoutError{}

type timeoutError struct{}

func (timeoutError) Error() string {
	return fmt.Sprintf("no data for %v; to wait longer, use a context with a deadline", DefaultTimeout)
}
func (timeoutError) Is(target error) bool { return target == context.DeadlineExceeded }

// sealSlow is seal for what may wait for a human.
func (l Loader) sealSlow(ctx context.Context, source string, pick picker, read func(context.Context, consumer) error) (*enclave.Enclave, error) {
	if ctx.Err() != nil {
		return nil, failed(source, context.Cause(ctx))
	}
	var e *enclave.Enclave
	err := read(ctx, func(secret []byte) (err error) {
		if pick != nil {
			if secret, err = pick(secret); err != nil {
				return err
			}
		}
		e, err = l.sealBytes(secret)
		return err
	})
	if err != nil {
		e.Destroy()
		return nil, failed(source, err)
	}
	return e, nil
}

// sealBytes returns an enclave with the secret, without its line end.
func (l Loader) sealBytes(secret []byte) (*enclave.Enclave, error) {
	if secret = l.trim(secret); len(secret) == 0 {
		return nil, errEmpty
	}
	return l.session().NewCopy(secret)
}

// trim cuts one line end off.
func (l Loader) trim(secret []byte) []byte {
	n := len(secret)
	if l.KeepLineEnd || n == 0 || secret[n-1] != '\n' {
		return secret
	}
	if n > 1 && secret[n-2] == '\r' {
		n--
	}
	return secret[:n-1]
}

func (l Loader) session() *enclave.Session {
	if l.Session == nil {
		return enclave.Default()
	}
	return l.Session
}

func (l Loader) maxSize() int {
	if l.MaxSize <= 0 {
		return DefaultMaxSize
	}
	return min(l.MaxSize, math.MaxInt-1) // a reader asks for one more
}

func (l Loader) tooLarge() error {
	return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, l.maxSize())
}

// join is errors.Join that leaves a single error as it is.
func join(first, second error) error {
	switch {
	case second == nil:
		return first
	case first == nil:
		return second
	}
	return errors.Join(first, second)
}
