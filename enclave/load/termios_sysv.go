//go:build aix || solaris

package load

import "golang.org/x/sys/unix"

// The requests that tcgetattr and tcsetattr with TCSAFLUSH make.
const (
	getTermios      = unix.TCGETS
	setTermiosFlush = unix.TCSETSF
)
