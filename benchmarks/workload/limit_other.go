//go:build !linux

package workload

import (
	"errors"
	"os"
	"syscall"
)

func lowerLimit() error {
	if os.Getenv(EnvLimit) == "" {
		return nil
	}
	return errors.New("limits are lowered on Linux alone")
}

// Unprivileged returns nothing special.
func Unprivileged() *syscall.SysProcAttr { return nil }
