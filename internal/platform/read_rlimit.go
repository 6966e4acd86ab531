//go:build linux || darwin || freebsd || netbsd || openbsd

package platform

import "golang.org/x/sys/unix"

// coreLimit returns the soft RLIMIT_CORE: getrlimit(2), "the maximum size of a
// core file that may be created", in bytes.
func coreLimit() (limit uint64, ok bool) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &r); err != nil {
		return 0, false
	}
	return uint64(r.Cur), true
}
