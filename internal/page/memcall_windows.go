package page

import "golang.org/x/sys/windows"

// mechanisms of Windows. A second mapping is left out: the package doc
// says why.
var mechanisms = []mechanism{{Mlock, openMemcall}}

// lockCall names the system call that locks.
const lockCall = "VirtualLock"

// relockAfterNone: the status that Windows gives for it says what happens
// (STATUS_WAS_UNLOCKED, 0x40000017): "The page protection of a locked page was
// changed to 'No Access' and the page was unlocked from memory and from the
// process." A run is wiped before it becomes inaccessible, so nothing secret is
// unlocked in between.
const relockAfterNone = true

// system is the calls that memcall doesn't have, or of whose errors it keeps the
// text alone. Tests put another in its place: a Windows that the machine at hand
// is not.
type system struct {
	lock          func(b []byte) error
	workingSet    func() (workingSet, error)
	setWorkingSet func(workingSet) error
	exclude       func(b []byte) error
	include       func(b []byte) error
}

func realSystem() system {
	return system{
		lock:          func(b []byte) error { return windows.VirtualLock(address(b), uintptr(len(b))) },
		workingSet:    readWorkingSet,
		setWorkingSet: setWorkingSet,
		exclude:       excludeFromReports,
		include:       includeInReports,
	}
}

// release: VirtualFree, "the function does not fail if you attempt to decommit an
// uncommitted page", and takes pages of any protection.
func release(whole []byte) error { return windows.VirtualFree(address(whole), 0, windows.MEM_RELEASE) }
