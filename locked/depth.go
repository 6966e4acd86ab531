package locked

import (
	"crypto/rand"
	"encoding/binary"
	"reflect"
	"runtime"
)

// A goroutine that waits for a slot may hold others: fn of an outer Use called
// Use again. The pool must know, or all its slots could end up with callers
// that wait for one more. Go names no goroutine, but the outer calls are on the
// waiting goroutine's stack, and only a call that is about to wait pays for the
// search. So that the search can tell one pool's calls from another's, each
// call of fn stands on a few frames that spell out the pool's lane, a digit
// each: digit0 to digit7.

// A lane is a random number in base 8, of laneDigits digits.
type lane uint16

const (
	laneDigits = 4
	laneBits   = 3 * laneDigits
)

// newLane draws a lane. Two pools in the same one, a chance in 4,096, count
// each other's calls: a nested Use may then get ErrExhausted though a slot would
// have come back.
func newLane() lane {
	var b [2]byte
	_, _ = rand.Read(b[:])
	return lane(binary.LittleEndian.Uint16(b[:]) % (1 << laneBits))
}

// holdDigit runs fn on b under the frames of the digits of l that are left, the
// lowest first. Direct calls, not a table of functions: through a table the
// compiler would move every fn to the heap.
func holdDigit(l lane, left int, fn func([]byte) error, b []byte) error {
	if left == 0 {
		return fn(b)
	}
	switch l % 8 {
	case 0:
		return digit0(l/8, left-1, fn, b)
	case 1:
		return digit1(l/8, left-1, fn, b)
	case 2:
		return digit2(l/8, left-1, fn, b)
	case 3:
		return digit3(l/8, left-1, fn, b)
	case 4:
		return digit4(l/8, left-1, fn, b)
	case 5:
		return digit5(l/8, left-1, fn, b)
	case 6:
		return digit6(l/8, left-1, fn, b)
	default:
		return digit7(l/8, left-1, fn, b)
	}
}

//go:noinline
func digit0(l lane, left int, fn func([]byte) error, b []byte) error {
	return holdDigit(l, left, fn, b)
}

//go:noinline
func digit1(l lane, left int, fn func([]byte) error, b []byte) error {
	return holdDigit(l, left, fn, b)
}

//go:noinline
func digit2(l lane, left int, fn func([]byte) error, b []byte) error {
	return holdDigit(l, left, fn, b)
}

//go:noinline
func digit3(l lane, left int, fn func([]byte) error, b []byte) error {
	return holdDigit(l, left, fn, b)
}

//go:noinline
func digit4(l lane, left int, fn func([]byte) error, b []byte) error {
	return holdDigit(l, left, fn, b)
}

//go:noinline
func digit5(l lane, left int, fn func([]byte) error, b []byte) error {
	return holdDigit(l, left, fn, b)
}

//go:noinline
func digit6(l lane, left int, fn func([]byte) error, b []byte) error {
	return holdDigit(l, left, fn, b)
}

//go:noinline
func digit7(l lane, left int, fn func([]byte) error, b []byte) error {
	return holdDigit(l, left, fn, b)
}

// useDepth returns how many slots of this pool the calling goroutine holds
// through Use.
func (p *Pool) useDepth() int {
	digits := [...]func(lane, int, func([]byte) error, []byte) error{
		digit0, digit1, digit2, digit3, digit4, digit5, digit6, digit7,
	}
	var entries [len(digits)]uintptr
	for i, f := range digits {
		entries[i] = reflect.ValueOf(f).Pointer()
	}
	// The innermost frame comes first, and spells the highest digit.
	depth, found, spelled := 0, 0, lane(0)
	pcs := make([]uintptr, 64)
	for skip := 1; ; skip += len(pcs) {
		n := runtime.Callers(skip, pcs)
		for _, pc := range pcs[:n] {
			digit := digitAt(pc, &entries)
			if digit < 0 {
				continue
			}
			spelled = spelled*8 + lane(digit)
			if found++; found == laneDigits {
				if spelled == p.lane {
					depth++
				}
				found, spelled = 0, 0
			}
		}
		if n < len(pcs) {
			return depth
		}
	}
}

// digitAt returns the digit whose function pc returns to, or -1. The functions
// are never inlined, so their address is enough.
func digitAt(pc uintptr, entries *[8]uintptr) int {
	f := runtime.FuncForPC(pc - 1)
	if f == nil {
		return -1
	}
	at := f.Entry()
	for i, entry := range entries {
		if at == entry {
			return i
		}
	}
	return -1
}
