// Package sigframe overwrites what signals left of a thread's registers.
//
// When a signal arrives, the operating system saves the thread's registers in
// a frame on the thread's signal stack, and restores them from there when the
// handler returns. The frame stays. If the signal landed inside the cipher it
// holds whatever the cipher had in its registers, in ordinary memory, until the
// next signal of this thread puts a frame into the same place.
//
// So this package sends one: SIGURG, with which the runtime itself preempts
// goroutines, and which does nothing to a thread that it has no such business
// with. A program that asked for SIGURG with [os/signal.Notify] is told of
// these as it is of the runtime's own.
//
// The limits: a frame deeper in the stack, of a signal that came while a handler
// ran, is out of reach, but what it holds are the handler's registers. A thread
// that ends between the cipher and the next call keeps its frame until its
// stack is used again; the Go runtime ends only threads that a goroutine was
// locked to. Where a program can't signal its threads one by one without cgo,
// nothing is done: Linux and FreeBSD have the means.
package sigframe
