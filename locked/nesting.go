package locked

import (
	"reflect"
	"runtime"
)

// call runs a function that was given to Use. Its frame tells nesting of it.
//
//go:noinline
func call(fn func([]byte) error, b []byte) error { return fn(b) }

// nesting returns how many functions given to Use, of any pool, the calling
// goroutine is in, up to 2. Such a call holds a slot, so it must not wait like
// others. Go names no goroutine, but the frames of the outer calls are on its
// stack, and only a call that is about to wait looks for them.
//
// What a function given to Use calls on another goroutine is not seen.
func nesting() int {
	name := runtime.FuncForPC(reflect.ValueOf(call).Pointer()).Name()
	var few [64]uintptr
	pcs := few[:runtime.Callers(2, few[:])]
	// The whole stack in one piece: to begin again further down would cost the square
	// of its depth.
	for size := len(few); len(pcs) == size; {
		size *= 8
		pcs = make([]uintptr, size)
		pcs = pcs[:runtime.Callers(2, pcs)]
	}
	depth := 0
	// Names, not addresses: a profile-guided build may inline call all the same.
	frames := runtime.CallersFrames(pcs)
	for more := len(pcs) > 0; more && depth < 2; {
		var frame runtime.Frame
		if frame, more = frames.Next(); frame.Function == name {
			depth++
		}
	}
	return depth
}
