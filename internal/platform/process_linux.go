package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ReadProcess reads what the system tells of another process, and the facts of
// the system around it. A process that is not there is [os.ErrNotExist].
func ReadProcess(pid int) (Process, Facts, error) {
	root := os.DirFS("/")
	p, f, err := FromLinuxProcess(root, pid, func(name string) (int, error) {
		info, err := fs.Stat(root, name)
		if err != nil {
			return 0, err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return 0, errors.ErrUnsupported
		}
		return int(stat.Uid), nil
	})
	// It may end while it is read.
	if errors.Is(err, syscall.ESRCH) {
		err = fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return p, f, err
}
