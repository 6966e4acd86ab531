//go:build aix || darwin || freebsd || linux || netbsd || openbsd || solaris

package page

import (
	"github.com/awnumar/memcall"
	"golang.org/x/sys/unix"
)

// lockCall names the system call behind memcall.Lock.
const lockCall = "mlock"

// relockAfterNone: mlock(2) holds whatever the access becomes.
const relockAfterNone = false

// system: memcall is all that these need.
type system struct{}

func realSystem() system { return system{} }

func (s single) lock(b []byte) error {
	err := s.hook.before("lock")
	if err == nil {
		err = memcall.Lock(b)
	}
	if err != nil {
		return &LockError{lockCall, len(b), LockedMemory, withErrno(lockCall, err)}
	}
	return nil
}

func (s single) exclude(b []byte) error {
	if err := s.hook.before("exclude"); err != nil {
		return err
	}
	if err := exclude(b); err != nil {
		return err
	}
	if Advised().Dump == "" {
		return errNotExcluded
	}
	return nil
}

// include has nothing to take back: what keeps pages out of a core dump ends
// with their mapping.
func (single) include(*Run) error { return nil }

// release unmaps what memcall mapped, as it is: no other process gets to see the
// pages before the system clears them.
func release(whole []byte) error { return unix.Munmap(whole) }
