package locked_test

import (
	"errors"
	"testing"

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
	if s := p.Stats(); !s.Unlocked || s.Backend != locked.Unlocked || s.BudgetCut {
		t.Errorf("%+v", s)
	}
	b := newBuffer(t, p, 32)
	copy(b.Bytes(), "a secret")
	if err := b.Freeze(); err != nil {
		t.Fatal(err)
	}
	testenv.MustFault(t, "writing to a frozen buffer", func() { b.Bytes()[0] = 1 })
	stale := b.Bytes()
	if err := p.Use(ctx, 32, put("a secret"), nop); err != nil {
		t.Error(err)
	}
	destroy(t, b)
	testenv.MustFault(t, "reading a destroyed buffer", func() { testenv.Touch(stale) })
	if n := testenv.LockedBytes(t); n != 0 {
		t.Errorf("%d bytes are locked", n)
	}
}

func TestMemoryIsLockedWhereItCanBe(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{AllowUnlocked: true})
	if s := p.Stats(); s.Unlocked {
		t.Errorf("%+v", s)
	}
}
