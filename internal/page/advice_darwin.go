package page

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// advised: macOS has no advice that keeps pages out of a core dump; only a
// core limit of zero, which is its default, does.
var advised = Protection{Fork: "VM_INHERIT_NONE", Exit: "MADV_ZERO_WIRED_PAGES"}

// inheritNone is VM_INHERIT_NONE of mach/vm_inherit.h, which x/sys does not
// name.
const inheritNone = 2

// exclude: madvise(2), MADV_ZERO_WIRED_PAGES "Indicates that the application
// would like the wired pages in this address range to be zeroed out if the
// address range is deallocated without first unwiring the pages (i.e. a
// munmap(2) without a preceding munlock(2) or the application quits)".
// vm_inherit, VM_INHERIT_NONE "Provides no access to the region for child
// tasks".
func exclude(b []byte) error {
	if err := unix.Madvise(b, unix.MADV_ZERO_WIRED_PAGES); err != nil {
		return fmt.Errorf("madvise: %w", err)
	}
	return minherit(b, inheritNone)
}
