//go:build linux || darwin || freebsd || netbsd || openbsd

package page

import (
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// ReadLimits returns the process's RLIMIT_MEMLOCK: getrlimit(2), "the maximum
// number of bytes of memory that may be locked into RAM".
func ReadLimits() (Limits, error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &r); err != nil {
		return Limits{}, fmt.Errorf("getrlimit of RLIMIT_MEMLOCK: %w", err)
	}
	exempt, err := exemptFromLimit()
	if err != nil {
		return Limits{}, err
	}
	return Limits{Soft: fromRlim(uint64(r.Cur)), Hard: fromRlim(uint64(r.Max)), Exempt: exempt}, nil
}

// RaiseSoftLimit raises the soft limit to want bytes, or to the hard limit
// where that is less. It never lowers it.
func RaiseSoftLimit(want uint64) error {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &r); err != nil {
		return fmt.Errorf("getrlimit of RLIMIT_MEMLOCK: %w", err)
	}
	soft := min(want, fromRlim(uint64(r.Max)))
	if soft <= fromRlim(uint64(r.Cur)) {
		return nil
	}
	setRlim(&r, soft)
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &r); err != nil {
		return fmt.Errorf("raising the soft RLIMIT_MEMLOCK to %d bytes: %w", soft, err)
	}
	return nil
}

// fromRlim reads a limit. The systems write "unlimited" as the largest value
// of their own, signed or unsigned; no real limit comes near either.
func fromRlim(v uint64) uint64 {
	if v >= math.MaxInt64 {
		return Unlimited
	}
	return v
}
