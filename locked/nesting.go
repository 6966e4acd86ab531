package locked

import (
	"reflect"
	"runtime"
)

// call runs a function that was given to Use. Its frame tells nesting of it.
//
//go:noinline
func call(fn func([]byte) error, b []byte) error { return fn(b) }

// frames is where the code of call lies: from first to before end.
type frames struct{ first, end uintptr }

func framesOfCall() frames {
	f := frames{first: reflect.ValueOf(call).Pointer()}
	for f.end = f.first; ; f.end++ {
		if of := runtime.FuncForPC(f.end); of == nil || of.Entry() != f.first {
			return f
		}
	}
}

// nesting returns how many functions given to Use, of any pool, the calling
// goroutine is in, up to 2. Such a call holds a slot, so it must not wait like
// others. Go names no goroutine, but the frames of the outer calls are on its
// stack, and only a call that is about to wait looks for them.
//
// What a function given to Use calls on another goroutine is not seen.
func (f frames) nesting() int {
	var few [64]uintptr
	pcs := few[:runtime.Callers(2, few[:])]
	// The whole stack in one piece: to begin again further down would cost the square
	// of its depth.
	for size := len(few); len(pcs) == size; {
		size *= 8
		pcs = make([]uintptr, size)
		pcs = pcs[:runtime.Callers(2, pcs)]
	}
	depth, within := 0, false
	for _, pc := range pcs {
		// A profile-guided build may inline fn: then one frame has several counters.
		outside := !within
		if within = f.first < pc && pc <= f.end; within && outside {
			depth++
		}
	}
	return min(depth, 2)
}
