//go:build linux || darwin || netbsd || openbsd

package page

import "golang.org/x/sys/unix"

func setRlim(r *unix.Rlimit, soft uint64) { r.Cur = soft }
