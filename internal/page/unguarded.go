package page

import (
	"fmt"

	"github.com/memkeep/memkeep/internal/wipe"
)

// unguarded is the backend of last resort: slices of the Go heap. Nothing about them
// is enforced: no lock, no guard pages, no access but reading and writing, and a core
// dump has them. It is portable Go, for systems where memcall does not build.
type unguarded struct{ hook Hook }

func (unguarded) Name() string { return Unguarded }

func (unguarded) Charge(size int, _ bool) int { return size }

func (u unguarded) Map(size int, _ bool) (*Run, error) {
	if err := u.hook.before("alloc"); err != nil {
		return nil, fmt.Errorf("alloc: %w", err)
	}
	pages := make([]byte, size)
	return &Run{Window: pages, View: pages, whole: pages, Dumpable: true}, nil
}

// Protect records nothing: the pages stay readable and writable.
func (u unguarded) Protect(_ *Run, a Access) error {
	if err := u.hook.before("protect"); err != nil {
		return fmt.Errorf("protect, making %v: %w", a, err)
	}
	return nil
}

// Unmap wipes the pages once more, as memcall does. They are the collector's when
// no slice of them is left: what a stale slice reaches is never mapped again.
func (u unguarded) Unmap(r *Run) error {
	if err := u.hook.before("free"); err != nil {
		return fmt.Errorf("free: %w", err)
	}
	wipe.Bytes(r.whole)
	return nil
}
