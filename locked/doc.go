// Package locked provides memory for secrets from a bounded pool of guarded, locked
// pages.
//
// Most programs want the package enclave, where a secret is in such memory only
// while it is in use. A [Pool] is for programs that keep secrets open. [Pool.New]
// returns a [Buffer], which stays open until it is destroyed; [Pool.Use] lends memory
// for the duration of a call.
//
// [CurrentLimits] reports what this process may lock, and how; the program
// locked/doctor also reports what the system does with the rest of the process's
// memory. [Harden] protects that memory.
//
// # Buffers
//
// A buffer lies in a slot: a run of pages between guard pages, with the data at its
// end and a canary of 16 random bytes before it.
//
//	view:   [guard][ padding | canary | data ][guard]    what the caller gets
//	window:        [ padding | canary | data ]           mapped elsewhere
//
// Touching a guard page faults. Destroy checks the canary and the padding, which is
// zero. The protection of the view is the buffer's state: no access when it is
// destroyed, read-only when it is frozen, read-write when it is melted. The library
// reads and writes through the window, whose address only it knows, so filling and
// wiping a slot never makes the view writable. Where the system has no second mapping,
// or where a tight budget is better spent on more slots, window and view are the same
// pages, and the library changes their protection as it goes.
//
// # The budget
//
// A pool never locks more than [Config.LockedBytes], as the process's limit counts
// them. It maps slots when they are needed, wipes and keeps them when they are
// returned, reuses the oldest first, and unmaps those that were unused for
// [Config.IdleTimeout].
//
// When the budget is in use, New returns [ErrExhausted] at once, while NewContext and
// Use wait in order of arrival. [Config.UseSlots] slots are kept for secrets of Use
// that fit into a page, however many buffers are open; one of them is for calls nested
// in another Use. Calls that wait for these slots have a queue of their own.
//
// A call that holds a slot while it waits for another could wait for itself, or in a
// circle with others. So a call nested in one Use gets the slot kept for that. A call
// nested deeper returns ErrExhausted if no slot is free, and so does one that waits for
// the budget when nothing has been returned for about a second.
//
// When the system refuses to lock memory, the error is a *[LimitError] with the figures
// and the remedy, and open buffers are not affected. A call that may wait does so as
// long as somebody holds a slot that will be returned.
//
// # Platforms
//
// Slots are kept out of core dumps and of child processes where the system can do that.
// [Stats.DumpableBytes] counts what a dump may include.
//
//	                 backends                     out of dumps by                 out of children by
//	Linux, Android   memfd_secret, memfd, mlock   MADV_DONTDUMP                   MADV_DONTFORK
//	Windows          VirtualLock                  WerRegisterExcludedMemoryBlock  (no fork)
//	macOS, iOS       mlock                        nothing                         VM_INHERIT_NONE
//	FreeBSD          mlock                        MADV_NOCORE                     INHERIT_NONE
//	OpenBSD          mlock                        MAP_CONCEAL                     MAP_INHERIT_NONE
//	NetBSD           mlock                        nothing                         MAP_INHERIT_NONE
//	illumos          mlock                        nothing                         MC_INHERIT_ZERO
//	Solaris, AIX     mlock                        nothing                         nothing
//
// On DragonFly, Plan 9, js and wasip1 the package builds, and every call returns
// [ErrUnsupported] unless [Config.AllowUnlocked] is set. Budgets and slots are counted
// in pages: with pages of 64 KiB, a limit of 64 KiB is a *[LimitError].
//
// On Windows, VirtualLock locks at most what the process's minimum working set holds. A
// pool raises that by what it locks, when it locks it, since that much memory is then
// kept from other processes. It stays raised.
package locked
