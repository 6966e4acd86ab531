//go:build !dragonfly && !js && !wasip1 && !plan9

package page

import "errors"

// callError is a system call that failed.
type callError struct {
	call string
	err  error
}

func (e *callError) Error() string { return e.call + ": " + e.err.Error() }

// Unwrap returns the system's error.
func (e *callError) Unwrap() error { return e.err }

// refusal makes a *LockError of what's error if a failed call in it says that a
// resource ran out, and otherwise returns err as it is.
func refusal(what string, size int, err error) error {
	var known *LockError
	var failed *callError
	if err == nil || errors.As(err, &known) || !errors.As(err, &failed) {
		return err
	}
	if r := resourceOf(failed, size); r != "" {
		return &LockError{what, size, r, err}
	}
	return err
}
