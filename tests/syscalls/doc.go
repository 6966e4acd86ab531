// Package syscalls counts the system calls of an operation from outside, with
// strace(1): what the library's speed rests on, in figures that do not depend on
// a clock.
//
//	go test -v ./tests/syscalls
//
// The test starts itself again under strace. The child repeats one operation on
// a thread of its own, between two calls that mark the beginning and the end;
// what this one thread calls in between is counted. A control, which calls the
// system exactly once, must be counted as such. It runs on Linux.
package syscalls
