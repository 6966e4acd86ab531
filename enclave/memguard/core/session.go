package core

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"sync/atomic"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/locked"
)

// allowUnlocked names the environment variable that stands for enclave.Config's
// AllowUnlocked, since the programs that use this package can't be changed. The remedy
// of a locked.LimitError names it too.
const allowUnlocked = "MEMKEEP_ALLOW_UNLOCKED"

// session is created on first use.
var session struct {
	sync.Mutex // held while it is made
	atomic.Pointer[enclave.Session]
}

// Session returns the session behind this package and memguard, and creates it on first
// use. Its budget is all that the process may lock, and buffers may take all of it; Use
// then waits until one is destroyed. [Purge] also purges what is made with the session.
// The session's own Purge locks no buffer's RWMutex. It must not be closed. The error is
// a *[locked.LimitError] or [locked.ErrUnsupported]; the next call tries again.
//
// If the environment variable MEMKEEP_ALLOW_UNLOCKED is 1 when the session is created,
// it has memory that is not locked where the process may lock none: see
// AllowUnlocked in [enclave.Config].
//
// It is not in memguard.
func Session() (*enclave.Session, error) {
	if s := session.Load(); s != nil {
		return s, nil
	}
	session.Lock()
	defer session.Unlock()
	if s := session.Load(); s != nil {
		return s, nil
	}
	// The session cuts this to what there is.
	made, err := bridge.NewBareSession(enclave.Config{MaxLockedBytes: math.MaxInt, AllowUnlocked: os.Getenv(allowUnlocked) == "1"})
	if err != nil {
		return nil, err
	}
	s := made.(*enclave.Session)
	session.Store(s)
	return s, nil
}

// Purge replaces the session key and destroys every buffer under its lock, so it waits
// for callers that hold one. Enclaves made before never open again; new ones work, also
// while Purge runs. If something wrote before a buffer's data, Purge panics after
// everything is wiped. It is safe for concurrent use.
func Purge() {
	if err := purge(); err != nil {
		panic(translate(err, 0))
	}
}

// Exit purges and ends the process with the code.
func Exit(c int) {
	// What a purge could not do, the end of the process does.
	_ = purge()
	os.Exit(c)
}

// Panic purges and then panics with v. The program may recover and continue.
func Panic(v interface{}) {
	Purge()
	panic(v)
}

// errCanary has memguard's words, and [locked.ErrCorrupted] as its cause.
var errCanary error = canaryError{}

type canaryError struct{}

func (canaryError) Error() string {
	return "<memguard::core::buffer> canary verification failed; buffer overflow detected"
}

func (canaryError) Unwrap() error { return locked.ErrCorrupted }

// translate turns an error of the library, of a call that wanted size bytes,
// into the one that this package returns.
func translate(err error, size int) error {
	var limit *locked.LimitError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, locked.ErrCorrupted):
		return errCanary
	case errors.Is(err, enclave.ErrPurged), errors.Is(err, enclave.ErrDecrypt):
		return ErrDecryptionFailed
	case errors.Is(err, locked.ErrDestroyed):
		return ErrBufferExpired
	case errors.As(err, &limit): // which says more than that the budget is in use
	case errors.Is(err, locked.ErrExhausted):
		return exhausted(err, size)
	}
	return err
}

// must panics with errors of functions that can't return them. A broken canary, which
// is an attack or a bug that may have reached other memory, purges first; after any
// other error the program may recover and continue.
func must(err error) {
	switch {
	case err == nil, errors.Is(err, locked.ErrDestroyed):
	case errors.Is(err, locked.ErrCorrupted):
		Panic(errCanary)
	default:
		panic(withRemedy(translate(err, 0)))
	}
}

// withRemedy adds the remedy to a limit's figures, because a panic shows only its text.
func withRemedy(err error) error {
	var limit *locked.LimitError
	if errors.As(err, &limit) {
		return fmt.Errorf("%w. %s", err, limit.Remedy())
	}
	return err
}

// exhausted rewords a budget in use: here it is all that the process may lock, so the
// limit is reached.
func exhausted(cause error, size int) error {
	e := &locked.LimitError{Resource: locked.LockedMemory, Size: size, Requested: size, Err: cause}
	if s := session.Load(); s != nil {
		stats := s.Stats()
		e.Locked, e.Budget = stats.LockedBytes, stats.Budget
	}
	// Without the limits the error still says what was asked for.
	if l, err := page.ReadLimits(); err == nil {
		e.Soft, e.Hard = l.Soft, l.Hard
		e.Requested = (size + locked.CanarySize + page.Size() - 1) / page.Size() * page.Size()
	}
	return e
}
