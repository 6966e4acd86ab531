//go:build linux || freebsd || dragonfly || aix || solaris || illumos

package random

import (
	"io"
	"os"
)

// readDevice reads /dev/urandom, for kernels without getrandom(2) and systems
// that have it only in their C library. os.File reads straight into b. Before
// the generator is seeded, old kernels do not wait: random(4).
func readDevice(b []byte) error {
	f, err := os.Open("/dev/urandom")
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.ReadFull(f, b)
	return err
}
