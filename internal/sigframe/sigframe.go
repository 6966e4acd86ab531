// Package sigframe overwrites the registers that signals saved in ordinary memory.
//
// When a signal arrives, the operating system saves the thread's registers in
// a frame on the thread's signal stack, and restores them from there when the
// handler returns. The frame stays. If the signal landed in code that had bytes
// of a secret in registers, they are in ordinary memory until the next signal of
// this thread puts a frame in the same place.
//
// So this package sends one: SIGURG, with which the runtime itself preempts goroutines,
// and which does nothing to a thread that runs none. Code that handles secrets calls
// [Mark] when it is done; [Sweep] sends the signals, and only if Mark was called since
// the last time.
//
// Frames belong to threads, whichever session's secret they hold, so the process has
// one sweeper, which is package state. If each session had one, a thousand sessions
// would send a thousand times as many signals to the same threads.
//
// The signal reaches every thread of the process, those of C libraries too.
// There it interrupts system calls. The runtime's handler is installed with
// SA_RESTART, but poll, epoll_wait, select, nanosleep and others "are never
// restarted after being interrupted by a signal handler, regardless of the use
// of SA_RESTART" and return EINTR: signal(7). Go code does not notice. C code
// that takes EINTR for a failure does. A program that asked for SIGURG with
// [os/signal.Notify] is told of these signals as it is of the runtime's own.
//
// The limits: a frame deeper in the stack, of a signal that came while a handler
// ran, is out of reach, but what it holds are the handler's registers. A thread
// that ends between the mark and the sweep keeps its frame until its stack is
// used again; the Go runtime ends only threads that a goroutine was locked to.
// Where a program can't signal its threads one by one without cgo, nothing is
// done: Linux and FreeBSD have the means.
package sigframe
