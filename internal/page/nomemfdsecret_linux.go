//go:build linux && (mips || mipsle || mips64 || mips64le)

package page

import "golang.org/x/sys/unix"

// memfdSecret: the MIPS ports of Linux have no memfd_secret(2).
func memfdSecret(int) (fd int, err error) { return -1, unix.ENOSYS }
