package load

import "golang.org/x/sys/unix"

// The requests of ioctl_tty(2) that tcgetattr and tcsetattr with TCSAFLUSH make.
const (
	getTermios      = unix.TCGETS
	setTermiosFlush = unix.TCSETSF
)
