//go:build !linux && !darwin && !freebsd && !netbsd && !openbsd && !windows

package page

// ReadLimits: the system has no limit that a process can read in bytes; a lock
// that it refuses is a LockError.
func ReadLimits() (Limits, error) {
	return Limits{Soft: Unlimited, Hard: Unlimited}, nil
}

// RaiseSoftLimit does nothing: there is no limit.
func RaiseSoftLimit(uint64) error { return nil }
