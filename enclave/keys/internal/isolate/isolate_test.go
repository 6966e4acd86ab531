package isolate

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"unsafe"
)

// each runs the test on the caller's goroutine and on one of its own.
func each(t *testing.T, test func(t *testing.T, kind Kind, do func(Kind, func() error) error)) {
	for name, kind := range map[string]Kind{"Brief": Brief, "Small": Small, "Large": Large} {
		for way, do := range map[string]func(Kind, func() error) error{"Do": Do, "apart": apart} {
			t.Run(name+"/"+way, func(t *testing.T) { test(t, kind, do) })
		}
	}
}

func TestErrorPasses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind Kind, do func(Kind, func() error) error) {
		want := errors.New("f's")
		if err := do(kind, func() error { return want }); err != want {
			t.Errorf("%v", err)
		}
	})
}

// A function that ends its goroutine, as a hash function that the caller gave may, does
// not seem to have done its work.
func TestGoexitPasses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind Kind, do func(Kind, func() error) error) {
		var group sync.WaitGroup
		group.Go(func() {
			err := do(kind, func() error { runtime.Goexit(); return nil })
			t.Errorf("it returned %v", err)
		})
		group.Wait()
	})
}

func TestPanicPasses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind Kind, do func(Kind, func() error) error) {
		want := new(int)
		defer func() {
			if got := recover(); got != any(want) {
				t.Errorf("recovered %v", got)
			}
		}()
		err := do(kind, func() error { panic(want) })
		t.Errorf("no panic, but %v", err)
	})
}

// fill writes to n bytes of stack below the caller and returns where they begin.
//
//go:noinline
func fill(n int) uintptr {
	var frame [512]byte
	for i := range frame {
		frame[i] = 0xa5
	}
	lowest := uintptr(unsafe.Pointer(&frame))
	if n > 2*len(frame) {
		lowest = fill(n - 2*len(frame))
	}
	runtime.KeepAlive(&frame)
	return lowest
}

// While f runs, and calls what it calls, collections don't move the stack.
func TestStackStaysWhereItIs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, kind Kind, do func(Kind, func() error) error) {
		var group sync.WaitGroup
		for depth := range 40 {
			group.Go(func() {
				// Stacks of all sizes, of which little is in use.
				fill(depth * 2048)
				err := do(kind, func() error {
					here := 0
					before := uintptr(unsafe.Pointer(&here))
					for range 4 {
						runtime.GC()
						fill(kind.Depth() - 2048)
					}
					if uintptr(unsafe.Pointer(&here)) != before {
						return errors.New("the stack has moved")
					}
					return nil
				})
				if err != nil {
					t.Errorf("after %d bytes of stack: %v", depth*2048, err)
				}
			})
		}
		group.Wait()
	})
}

// On a stack so large that the anchor is less than a quarter of it, f does not
// run.
func TestLargeStacksAreLeftAlone(t *testing.T) {
	t.Parallel()
	if _, high := bounds(); high == 0 {
		t.Skip("SKIPPED: where the stack lies is not known here")
	}
	size := func() uintptr {
		low, high := bounds()
		return high - low
	}
	// A collection may halve the stack before Do looks at it, and the next stack may
	// lie where this one was: what counts is the stack that f finds itself on.
	before, inside := make(chan uintptr), make(chan uintptr)
	for range 100 {
		go func() {
			fill(1 << 20)
			before <- size()
			var at uintptr
			if err := Do(Small, func() error { at = size(); return nil }); err != nil {
				t.Error(err)
			}
			inside <- at
		}()
		large := <-before >= 1<<20
		if got := <-inside; got >= 1<<20 {
			t.Fatalf("f ran on a stack of %d bytes", got)
		} else if large {
			return
		}
	}
	t.Error("no stack stayed large until Do was called")
}
