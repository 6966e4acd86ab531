//go:build !dragonfly && !js && !wasip1 && !plan9

package page

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/awnumar/memcall"
)

// single is the backend over memcall: private memory at one address, locked with
// mlock(2) or VirtualLock. It works wherever memory can be locked, and changes the
// access of its only address. Where a closed view loses its lock, single locks it again
// before anything can be written to it.
type single struct {
	hook     Hook
	system   system // what an operating system needs besides memcall
	unlocked bool   // the pages are not locked
}

func openMemcall(hook Hook) (Backend, error) { return single{hook, realSystem(), false}, nil }

func openUnlocked(hook Hook) (Backend, error) { return single{hook, realSystem(), true}, nil }

func (s single) Name() string {
	if s.unlocked {
		return Unlocked
	}
	return Mlock
}

func (single) Charge(size int, _ bool) int { return size }

func (s single) Map(size int, _ bool) (*Run, error) {
	r, err := s.mapPages(size)
	return r, refusal("mapping", size, err)
}

func (s single) mapPages(size int) (*Run, error) {
	// Where nothing limits what a process locks, the system would fill its memory first.
	if memory := machineMemory(); memory != 0 && uint64(size) > memory {
		return nil, &LockError{"mapping", size, Memory, syscall.ENOMEM}
	}
	guard := Size()
	whole, err := s.alloc(guard + size + guard)
	if err != nil {
		return nil, err
	}
	pages := whole[guard : guard+size : guard+size]
	r := &Run{Window: pages, View: pages, whole: whole}
	if err := s.prepare(r, guard); err != nil {
		if unmapErr := s.Unmap(r); unmapErr != nil {
			return r, errors.Join(err, unmapErr)
		}
		return nil, err
	}
	return r, nil
}

func (s single) prepare(r *Run, guard int) error {
	if err := s.protect(r.whole[:guard], None); err != nil {
		return err
	}
	if err := s.protect(r.whole[len(r.whole)-guard:], None); err != nil {
		return err
	}
	err := s.exclude(r.View)
	if err != nil && !errors.Is(err, errNotExcluded) {
		return fmt.Errorf("exclude: %w", err)
	}
	r.excluded, r.Dumpable = err == nil, err != nil
	if s.unlocked {
		return nil
	}
	return s.lock(r.View)
}

func (s single) Protect(r *Run, a Access) error {
	if err := s.protect(r.View, a); err != nil {
		return refusal("making "+a.String(), len(r.View), err)
	}
	if !relockAfterNone || s.unlocked {
		return nil
	}
	if a == None {
		r.unlocked, r.Exposed = true, false
		return nil
	}
	if !r.unlocked && !r.Exposed {
		return nil
	}
	if err := s.lock(r.View); err != nil {
		if r.unlocked {
			// A secret must not come to lie there.
			err = errors.Join(err, s.protect(r.View, None))
		}
		return err
	}
	r.unlocked = false
	return nil
}

func (s single) Unmap(r *Run) error {
	if err := s.include(r); err != nil {
		return err
	}
	if err := s.hook.before("free"); err != nil {
		return fmt.Errorf("free: %w", err)
	}
	// memcall makes the pages writable, wipes them once more and releases
	// them, which also unlocks them.
	err := memcall.Free(r.whole)
	if err != nil && release(r.whole) == nil {
		// What can't be made writable, and so can't be wiped, is better gone.
		return nil
	}
	return err
}

func (s single) alloc(size int) ([]byte, error) {
	if err := s.hook.before("alloc"); err != nil {
		return nil, &callError{"alloc", err}
	}
	b, err := memcall.Alloc(size)
	return b, withErrno("alloc", err)
}

func (s single) protect(b []byte, a Access) error {
	if err := s.hook.before("protect"); err != nil {
		return &callError{"protect", err}
	}
	flag := memcall.NoAccess()
	switch a {
	case Read:
		flag = memcall.ReadOnly()
	case ReadWrite:
		flag = memcall.ReadWrite()
	}
	return withErrno("protect", memcall.Protect(b, flag))
}
