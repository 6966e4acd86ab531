package locked

import (
	"context"
	"time"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/secretdo"
)

// Backend names a mechanism for locked pages.
type Backend string

// The backends, best first. Linux has all that lock, other systems Mlock or none. The
// last two do not lock: a pool uses them only with [Config.AllowUnlocked].
const (
	// BestBackend chooses the best one that the system offers.
	BestBackend Backend = ""
	// MemfdSecret is memfd_secret(2): pages that no other process can read,
	// root included, and that block hibernation. A slot that is mapped twice
	// counts twice towards the limit; on some kernels, as the later releases
	// of Linux 6.1, once.
	MemfdSecret Backend = page.MemfdSecret
	// Memfd is memfd_create(2) and mlock(2).
	Memfd Backend = page.Memfd
	// Mlock is private memory with mlock(2) or VirtualLock.
	Mlock Backend = page.Mlock
	// Unlocked is the memory of Mlock, guarded and protected as ever, without the
	// lock.
	Unlocked Backend = page.Unlocked
	// Unguarded is ordinary memory of the Go heap, for systems that have nothing
	// better (DragonFly, Plan 9, js, wasip1): no guard page and no protection, so
	// that nothing ever faults or is read-only, and no exclusion from dumps. A stale
	// slice of a destroyed buffer reads zeros, and its memory is never reused for
	// another one; but a slice kept after [Pool.Use] returns can read and write what
	// a later Use puts there. Secrets at rest are encrypted, canaries are checked,
	// and memory is wiped after use, as everywhere.
	Unguarded Backend = page.Unguarded
)

const (
	// DefaultLockedBytes is the default budget: 8 MiB, which is the default limit
	// of Linux (since 5.16) and systemd, so that a server has the same budget
	// wherever it runs. Pages are locked only when buffers need them, so a large
	// budget costs nothing until it is used.
	DefaultLockedBytes = 8 << 20

	// DefaultIdleTimeout is how long an unused slot stays locked before it is
	// unmapped.
	DefaultIdleTimeout = 10 * time.Second
)

// Config configures a Pool. The zero value is a good choice.
type Config struct {
	// LockedBytes is the budget in bytes: [DefaultLockedBytes] if zero. If the
	// process may lock less, the pool raises the soft limit towards the hard one,
	// and then reduces the budget to what it may lock.
	LockedBytes int

	// Backend forces a mechanism. If empty, the pool chooses the best one.
	Backend Backend

	// AllowUnlocked lets the pool use memory that is not locked, if the process may
	// not lock even the smallest pool or the platform can't lock memory. The system
	// may then write open secrets and the key to swap, and to a hibernation image;
	// the other protections of [Mlock] hold. The pool is [Unlocked], or where pages
	// can't be guarded either, [Unguarded]: there no stale or out-of-bounds access
	// faults, and a slice kept after [Pool.Use] returns can read and write a later
	// secret. [Stats.Unlocked] reports it, and [Stats.BackendReason] why. NewPool tries
	// to lock a page to find out.
	AllowUnlocked bool

	// UseSlots is the number of slots of one page that only [Pool.Use] may take,
	// however many buffers are open. If there are two or more, one of them is for
	// calls nested in another Use, so that one level of nesting never waits for
	// itself. A tight budget keeps fewer: as many as an eighth of it holds, but at
	// least one, and the one for nested calls only if six slots fit. No budget keeps
	// more than 1,025. Zero keeps none.
	UseSlots int

	// IdleTimeout is how long an unused slot stays mapped and locked:
	// [DefaultIdleTimeout] if zero. Slots kept by UseSlots stay locked.
	IdleTimeout time.Duration

	// NoRuntimeSecret has [Pool.Use], [Pool.UseAll] and [Buffer.Use] call their function
	// as it is. Otherwise, in a program built with GOEXPERIMENT=runtimesecret, they run
	// it inside runtime/secret.Do. For a single call, use [WithoutRuntimeSecret].
	NoRuntimeSecret bool
}

// WithoutRuntimeSecret returns a context with which [Pool.Use] and [Pool.UseAll] call
// their function as it is, as with [Config.NoRuntimeSecret].
func WithoutRuntimeSecret(ctx context.Context) context.Context { return secretdo.Without(ctx) }
