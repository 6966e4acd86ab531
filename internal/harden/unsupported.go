//go:build !linux

package harden

import (
	"errors"
	"fmt"
	"runtime"
)

// unsupported is the error of a measure that this system does not have.
func unsupported(what string) error {
	return fmt.Errorf("%s on %s: %w", what, runtime.GOOS, errors.ErrUnsupported)
}
