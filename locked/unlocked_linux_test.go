package locked_test

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"unsafe"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

func TestUnlockedMemoryIsForThoseWhoAllowIt(t *testing.T) {
	if !testenv.UnderLimit(t, 0) {
		return
	}
	var limit *locked.LimitError
	if _, err := locked.NewPool(locked.Config{}); !errors.As(err, &limit) {
		t.Errorf("not allowed: %v", err)
	}
	p := openPool(t, locked.Config{AllowUnlocked: true, UseSlots: 2})
	if s := p.Stats(); !s.Unlocked || s.Backend != locked.Unlocked || s.BudgetCut || !strings.Contains(s.BackendReason, "limit is 0 bytes") {
		t.Errorf("%+v", s)
	}
	if text := p.String(); !strings.Contains(text, "NOT LOCKED") {
		t.Errorf("it prints as %s", text)
	}
	b := newBuffer(t, p, 32)
	copy(b.Bytes(), "a secret")
	if err := b.Freeze(); err != nil {
		t.Fatal(err)
	}
	testenv.MustFault(t, "writing to a frozen buffer", func() { b.Bytes()[0] = 1 })
	stale := b.Bytes()
	testenv.MustFault(t, "reading the guard page", func() { testenv.Touch(unsafe.Slice(at(stale, len(stale)), 1)) })
	if m, ok := testenv.MappingOf(t, stale); len(testenv.Emulator()) == 0 && (!ok || !m.Flags["dd"] || !m.Flags["dc"]) {
		t.Errorf("an open buffer is in dumps or children: flags %v", m.Flags)
	}
	if err := p.Use(ctx, 32, put("a secret"), nop); err != nil {
		t.Error(err)
	}
	destroy(t, b)
	testenv.MustFault(t, "reading a destroyed buffer", func() { testenv.Touch(stale) })
	if n := testenv.LockedBytes(t); n != 0 {
		t.Errorf("%d bytes are locked", n)
	}
	// One slot: the next buffer has the same, wiped.
	p = openPool(t, locked.Config{AllowUnlocked: true, LockedBytes: os.Getpagesize()})
	for range 2 {
		b := newBuffer(t, p, 8)
		if !bytes.Equal(b.Bytes(), make([]byte, 8)) {
			t.Errorf("a fresh buffer holds %q", b.Bytes())
		}
		copy(b.Bytes(), "a secret")
		destroy(t, b)
	}
}

func TestBackendThatDoesNotLockHasToBeAllowed(t *testing.T) {
	t.Parallel()
	for _, backend := range []locked.Backend{locked.Unlocked, locked.Unguarded} {
		if _, err := locked.NewPool(locked.Config{Backend: backend}); err == nil || !strings.Contains(err.Error(), "AllowUnlocked") {
			t.Errorf("%s: %v", backend, err)
		}
		p := openPool(t, locked.Config{Backend: backend, AllowUnlocked: true})
		b := newBuffer(t, p, 32)
		if s := p.Stats(); !s.Unlocked || s.Backend != backend || (s.DumpableBytes > 0) != (backend == locked.Unguarded) {
			t.Errorf("%+v", s)
		}
		destroy(t, b)
	}
}

// A container may refuse what the limit allows, which shows when something is locked.
func TestRefusalThatTheLimitDoesNotTellIsSeen(t *testing.T) {
	if !testenv.UnderLimit(t, os.Getpagesize()) {
		return
	}
	taken := openPool(t, locked.Config{Backend: locked.Mlock})
	b := newBuffer(t, taken, 32)
	// The same mechanism: some kernels count secret pages apart.
	p := openPool(t, locked.Config{Backend: locked.Mlock, AllowUnlocked: true})
	if s := p.Stats(); !s.Unlocked {
		t.Errorf("%+v", s)
	}
	destroy(t, newBuffer(t, p, 32))
	destroy(t, b)
}

func TestRemedyNamesUnlockedMemoryLast(t *testing.T) {
	t.Parallel()
	remedy := (&locked.LimitError{Resource: locked.LockedMemory}).Remedy()
	if i := strings.Index(remedy, "AllowUnlocked"); i < 0 || i < strings.LastIndex(remedy, "CAP_IPC_LOCK") {
		t.Error(remedy)
	}
	if remedy := (&locked.LimitError{Resource: locked.Memory}).Remedy(); strings.Contains(remedy, "AllowUnlocked") {
		t.Error(remedy)
	}
}

func TestMemoryIsLockedWhereItCanBe(t *testing.T) {
	t.Parallel()
	testenv.MustLock(t, small())
	p := openPool(t, locked.Config{LockedBytes: small(), AllowUnlocked: true})
	if s := p.Stats(); s.Unlocked {
		t.Errorf("%+v", s)
	}
}
