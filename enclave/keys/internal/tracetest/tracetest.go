// Package tracetest helps tests to find what a computation leaves behind.
package tracetest

import (
	"fmt"
	"maps"
	"reflect"
	"testing"
	"unsafe"
)

// Values returns every number within v by its path, those beyond the length of a
// slice too. It follows pointers, and reads unexported fields.
func Values(v any) map[string]uint64 {
	w := walker{found: make(map[string]uint64), seen: make(map[unsafe.Pointer]bool)}
	w.walk("", reflect.ValueOf(v))
	return w.found
}

type walker struct {
	found map[string]uint64
	seen  map[unsafe.Pointer]bool
}

func (w *walker) walk(path string, v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && !w.seen[v.UnsafePointer()] {
			w.seen[v.UnsafePointer()] = true
			w.walk(path, v.Elem())
		}
	case reflect.Interface:
		w.walk(path, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			w.walk(path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Slice:
		w.elements(path, v.Slice(0, v.Cap()))
	case reflect.Array:
		w.elements(path, v)
	case reflect.Map:
		for _, key := range v.MapKeys() {
			w.walk(fmt.Sprintf("%s[%v]", path, key), v.MapIndex(key))
		}
	case reflect.Uint8, reflect.Uint32, reflect.Uint64, reflect.Uint:
		w.found[path] = v.Uint()
	}
}

func (w *walker) elements(path string, v reflect.Value) {
	for i := range v.Len() {
		w.walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
	}
}

// Equal reports where two results of Values differ.
func Equal(t testing.TB, got, want map[string]uint64) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for path, value := range got {
		if value != want[path] {
			t.Errorf("%s is %#x, was %#x", path, value, want[path])
		}
	}
	for path := range want {
		if _, ok := got[path]; !ok {
			t.Errorf("%s is gone", path)
		}
	}
}

const (
	painted   = 0xa5
	stackSize = 64 << 10

	// More than a quarter of the stack, which keeps the runtime from shrinking it,
	// and so from moving it.
	anchorSize = 72 << 10
)

// StackDepth returns how many bytes below its caller's frame a call of fn writes,
// with fn on a goroutine of its own. It can't count more than 63 KiB.
func StackDepth(fn func()) int {
	depth := make(chan int)
	go func() {
		var anchor [anchorSize]byte
		anchor[here] = painted
		depth <- stackDepth(fn)
		anchor[here]++
	}()
	return <-depth
}

//go:noinline
func stackDepth(fn func()) int {
	var frame [8]byte
	paint()
	fn()
	// The lowest byte that is not painted. The loop calls nothing, so that it
	// paints over nothing itself.
	for depth := stackSize - 1024; depth > 0; depth-- {
		if *(*byte)(unsafe.Add(unsafe.Pointer(&frame), -depth)) != painted {
			return depth
		}
	}
	return 0
}

// here is what the compiler must not know: where arrays are used.
var here int

//go:noinline
func paint() byte {
	var frame [stackSize]byte
	for i := range frame {
		frame[i] = painted
	}
	return frame[here%len(frame)]
}
