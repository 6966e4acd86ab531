//go:build !unix

package load

import (
	"context"
	"os"
	"strconv"
	"syscall"

	"github.com/memkeep/memkeep/enclave"
)

// FD reads the secret behind a file descriptor, on Windows a handle, that the
// program was started with, to its end. FD takes it over and closes it. The end
// of ctx does not interrupt a read that is under way.
func (l Loader) FD(ctx context.Context, n int) (*enclave.Enclave, error) {
	return l.fd(ctx, n, "fd:"+strconv.Itoa(n), nil)
}

func (l Loader) fd(ctx context.Context, n int, source string, pick picker) (*enclave.Enclave, error) {
	if n < 0 {
		return nil, failed(source, syscall.EINVAL)
	}
	f := os.NewFile(uintptr(n), "descriptor")
	if f == nil {
		return nil, failed(source, os.ErrInvalid)
	}
	defer f.Close()
	return l.seal(ctx, source, pick, func(ctx context.Context, consume consumer) error {
		return l.read(ctx, f, 0, consume)
	})
}
