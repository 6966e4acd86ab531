//go:build !(linux || freebsd || dragonfly || netbsd || darwin || openbsd || windows || aix || solaris || illumos)

package random

import "crypto/rand"

// read asks crypto/rand: no memory can be locked here, so no secret is kept.
func read(b []byte) error {
	_, err := rand.Read(b)
	return err
}
