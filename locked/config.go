package locked

import (
	"time"

	"github.com/memkeep/memkeep/internal/page"
)

// Backend names a mechanism for locked pages.
type Backend string

// The backends, best first. Linux has all three, other systems the last.
const (
	// BestBackend chooses the best one that the system offers.
	BestBackend Backend = ""
	// MemfdSecret is memfd_secret(2): pages that no other process can read,
	// root included, and that block hibernation. A slot that is mapped twice
	// counts twice towards the limit.
	MemfdSecret Backend = page.MemfdSecret
	// Memfd is memfd_create(2) and mlock(2).
	Memfd Backend = page.Memfd
	// Mlock is private memory with mlock(2) or VirtualLock.
	Mlock Backend = page.Mlock
	// Unlocked is private memory that is not locked: what [Config.AllowUnlocked]
	// falls back to. It is never chosen otherwise.
	Unlocked Backend = page.Unlocked
)

const (
	// DefaultLockedBytes is the budget of a pool that names none: 8 MiB, the
	// limit that Linux (since 5.16) and systemd give a process that nobody
	// configured, so that a server meets the same budget wherever it runs.
	// Pages are locked only as buffers need them, so a large budget costs
	// nothing until it is used.
	DefaultLockedBytes = 8 << 20

	// DefaultIdleTimeout is how long an unused slot stays locked before its
	// pages go back to the system.
	DefaultIdleTimeout = 10 * time.Second
)

// Config says how a Pool is made. The zero value is a good choice.
type Config struct {
	// LockedBytes is the budget in bytes, [DefaultLockedBytes] if zero. It is
	// cut to what the process may lock; the soft limit is raised towards the
	// hard one where that is all it takes.
	LockedBytes int

	// Backend forces a mechanism.
	Backend Backend

	// AllowUnlocked lets the pool fall back to memory that is not locked, where the
	// process may not lock even the smallest pool or the platform can't lock memory.
	// All else holds, but the system may write the pages to swap. [Stats.Unlocked]
	// reports it. Where pages can't be guarded either (DragonFly, Plan 9, js, wasip1)
	// NewPool still returns [ErrUnsupported].
	AllowUnlocked bool

	// UseSlots is how many slots of one page are kept for [Pool.Use] alone,
	// so that it finds one however many buffers are open. From two on, one
	// of them is for calls nested in another Use alone, so that a single
	// level of nesting never waits for itself. A tight budget keeps fewer:
	// what a quarter of it holds, but at least one, and the one for nested
	// calls only where six slots fit. Zero keeps none.
	UseSlots int

	// IdleTimeout is how long an unused slot stays mapped and locked:
	// [DefaultIdleTimeout] if zero.
	IdleTimeout time.Duration
}
