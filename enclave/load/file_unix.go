//go:build unix

package load

import (
	"io/fs"
	"os"
	"syscall"
)

// openFlags open a FIFO that has no writer at once, so that the context can end
// the wait for one.
const openFlags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY

// errAgain is what a FIFO says that the runtime's poller does not watch.
const errAgain = syscall.EAGAIN

// exposed reports whether every user may read or write the file.
func exposed(mode fs.FileMode) bool { return mode.Perm()&0o006 != 0 }
