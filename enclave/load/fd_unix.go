//go:build unix

package load

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"syscall"

	"github.com/memkeep/memkeep/enclave"
)

// FD reads a file descriptor that the program was started with to its end: a pipe, a
// socket or a file of any mode. FD owns the descriptor and closes it, whether it
// succeeds or not. If the number is not open, or is a descriptor of another kind,
// which other code in the process may use, FD returns an error and does not close it. On
// Linux that includes files in /sys/fs/cgroup: Go's runtime keeps some open, and gives them
// the number of a descriptor that the program was started without.
func (l Loader) FD(ctx context.Context, n int) (*enclave.Enclave, error) {
	return l.fd(ctx, n, "fd:"+strconv.Itoa(n), nil)
}

func (l Loader) fd(ctx context.Context, n int, source string, pick picker) (*enclave.Enclave, error) {
	// Before all that may fail: FD closes it.
	f, err := takeOver(n)
	if err != nil {
		return nil, failed(source, err)
	}
	defer f.Close()
	return l.seal(ctx, source, pick, func(ctx context.Context, consume consumer) error {
		if info, err := f.Stat(); err == nil && info.Size() > int64(l.maxSize()) {
			return fmt.Errorf("%w: it has %d", l.tooLarge(), info.Size())
		}
		return l.read(ctx, f, 0, consume)
	})
}

// takeOver returns the descriptor as a file that a deadline can interrupt.
func takeOver(n int) (*os.File, error) {
	var st syscall.Stat_t
	if n < 0 || n > math.MaxInt32 {
		return nil, syscall.EBADF
	}
	if err := syscall.Fstat(n, &st); err != nil {
		return nil, err
	}
	switch st.Mode & syscall.S_IFMT {
	case syscall.S_IFREG:
		if runtimeFile(n) {
			return nil, fmt.Errorf("%w: it is a control group's file, opened by Go's runtime: the program was started without this descriptor", ErrNotFile)
		}
	case syscall.S_IFIFO, syscall.S_IFSOCK:
		// Without this a read could not be interrupted. Whoever shares the open
		// file, its reading end, sees it too.
		if err := syscall.SetNonblock(n, true); err != nil {
			return nil, errors.Join(err, syscall.Close(n))
		}
	case syscall.S_IFDIR:
		return nil, fmt.Errorf("%w: it is a directory", ErrNotFile)
	case syscall.S_IFCHR:
		return nil, fmt.Errorf("%w: it is a device or a terminal, for which there is Terminal", ErrNotFile)
	default:
		return nil, fmt.Errorf("%w: it is of another kind", ErrNotFile)
	}
	syscall.CloseOnExec(n) // a program that starts meanwhile is not to have it
	f := os.NewFile(uintptr(n), "descriptor")
	if f == nil {
		return nil, fs.ErrInvalid
	}
	return f, nil
}
