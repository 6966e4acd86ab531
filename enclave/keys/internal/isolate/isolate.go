// Package isolate runs code that handles secrets where nothing of it is left on
// a stack.
//
// Go code keeps temporaries on the goroutine's stack. The runtime moves a stack
// that grows or shrinks and frees the old one uncleared, so whatever lay on it
// is out of reach. Here a stack is grown before the code runs, kept from
// shrinking while it does, and overwritten afterwards.
package isolate

import (
	"fmt"
	"runtime/debug"
)

// Do runs f on a goroutine of its own, waits for it, and overwrites the stack
// that f used. A panic of f appears in the caller with the same value. A
// fault of the memory that f reads is such a panic too, whatever
// [debug.SetPanicOnFault] is set to in the caller.
//
// f must not use more than Depth bytes of stack.
func Do(f func() error) error {
	var r result
	done := make(chan struct{})
	go func() {
		defer close(done)
		debug.SetPanicOnFault(true)
		r = anchored(f)
	}()
	<-done
	return r.pass()
}

// Here runs f on the caller's goroutine and overwrites the stack that f used.
// It is for code that keeps no secret on the stack but single words, since the
// runtime may still shrink a stack that has grown beyond four times the
// anchor's size. f must not use more than SmallDepth bytes of stack.
func Here(f func() error) error {
	return anchoredHere(f)
}

const (
	// Depth is how much stack Do keeps for its function.
	Depth = 20 << 10

	// SmallDepth is how much stack Here keeps for its function.
	SmallDepth = 4 << 10

	// The runtime halves a stack of which less than a quarter is in use. The
	// frame with the anchor is in use while f runs.
	anchorSize      = 24 << 10
	smallAnchorSize = 3 << 10
)

// A result is how a function ended.
type result struct {
	err      error
	panicked bool
	value    any
}

// pass ends the caller as the function ended.
func (r *result) pass() error {
	if r.panicked {
		panic(r.value)
	}
	return r.err
}

// never is false. The compiler can't know, so it keeps room in a frame for an
// array that no call ever clears.
var never bool

// anchored runs f below a frame of anchorSize.
//
//go:noinline
func anchored(f func() error) result {
	if never {
		var anchor [anchorSize]byte
		touch(anchor[:])
	}
	grow()
	r := guarded(f)
	burn()
	return r
}

//go:noinline
func anchoredHere(f func() error) error {
	if never {
		var anchor [smallAnchorSize]byte
		touch(anchor[:])
	}
	growSmall()
	r := guarded(f)
	burnSmall()
	return r.pass()
}

// guarded runs f and catches its panic, so that its frames are gone when guarded
// returns.
//
//go:noinline
func guarded(f func() error) (r result) {
	r.panicked = true
	defer func() {
		if r.panicked {
			r.value = recover()
			if r.value == nil {
				r.value = fmt.Errorf("isolate: internal error: the goroutine ended")
			}
		}
	}()
	r.err = run(f)
	r.panicked = false
	return r
}

// grow makes the stack as large as f will need.
//
//go:noinline
func grow() {
	if never {
		var frame [Depth]byte
		touch(frame[:])
	}
}

//go:noinline
func growSmall() {
	if never {
		var frame [SmallDepth]byte
		touch(frame[:])
	}
}

// burn overwrites the stack below the caller's frame.
//
//go:noinline
func burn() {
	var frame [Depth]byte
	touch(frame[:])
}

//go:noinline
func burnSmall() {
	var frame [SmallDepth]byte
	touch(frame[:])
}

// touch keeps the compiler from dropping an array that nothing else uses.
//
//go:noinline
func touch(b []byte) {
	if never {
		clear(b)
	}
}
