package page

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/windows"
)

// growing is held while the minimum working set grows. The process has one, for
// all backends: two that read and set it at once would undo each other's growth.
var growing sync.Mutex

// lock locks b. VirtualLock: "The maximum number of pages that a process can lock
// is equal to the number of pages in its minimum working set minus a small
// overhead", which is some 30 pages by default. When they are used up, the minimum
// grows by what is to be locked: never before, and never by more than is locked.
func (s single) lock(b []byte) error {
	err := s.virtualLock(b)
	if !errors.Is(err, windows.ERROR_WORKING_SET_QUOTA) {
		return lockError(b, err)
	}
	growing.Lock()
	defer growing.Unlock()
	// It may have grown while this call waited for its turn.
	if err = s.virtualLock(b); errors.Is(err, windows.ERROR_WORKING_SET_QUOTA) {
		err = s.lockGrowing(b, err)
	}
	return lockError(b, err)
}

// overhead is how much more than the pages themselves the minimum may have to
// grow by, in bytes: what Windows keeps of it has no documented figure, and is
// some 20 pages of the default 50. It is tried only after a growth without it,
// so that it is spent once and not with each lock.
const overhead = 64 * 4096

// lockGrowing locks b after the minimum working set grew for it. When that
// fails the minimum is what it was, and the error says why, after the refusal
// that led here. The caller holds growing.
func (s single) lockGrowing(b []byte, refusal error) error {
	before, err := s.workingSet()
	if err != nil {
		return fmt.Errorf("%w; %w", refusal, err)
	}
	for _, n := range []uint64{uint64(len(b)), uint64(len(b)) + overhead} {
		grown, err := before.grown(n)
		if err == nil {
			err = s.setWorkingSet(grown)
		}
		if err != nil {
			refusal = fmt.Errorf("%w; the minimum working set of %d bytes can't grow by %d: %w", refusal, before.min, n, err)
			break
		}
		if refusal = s.virtualLock(b); refusal == nil {
			return nil
		}
		if !errors.Is(refusal, windows.ERROR_WORKING_SET_QUOTA) {
			break
		}
	}
	now, err := s.workingSet()
	if err == nil && now != before {
		err = s.setWorkingSet(before)
	}
	return errors.Join(refusal, err)
}

// lockError makes a LockError of what a limit or the machine's memory is to
// blame for. Anything else, like ERROR_NOACCESS for pages that somebody made
// inaccessible meanwhile, is none: no limit would help.
func lockError(b []byte, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, windows.ERROR_WORKING_SET_QUOTA) {
		return &LockError{lockCall, len(b), LockedMemory, err}
	}
	for _, short := range shortErrnos {
		if errors.Is(err, short) {
			return &LockError{lockCall, len(b), Memory, err}
		}
	}
	return fmt.Errorf("%s of %d bytes: %w", lockCall, len(b), err)
}

// shortages are what Windows answers when the machine has no more memory.
var shortErrnos = []windows.Errno{
	windows.ERROR_NOT_ENOUGH_MEMORY,
	windows.ERROR_NO_SYSTEM_RESOURCES,
	windows.ERROR_COMMITMENT_LIMIT,
}

// resourceOf says what ran out when a call failed, "" if nothing did.
func resourceOf(failed *callError, _ int) Resource {
	if slices.ContainsFunc(shortErrnos, func(e windows.Errno) bool { return errors.Is(failed, e) }) {
		return Memory
	}
	return ""
}

// virtualLock is not memcall.Lock, which keeps the text of an error alone: its
// code decides here.
func (s single) virtualLock(b []byte) error {
	if err := s.hook.before("lock"); err != nil {
		return err
	}
	return s.system.lock(b)
}

func (s single) workingSet() (workingSet, error) {
	if err := s.hook.before("GetProcessWorkingSetSizeEx"); err != nil {
		return workingSet{}, fmt.Errorf("GetProcessWorkingSetSizeEx: %w", err)
	}
	return s.system.workingSet()
}

func (s single) setWorkingSet(w workingSet) error {
	err := s.hook.before("SetProcessWorkingSetSizeEx")
	if err == nil {
		err = s.system.setWorkingSet(w)
	}
	if err != nil {
		return fmt.Errorf("SetProcessWorkingSetSizeEx to %d and %d bytes: %w", w.min, w.max, err)
	}
	return nil
}
