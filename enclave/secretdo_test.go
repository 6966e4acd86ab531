package enclave_test

import (
	"bytes"
	"errors"
	"runtime"
	"testing"

	"github.com/memkeep/memkeep/enclave"
)

// With and without runtime/secret, what the function does to its caller is the
// same.

// first returns a function for UseAll that calls fn with the first secret.
func first(fn func([]byte) error) func([][]byte) error {
	return func(secrets [][]byte) error { return fn(secrets[0]) }
}

// each calls f with Use and with UseAll of an enclave, both as Use.
func each(t *testing.T, f func(t *testing.T, use func(func([]byte) error) error)) {
	backends(t, func(t *testing.T, s *enclave.Session) {
		e, err := s.New(bytes.Repeat([]byte{9}, 32))
		if err != nil {
			t.Fatal(err)
		}
		f(t, e.Use)
		f(t, func(fn func([]byte) error) error { return enclave.UseAll(first(fn), e) })
		// Whatever the function did, the slot is back and the next call works.
		if err := e.Use(func([]byte) error { return nil }); err != nil {
			t.Error(err)
		}
	})
}

func TestErrorOfTheFunctionPassesAsItIs(t *testing.T) {
	t.Parallel()
	own := errors.New("the function's")
	each(t, func(t *testing.T, use func(func([]byte) error) error) {
		if err := use(func([]byte) error { return own }); err != own {
			t.Errorf("%v", err)
		}
	})
}

func TestPanicOfTheFunctionPassesAsItIs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, use func(func([]byte) error) error) {
		value := new(int)
		defer func() {
			if got := recover(); got != any(value) {
				t.Errorf("recovered %v", got)
			}
		}()
		err := use(func([]byte) error { panic(value) })
		t.Errorf("no panic, but %v", err)
	})
}

func TestGoexitOfTheFunctionPasses(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, use func(func([]byte) error) error) {
		done := make(chan bool)
		go func() {
			returned := false
			defer func() { done <- returned }()
			_ = use(func([]byte) error { runtime.Goexit(); return nil })
			returned = true
		}()
		if <-done {
			t.Error("Goexit came back")
		}
	})
}

func TestUseWithinUse(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, use func(func([]byte) error) error) {
		depth := 0
		err := use(func([]byte) error {
			return use(func(b []byte) error {
				depth = len(b)
				return nil
			})
		})
		if err != nil || depth != 32 {
			t.Errorf("%v, %d bytes", err, depth)
		}
	})
}
