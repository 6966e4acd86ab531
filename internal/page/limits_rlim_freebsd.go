package page

import "golang.org/x/sys/unix"

// setRlim: FreeBSD's rlim_t is signed, and its RLIM_INFINITY the largest of it.
func setRlim(r *unix.Rlimit, soft uint64) { r.Cur = int64(soft &^ (1 << 63)) }
