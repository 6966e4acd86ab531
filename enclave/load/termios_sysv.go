//go:build aix || solaris

package load

import "golang.org/x/sys/unix"

// The requests that tcgetattr and tcsetattr with TCSAFLUSH make.
const (
	getTermios      = unix.TCGETS
	setTermiosFlush = unix.TCSETSF
)

// longestLine is how many bytes of a line, with its end, are surely all that was typed:
// what limits.h has as MAX_CANON is 256 or more.
const longestLine = 255
