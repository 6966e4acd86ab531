//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package load

import "golang.org/x/sys/unix"

// The requests that tcgetattr and tcsetattr with TCSAFLUSH make.
const (
	getTermios      = unix.TIOCGETA
	setTermiosFlush = unix.TIOCSETAF
)
