package locked

import (
	"reflect"
	"runtime"
	"unsafe"
)

// A goroutine that waits for a slot may hold others: fn of an outer Use called
// Use again. The pool must know, or all its slots could end up with callers
// that wait for one more. Go names no goroutine, but the outer calls are on the
// waiting goroutine's stack, each with a frame of hold. So only a call that is
// about to wait pays for the search.
//
// The frames don't tell which pool they belong to. Therefore hold exists as
// several functions, the lanes, and pools are spread over them; two pools in
// one lane count each other's frames, which can only turn a wait between
// deeply nested calls into an early ErrExhausted.
const lanes = 8

// laneOf spreads pools over the lanes by their address.
func laneOf(p *Pool) uint8 {
	// The low bits are the allocator's alignment; a multiplication by a large
	// odd number (2^64 over the golden ratio) mixes the rest into the top.
	h := uint64(uintptr(unsafe.Pointer(p))) * 0x9e3779b97f4a7c15
	return uint8(h >> 61)
}

// hold runs fn on b under a frame of the pool's lane.
func (p *Pool) hold(fn func([]byte) error, b []byte) error {
	// Direct calls, not a table of functions: through a table the compiler
	// would move every fn to the heap.
	switch p.lane {
	case 0:
		return hold0(fn, b)
	case 1:
		return hold1(fn, b)
	case 2:
		return hold2(fn, b)
	case 3:
		return hold3(fn, b)
	case 4:
		return hold4(fn, b)
	case 5:
		return hold5(fn, b)
	case 6:
		return hold6(fn, b)
	default:
		return hold7(fn, b)
	}
}

//go:noinline
func hold0(fn func([]byte) error, b []byte) error { return fn(b) }

//go:noinline
func hold1(fn func([]byte) error, b []byte) error { return fn(b) }

//go:noinline
func hold2(fn func([]byte) error, b []byte) error { return fn(b) }

//go:noinline
func hold3(fn func([]byte) error, b []byte) error { return fn(b) }

//go:noinline
func hold4(fn func([]byte) error, b []byte) error { return fn(b) }

//go:noinline
func hold5(fn func([]byte) error, b []byte) error { return fn(b) }

//go:noinline
func hold6(fn func([]byte) error, b []byte) error { return fn(b) }

//go:noinline
func hold7(fn func([]byte) error, b []byte) error { return fn(b) }

// useDepth returns how many slots the calling goroutine holds through Use.
func (p *Pool) useDepth() int {
	hold := [lanes]func(func([]byte) error, []byte) error{
		hold0, hold1, hold2, hold3, hold4, hold5, hold6, hold7,
	}[p.lane]
	entry := reflect.ValueOf(hold).Pointer()

	depth := 0
	pcs := make([]uintptr, 64)
	for skip := 1; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs)
		for _, pc := range pcs[:n] {
			// The lanes are never inlined, so a return address tells its
			// function without a search for inlined ones.
			if f := runtime.FuncForPC(pc - 1); f != nil && f.Entry() == entry {
				depth++
			}
		}
		if n < len(pcs) {
			return depth
		}
	}
}
