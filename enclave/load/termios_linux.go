package load

import "golang.org/x/sys/unix"

// The requests of ioctl_tty(2) that tcgetattr and tcsetattr with TCSAFLUSH make.
const (
	getTermios      = unix.TCGETS
	setTermiosFlush = unix.TCSETSF
)

// longestLine is how many bytes of a line, with its end, are surely all that was typed.
// termios(3): "lines longer than 4096 chars are truncated; after 4095 characters, input
// processing [...] continues, but any input data after 4095 characters up to (but not
// including) any terminating newline is discarded".
const longestLine = 4095
