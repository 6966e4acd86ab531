package load

import (
	"context"
	"fmt"
	"os"
	"strings"
	"unsafe"

	"github.com/memkeep/memkeep/enclave"
)

// Env moves a secret out of the environment: it seals the variable's value,
// overwrites the process's copies of it, and unsets the variable. A second call
// finds nothing, and neither do child processes that start later.
//
// On Linux the copies are the block that /proc/PID/environ shows and the one that
// the Go runtime makes at start; Env overwrites both. On other Unix systems it
// overwrites the runtime's copy alone. A program built with cgo has another copy if
// it set the variable itself. Strings that os.Getenv or os.Environ returned earlier
// share the runtime's copy and become zeros, so call Env at start, before other
// goroutines read the variable.
//
// On Windows Env only seals the value and unsets the variable: the copies of the
// system and of the runtime, and strings returned earlier, stay in memory as they are.
//
// If the value can't be sealed, the environment is unchanged.
func (l Loader) Env(ctx context.Context, name string) (*enclave.Enclave, error) {
	return l.env(ctx, name, "env:"+name, nil)
}

func (l Loader) env(ctx context.Context, name, source string, pick picker) (*enclave.Enclave, error) {
	if name == "" || strings.ContainsAny(name, "=\x00") {
		return nil, failed(source, os.ErrInvalid)
	}
	value, ok := os.LookupEnv(name)
	if !ok {
		return nil, failed(source, ErrNotSet)
	}
	// These bytes are the runtime's own copy, on Windows one for this call. They are on
	// the heap, not a constant: see wipeString.
	secret := unsafe.Slice(unsafe.StringData(value), len(value))
	if len(secret) > l.maxSize() {
		return nil, failed(source, l.tooLarge())
	}
	e, err := l.seal(ctx, source, nil, func(ctx context.Context, consume consumer) error {
		if pick == nil {
			return consume(secret)
		}
		return l.pickCopy(ctx, secret, pick, consume)
	})
	if err != nil {
		return nil, err
	}
	wipeEnvironment(name)
	wipeString(secret)
	if err := os.Unsetenv(name); err != nil {
		e.Destroy()
		return nil, failed(source, fmt.Errorf("unsetting it: %w", err))
	}
	return e, nil
}

// pickCopy calls consume with the part of the bytes that pick chooses. pick works on
// a copy in locked memory, which it may write to.
func (l Loader) pickCopy(ctx context.Context, from []byte, pick picker, consume consumer) error {
	e, err := l.session().NewCopy(from)
	if err != nil {
		return err
	}
	defer e.Destroy()
	return l.pickFrom(ctx, e, pick, consume)
}

// pickFrom is pickCopy of what an enclave holds.
func (l Loader) pickFrom(ctx context.Context, from *enclave.Enclave, pick picker, consume consumer) (err error) {
	b, err := l.session().NewBufferContext(ctx, max(from.Size(), 1))
	if err != nil {
		return err
	}
	defer func() { err = join(err, b.Destroy()) }()
	return b.Use(func(text []byte) error {
		if _, err := from.OpenInto(text); err != nil {
			return err
		}
		secret, err := pick(text)
		if err != nil {
			return err
		}
		return consume(secret)
	})
}

// wipeString zeroes the bytes of a string that os.LookupEnv returned. The
// language has strings immutable, and a compiler may put them in read-only
// memory; but syscall makes each string of the environment at run time, from
// what the system passed or from what Setenv was given, so it lies on the heap.
func wipeString(b []byte) { clear(b) }
