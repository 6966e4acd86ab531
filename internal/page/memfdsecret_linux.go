//go:build linux && !mips && !mipsle && !mips64 && !mips64le

package page

import "golang.org/x/sys/unix"

// sysMemfdSecret is the call's number on every architecture of the unified
// table; x/sys names it for three of them alone.
const sysMemfdSecret = 447

// memfdSecret is the system call itself. An architecture or kernel without it
// answers ENOSYS.
func memfdSecret(flags int) (fd int, err error) {
	r, _, errno := unix.Syscall(sysMemfdSecret, uintptr(flags), 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(r), nil
}
