// Package isolate runs code that handles secrets where nothing of it is left on
// a stack and in registers.
//
// Go code keeps temporaries on the goroutine's stack. The runtime moves a stack
// that grows or shrinks and frees the old one uncleared, so whatever lay on it
// is out of reach. Here a stack is grown before the code runs, kept from
// shrinking while it does, and overwritten afterwards. The registers are cleared.
//
// The runtime halves a stack of which a collection finds less than a quarter in
// use. So the code runs below an anchor, a frame as large as all that the code may
// use: where the stack has grown for both, more than a quarter is in use.
package isolate

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/memkeep/memkeep/enclave/keys/internal/registers"
	"github.com/memkeep/memkeep/internal/sigframe"
)

// A Kind says what a function needs: more costs more.
type Kind int

const (
	// Brief functions take a microsecond, use 4 KiB of stack at most and clear
	// the vector registers themselves after each step. The runtime may still preempt
	// them.
	Brief Kind = iota

	// Small functions use 12 KiB of stack at most.
	Small

	// Large functions use 24 KiB of stack at most.
	Large
)

const (
	briefDepth = 4 << 10
	smallDepth = 12 << 10
	largeDepth = 24 << 10

	briefAnchor = briefDepth
	smallAnchor = smallDepth
	largeAnchor = largeDepth
)

// Depth returns how much stack a function of the kind may use.
func (k Kind) Depth() int {
	return [...]int{Brief: briefDepth, Small: smallDepth, Large: largeDepth}[k]
}

// Do runs f, clears the registers, overwrites the stack that f used, as much as the
// kind allows, and returns f's error. A panic of f passes with the same value, and if f
// ends its goroutine, Do ends the caller's; what f left on the stack then stays there.
//
// f runs on the caller's goroutine, unless the stack of that is so large that the
// anchor does not keep it from shrinking. Then f has a goroutine of its own, for
// which Do waits.
func Do(kind Kind, f func() error) error {
	if !anchors(kind) {
		return apart(kind, f)
	}
	r := begin(kind, f)
	return r.pass()
}

// apart is Do on a goroutine of its own.
func apart(kind Kind, f func() error) error {
	r := result{gone: true}
	done := make(chan struct{})
	go func() {
		defer close(done)
		// In the caller a fault may be a panic.
		debug.SetPanicOnFault(true)
		// New goroutines have as much stack as others use on average.
		if !anchors(kind) {
			kind = Large
		}
		r = begin(kind, f)
	}()
	<-done
	return r.pass()
}

// anchors reports whether an anchor below the caller keeps its stack from
// shrinking.
func anchors(kind Kind) bool {
	low, high := bounds()
	var here byte
	at := uintptr(unsafe.Pointer(&here))
	return low < at && at < high && high-low <= 4*(high-at+uintptr(kind.Depth()))
}

// A result is how a function ended.
type result struct {
	err      error
	panicked bool
	value    any
	gone     bool // it ended its goroutine
}

// pass ends the caller as the function ended.
func (r *result) pass() error {
	if r.panicked {
		panic(r.value)
	}
	if r.gone {
		runtime.Goexit()
	}
	return r.err
}

// never is false. The compiler can't know, so it keeps room in a frame for an
// array that no call ever clears.
var never bool

// begin runs f on the goroutine that it is to run on.
func begin(kind Kind, f func() error) result {
	// A signal that is not the runtime's may have saved the registers.
	defer sigframe.Mark()
	if kind == Brief {
		return anchoredBrief(f)
	}
	return withoutPreemption(kind, f)
}

// anchored runs f below a large frame.
func anchored(kind Kind, f func() error) result {
	if kind == Large {
		return anchoredLarge(f)
	}
	return anchoredSmall(f)
}

//go:noinline
func anchoredBrief(f func() error) result {
	if never {
		var anchor [briefAnchor]byte
		touch(anchor[:])
	}
	growBrief()
	r := guarded(f)
	burnBrief()
	return r
}

//go:noinline
func anchoredSmall(f func() error) result {
	if never {
		var anchor [smallAnchor]byte
		touch(anchor[:])
	}
	growSmall()
	r := guarded(f)
	burnSmall()
	return r
}

//go:noinline
func anchoredLarge(f func() error) result {
	if never {
		var anchor [largeAnchor]byte
		touch(anchor[:])
	}
	growLarge()
	r := guarded(f)
	burnLarge()
	return r
}

// guarded runs f and catches its panic, so that its frames are gone when guarded
// returns, and nothing of f is in registers, which the runtime may save from then on.
//
//go:noinline
func guarded(f func() error) (r result) {
	defer registers.Clear()
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

// growBrief makes the stack as large as f will need; so do the others.
//
//go:noinline
func growBrief() {
	if never {
		var frame [briefDepth]byte
		touch(frame[:])
	}
}

//go:noinline
func growSmall() {
	if never {
		var frame [smallDepth]byte
		touch(frame[:])
	}
}

//go:noinline
func growLarge() {
	if never {
		var frame [largeDepth]byte
		touch(frame[:])
	}
}

// burnBrief overwrites the stack below the caller's frame; so do the others.
//
//go:noinline
func burnBrief() {
	var frame [briefDepth]byte
	touch(frame[:])
}

//go:noinline
func burnSmall() {
	var frame [smallDepth]byte
	touch(frame[:])
}

//go:noinline
func burnLarge() {
	var frame [largeDepth]byte
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
