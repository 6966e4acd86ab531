package coffer

import (
	"testing"
	"unsafe"

	"github.com/memkeep/memkeep/internal/percpu"
)

// Operations on different processors would take cache lines from each other.
func TestWorkspacesShareNoCacheLine(t *testing.T) {
	t.Parallel()
	c := newInternal(t)
	owner := map[uintptr]uint32{}
	for _, l := range c.workspaces {
		for _, written := range []struct {
			at   unsafe.Pointer
			size uintptr
		}{
			{unsafe.Pointer(l), unsafe.Offsetof(l.failed) + unsafe.Sizeof(l.failed)},
			{unsafe.Pointer(l.state), unsafe.Sizeof(*l.state)},
			{unsafe.Pointer(l.nonce), unsafe.Sizeof(*l.nonce)},
		} {
			at := uintptr(written.at)
			for line := at / percpu.CacheLine; line <= (at+written.size-1)/percpu.CacheLine; line++ {
				if other, taken := owner[line]; taken && other != l.number {
					t.Errorf("workspaces %d and %d share a cache line", other, l.number)
				}
				owner[line] = l.number
			}
		}
	}
	for _, share := range [][]byte{c.key.Left[:], c.key.Right[:], c.spare[:]} {
		if number, taken := owner[uintptr(unsafe.Pointer(&share[0]))/percpu.CacheLine]; taken {
			t.Errorf("workspace %d shares a cache line with a share of the key, which all read", number)
		}
	}
}
