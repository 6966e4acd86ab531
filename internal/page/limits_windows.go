package page

import (
	"errors"
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/windows"
)

// workingSet is the bounds of a process's working set, in bytes, and how they
// are enforced. The minimum bounds what the process may lock.
type workingSet struct {
	min, max uint64
	flags    uint32
}

var errFixed = errors.New("a hard maximum is in the way (QUOTA_LIMITS_HARDWS_MAX_ENABLE)")

// grown returns w with a minimum that is n bytes larger, and as much room above
// it as before. A maximum that somebody had enforced stays where it is.
func (w workingSet) grown(n uint64) (workingSet, error) {
	next := workingSet{w.min + n, w.max + n, w.flags}
	if w.hardMax() {
		next.max = w.max
		if next.min > next.max {
			return w, errFixed
		}
	}
	if next.min < n || next.max < n || next.max > math.MaxUint>>1 {
		return w, fmt.Errorf("%d bytes more are beyond the address space", n)
	}
	return next, nil
}

func (w workingSet) hardMax() bool { return w.flags&windows.QUOTA_LIMITS_HARDWS_MAX_ENABLE != 0 }

func readWorkingSet() (workingSet, error) {
	var lower, upper uintptr
	var flags uint32
	windows.GetProcessWorkingSetSizeEx(windows.CurrentProcess(), &lower, &upper, &flags)
	// x/sys drops the error; no working set has a minimum of zero.
	if lower == 0 {
		return workingSet{}, errors.New("GetProcessWorkingSetSizeEx failed")
	}
	return workingSet{uint64(lower), uint64(upper), flags}, nil
}

func setWorkingSet(w workingSet) error {
	return windows.SetProcessWorkingSetSizeEx(windows.CurrentProcess(), uintptr(w.min), uintptr(w.max), w.flags)
}

// ReadLimits returns the minimum working set as the limit in force, and how far
// it may grow as the hard one: to an enforced maximum, or not at all in a job
// object that gives its processes their working set (JOB_OBJECT_LIMIT_WORKINGSET).
// A backend raises it as it locks.
func ReadLimits() (Limits, error) {
	w, err := readWorkingSet()
	if err != nil {
		return Limits{}, err
	}
	return limitsOf(w, jobFixesWorkingSet()), nil
}

func limitsOf(w workingSet, fixed bool) Limits {
	l := Limits{Soft: w.min, Hard: Unlimited, RaisedAsLocked: true}
	switch {
	case fixed:
		l.Hard = w.min
	case w.hardMax():
		l.Hard = max(w.min, w.max)
	}
	return l
}

// jobFixesWorkingSet: JOBOBJECT_BASIC_LIMIT_INFORMATION, "Causes all processes
// associated with the job to use the same minimum and maximum working set sizes."
// The call fails for a process that is in no job.
func jobFixesWorkingSet() bool {
	var info windows.JOBOBJECT_BASIC_LIMIT_INFORMATION
	err := windows.QueryInformationJobObject(0, windows.JobObjectBasicLimitInformation,
		uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), nil)
	return err == nil && info.LimitFlags&windows.JOB_OBJECT_LIMIT_WORKINGSET != 0
}

// RaiseSoftLimit raises the minimum working set to want bytes. It never lowers it.
// Pools don't need it: a minimum working set keeps as much of the machine's memory
// from everybody else, so a backend raises it with what it locks and no sooner.
func RaiseSoftLimit(want uint64) error {
	growing.Lock()
	defer growing.Unlock()
	now, err := readWorkingSet()
	if err != nil || want <= now.min {
		return err
	}
	next, err := now.grown(want - now.min)
	if err == nil {
		err = setWorkingSet(next)
	}
	if err != nil {
		return fmt.Errorf("raising the minimum working set from %d to %d bytes: %w", now.min, want, err)
	}
	return nil
}
