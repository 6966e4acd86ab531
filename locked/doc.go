// Package locked hands out memory for secrets from a bounded pool of guarded,
// locked pages.
//
// Most programs want the package enclave, where a secret is in such memory only
// while it is in use. A [Pool] is for a program that keeps secrets open, or
// that builds something of its own: [Pool.New] gives a [Buffer], which stays
// until it is destroyed; [Pool.Use] lends memory for the time of a call;
// [Pool.NewRegion] gives working memory that is always readable and writable.
//
// # A slot
//
// A buffer lies in a slot: a run of pages between guard pages, with the data at
// its end and a canary of 16 random bytes before it.
//
//	view:   [guard][ padding | canary | data ][guard]    what the caller gets
//	window:        [ padding | canary | data ]           mapped elsewhere
//
// Touching a guard page faults. The canary and the padding, which is zero, are
// checked when the buffer is destroyed. The access of the view is the buffer's
// state: none when it is destroyed, read-only when it is frozen, read-write when
// it is melted. The library reads and writes through the window, which only it
// knows, so filling and wiping a slot never makes the view writable. Where a
// system has no second mapping, or a tight budget is better spent on more slots,
// window and view are one, and the library changes its access as it goes.
//
// Slots are locked into memory and kept, where the system can, out of core dumps
// and of child processes. How is the [Backend]'s matter; [Stats.DumpableBytes]
// counts what a dump may hold.
//
// [CurrentLimits] tells what this process may lock and by what mechanism; the
// program locked/doctor prints that, and what the system does with the rest of
// the process's memory. [Harden] has the measures by which a program may keep
// that to itself.
//
// # The budget
//
// A pool never has more bytes locked than [Config.LockedBytes], as the process's
// limit counts them. Slots are mapped when they are needed, wiped and kept when
// they come back, used again, the oldest first, and given back to the system
// when nobody has used them for [Config.IdleTimeout].
//
// When the budget is in use, New returns [ErrExhausted] at once, and NewContext
// and Use wait, in order of arrival. For secrets of Use that fit into a page,
// [Config.UseSlots] slots are kept whatever the buffers take, and one of them is for
// calls nested in another Use. They have a queue of their own; where more than a
// thousand callers wait in it, those that run may overtake them.
//
// A call that holds a slot while it wants another could wait for itself, or in a
// circle with others. So a call nested in a Use gets the slot that is kept for
// that, one nested any deeper takes what is free or gets ErrExhausted, and one that
// waits for the budget gets ErrExhausted when nothing has come back for a second.
//
// On Windows VirtualLock takes what the process's minimum working set holds. When
// that is used up a pool raises it by what it locks, and never before, since as
// much of the machine's memory is kept from everybody else. It stays raised.
//
// When the system refuses to lock memory, the error is a *[LimitError] with the
// figures and the remedy, and what is open goes on working. A caller that may
// wait does, as long as somebody holds a slot that will come back.
package locked
