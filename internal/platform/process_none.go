//go:build !linux

package platform

import (
	"errors"
	"fmt"
	"runtime"
)

// ReadProcess can't look at another process here.
func ReadProcess(int) (Process, Facts, error) {
	return Process{}, Facts{}, fmt.Errorf("%s shows no other process's memory: %w", runtime.GOOS, errors.ErrUnsupported)
}
