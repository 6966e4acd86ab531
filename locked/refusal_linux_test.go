package locked_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// Use must not need what the process may have run out of since.
func TestUseNeedsNoDescriptorAfterAnIdleTimeout(t *testing.T) {
	if !testenv.UnderLimit(t, limit) {
		return
	}
	p := openPool(t, locked.Config{UseSlots: 2, IdleTimeout: time.Millisecond})
	use := func() error {
		return p.Use(ctx, 32, nop, func([]byte) error { return p.Use(ctx, 32, nop, nop) })
	}
	if err := use(); err != nil {
		t.Fatal(err)
	}
	b := newBuffer(t, p, 32)
	destroy(t, b)
	for deadline := time.Now().Add(time.Minute); p.Stats().LockedBytes > p.KeptBytes(); {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are locked still", p.Stats().LockedBytes)
		}
	}
	var open []*os.File
	for {
		f, err := os.Open("/dev/null")
		if err != nil {
			break
		}
		open = append(open, f)
		if len(open) == 1 {
			// A few are enough.
			r := unix.Rlimit{Cur: 40, Max: 40}
			if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
				t.Fatal(err)
			}
		}
	}
	defer func() {
		for _, f := range open {
			f.Close()
		}
	}()
	if err := p.Use(ctx, 32, nop, nop); err != nil {
		t.Errorf("with %d files open: %v", len(open), err)
	}
}

// Pages that can't be made writable can't be wiped: then they go, or the purge says
// that they did not.
func TestPurgeLeavesNothingMappedThatItCannotWipe(t *testing.T) {
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED: a filter sees the emulator's own system calls")
	}
	if !testenv.UnderLimit(t, limit) {
		return
	}
	for _, backend := range []locked.Backend{locked.MemfdSecret, locked.Memfd, locked.Mlock} {
		p, err := locked.NewPool(locked.Config{Backend: backend, LockedBytes: 5 * os.Getpagesize()})
		if errors.Is(err, locked.ErrUnsupported) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := p.NewFrozen(32, put("a secret")); err != nil {
				t.Fatal(err)
			}
		}
		defer func() {
			if err := p.Purge(); err == nil {
				t.Errorf("%s: nobody said that the pages could not be wiped", backend)
			}
			if err := p.Purge(); err != nil {
				t.Errorf("%s: the second purge: %v", backend, err)
			}
			if n := p.Stats().LockedBytes; n != 0 {
				t.Errorf("%s: %d bytes are mapped still", backend, n)
			}
		}()
	}
	testenv.Refuse(t, unix.SYS_MPROTECT, unix.EACCES)
}

func TestZeroPoolIsClosed(t *testing.T) {
	t.Parallel()
	var p locked.Pool
	_, newErr := p.New(32)
	_, regionErr := p.NewRegion(32)
	for what, err := range map[string]error{"New": newErr, "NewRegion": regionErr, "Use": p.Use(ctx, 32, nop, nop)} {
		if !errors.Is(err, locked.ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := errors.Join(p.Purge(), p.Close()); err != nil {
		t.Error(err)
	}
	if s := p.Stats(); s.LockedBytes != 0 {
		t.Errorf("%+v", s)
	}
}
