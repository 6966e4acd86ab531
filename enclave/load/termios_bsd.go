//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package load

import "golang.org/x/sys/unix"

// The requests that tcgetattr and tcsetattr with TCSAFLUSH make.
const (
	getTermios      = unix.TIOCGETA
	setTermiosFlush = unix.TIOCSETAF
)

// longestLine is how many bytes of a line, with its end, are surely all that was typed.
// TTYHOG, which is 1024 in most of these systems, bounds what a terminal keeps.
const longestLine = 1023
