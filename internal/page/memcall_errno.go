//go:build !dragonfly && !js && !wasip1 && !plan9

package page

import (
	"strings"
	"syscall"
)

// withErrno names the call, and finds the system's error again: memcall keeps its
// text alone.
func withErrno(call string, err error) error {
	if err == nil {
		return nil
	}
	for _, errno := range shortErrnos {
		if strings.Contains(err.Error(), errno.Error()) {
			return &callError{call, &textError{err.Error(), errno}}
		}
	}
	return &callError{call, err}
}

// textError is an error whose cause was found in its text.
type textError struct {
	text  string
	errno syscall.Errno
}

func (e *textError) Error() string { return e.text }
func (e *textError) Unwrap() error { return e.errno }
