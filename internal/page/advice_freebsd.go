package page

import (
	"fmt"

	"golang.org/x/sys/unix"
)

var advised = Protection{Dump: "MADV_NOCORE", Fork: "INHERIT_NONE"}

// inheritNone is INHERIT_NONE of sys/mman.h, which x/sys does not name.
const inheritNone = 2

// exclude: madvise(2), MADV_NOCORE "Region is not included in a core file";
// minherit(2), INHERIT_NONE "prevents the address space in question from being
// inherited at all. The address space will be unmapped in the child".
// INHERIT_ZERO would leave the child zeroed pages, which it has no use for.
func exclude(b []byte) error {
	if err := unix.Madvise(b, unix.MADV_NOCORE); err != nil {
		return fmt.Errorf("madvise: %w", err)
	}
	return minherit(b, inheritNone)
}
