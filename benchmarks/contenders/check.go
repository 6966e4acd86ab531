package contenders

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime/debug"
)

// Check holds a store to the contender's promises on secrets of the size: it is
// run before anything is timed, since a fast wrong answer wins nothing.
func Check(c *Contender, store Store, size int) error {
	w, err := store.Worker(size)
	if err != nil {
		return err
	}
	defer w.Close()
	for _, way := range c.Ways {
		check := checker{c: c, store: store, w: w, way: way}
		for _, step := range []struct {
			what string
			run  func(size int) error
		}{
			{"two secrets, opened twice each", check.roundTrip},
			{"the caller's error", check.callersError},
			{"a write to the open secret", check.readOnly},
			{"a slice kept after the call", check.afterClose},
			{"a changed ciphertext", check.tampered},
		} {
			if err := step.run(size); err != nil {
				return fmt.Errorf("%s: %s: %d bytes: %s: %w", c.Name, way, size, step.what, err)
			}
		}
	}
	return nil
}

// CheckPurge fails unless a secret that was sealed before Purge no longer opens,
// and one that is sealed afterwards does. A store without Purge passes.
func CheckPurge(c *Contender, store Store, size int) error {
	p, ok := store.(Purger)
	if !ok {
		return nil
	}
	w, err := store.Worker(size)
	if err != nil {
		return err
	}
	defer w.Close()
	s, err := w.Seal(random(size))
	if err != nil {
		return err
	}
	if err := p.Purge(); err != nil {
		return err
	}
	for _, way := range c.Ways {
		if err := Do(w, way, s, func([]byte) error { return nil }); err == nil {
			return fmt.Errorf("%s: %s opens a secret from before the purge", c.Name, way)
		}
	}
	return Check(c, store, size)
}

type checker struct {
	c     *Contender
	store Store
	w     Worker
	way   Way
}

func random(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b) // fills its argument or ends the program
	return b
}

// seal returns a sealed random secret and a copy of it.
func (k checker) seal(size int) (Secret, []byte, error) {
	secret := random(size)
	want := bytes.Clone(secret)
	s, err := k.w.Seal(secret)
	return s, want, err
}

func (k checker) opens(s Secret, want []byte) error {
	calls := 0
	err := Do(k.w, k.way, s, func(got []byte) error {
		calls++
		if !bytes.Equal(got, want) {
			return errors.New("the bytes are not those that were sealed")
		}
		return nil
	})
	if err == nil && calls != 1 {
		return fmt.Errorf("the function ran %d times", calls)
	}
	return err
}

func (k checker) roundTrip(size int) error {
	a, wantA, err := k.seal(size)
	if err != nil {
		return err
	}
	b, wantB, err := k.seal(size)
	if err != nil {
		return err
	}
	for range 2 {
		if err := errors.Join(k.opens(a, wantA), k.opens(b, wantB)); err != nil {
			return err
		}
	}
	return errors.Join(k.w.Free(a), k.w.Free(b))
}

func (k checker) callersError(size int) error {
	s, want, err := k.seal(size)
	if err != nil {
		return err
	}
	errOwn := errors.New("the caller's")
	if err := Do(k.w, k.way, s, func([]byte) error { return errOwn }); !errors.Is(err, errOwn) {
		return fmt.Errorf("came back as %v", err)
	}
	return errors.Join(k.opens(s, want), k.w.Free(s))
}

func (k checker) readOnly(size int) error {
	if !k.c.Promises.ReadOnly {
		return nil
	}
	s, want, err := k.seal(size)
	if err != nil {
		return err
	}
	err = Do(k.w, k.way, s, func(b []byte) error {
		if !faults(func() { b[0] ^= 1 }) {
			return errors.New("does not fault")
		}
		return nil
	})
	return errors.Join(err, k.opens(s, want), k.w.Free(s))
}

func (k checker) afterClose(size int) error {
	s, want, err := k.seal(size)
	if err != nil {
		return err
	}
	var kept []byte
	if err := Do(k.w, k.way, s, func(b []byte) error { kept = b; return nil }); err != nil {
		return err
	}
	same := false
	faulted := faults(func() { same = bytes.Equal(kept, want) })
	switch k.c.Promises.After[k.way] {
	case Faults:
		if !faulted {
			return errors.New("does not fault")
		}
	case Gone:
		// One byte may be the same by chance.
		if !faulted && same && size > 8 {
			return errors.New("shows the secret")
		}
	}
	return errors.Join(k.opens(s, want), k.w.Free(s))
}

func (k checker) tampered(size int) error {
	t, ok := k.store.(Tamperer)
	if !ok || !k.c.Promises.Encrypted {
		return nil
	}
	s, want, err := k.seal(size)
	if err != nil {
		return err
	}
	sealed := t.Ciphertext(s)
	if len(sealed) < size {
		return fmt.Errorf("%d bytes of ciphertext for a secret of %d", len(sealed), size)
	}
	for _, at := range []int{0, len(sealed) / 2, len(sealed) - 1} {
		sealed[at] ^= 0x40
		if err := Do(k.w, k.way, s, func([]byte) error { return nil }); err == nil {
			return fmt.Errorf("opens although byte %d of %d changed", at, len(sealed))
		}
		sealed[at] ^= 0x40
	}
	return errors.Join(k.opens(s, want), k.w.Free(s))
}

// faults runs f and reports whether it touched memory that it may not.
func faults(f func()) (faulted bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if _, ok := r.(interface{ Addr() uintptr }); !ok {
			panic(r)
		}
		faulted = true
	}()
	f()
	return false
}
