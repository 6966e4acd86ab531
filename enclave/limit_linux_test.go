package enclave_test

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

func TestImportDoesNothingAndTheDefaultSessionIsMadeOnFirstUse(t *testing.T) {
	limit := testenv.SmallLimit()
	if !testenv.UnderLimit(t, limit) {
		return
	}
	// This process has run nothing of the package yet.
	limits := func() (core, memlock unix.Rlimit) {
		if err := errors.Join(unix.Getrlimit(unix.RLIMIT_CORE, &core), unix.Getrlimit(unix.RLIMIT_MEMLOCK, &memlock)); err != nil {
			t.Fatal(err)
		}
		return core, memlock
	}
	core, memlock := limits()
	goroutines := runtime.NumGoroutine()
	if n := testenv.LockedBytes(t); n != 0 {
		t.Errorf("%d bytes locked by importing", n)
	}
	if err := enclave.Purge(); err != nil {
		t.Errorf("Purge of nothing: %v", err)
	}
	if s := enclave.Default().Stats(); s != (enclave.Stats{}) {
		t.Errorf("before the first use: %+v", s)
	}
	e, err := enclave.New(secretOf(32))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Use(holds(secretOf(32))); err != nil {
		t.Error(err)
	}
	if r, err := enclave.NewRandom(16); err != nil || r.Size() != 16 {
		t.Error(err)
	}
	b, err := enclave.Default().NewBuffer(8)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := enclave.Seal(b); err != nil {
		t.Error(err)
	}
	s := enclave.Default().Stats()
	if now := testenv.LockedBytes(t); s.LockedBytes == 0 || s.LockedBytes != now || s.Budget > limit || s.Seals != 3 || s.Uses != 1 {
		t.Errorf("%d bytes locked, %+v", now, s)
	}
	// A timer's function is a goroutine while it runs.
	for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() != goroutines; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
		runtime.Gosched()
	}
	if coreNow, memlockNow := limits(); coreNow != core || memlockNow != memlock {
		t.Errorf("the limits were %v and %v, are %v and %v", core, memlock, coreNow, memlockNow)
	}
	if err := enclave.Purge(); err != nil {
		t.Error(err)
	}
	if err := e.Use(holds(secretOf(32))); !errors.Is(err, enclave.ErrPurged) {
		t.Errorf("after the purge: %v", err)
	}
}

// A limit that holds nothing, or one page: docker's 64 KiB where pages have that
// size; or a page less than a session needs.
func TestLimitBelowTheSmallestIsALimitErrorFromTheFirstCallOn(t *testing.T) {
	for pages := range smallest() / os.Getpagesize() {
		t.Run(fmt.Sprintf("%d pages", pages), func(t *testing.T) {
			limit := pages * os.Getpagesize()
			if testenv.UnderLimit(t, limit) {
				refusesEverything(t, limit)
			}
		})
	}
}

func refusesEverything(t *testing.T, limit int) {
	t.Helper()
	secret := secretOf(32)
	_, newErr := enclave.New(secret)
	_, randomErr := enclave.NewRandom(32)
	_, bufferErr := enclave.Default().NewBuffer(32)
	_, sessionErr := enclave.NewSession(enclave.Config{})
	for name, err := range map[string]error{"New": newErr, "NewRandom": randomErr, "NewBuffer": bufferErr, "NewSession": sessionErr} {
		var refused *locked.LimitError
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if refused.Soft != uint64(limit) || refused.Budget != limit || refused.Requested != smallest() || refused.Size != 0 {
			t.Errorf("%s: figures: %+v", name, refused)
		}
		for _, remedy := range []string{"ulimit -l", "LimitMEMLOCK", "--ulimit memlock"} {
			if !strings.Contains(refused.Remedy(), remedy) {
				t.Errorf("%s: %q does not name %s", name, refused.Remedy(), remedy)
			}
		}
	}
	if string(secret) != string(secretOf(32)) {
		t.Error("the secret that could not be sealed is lost")
	}
	if n := testenv.LockedBytes(t); n != 0 {
		t.Errorf("%d bytes locked by what failed", n)
	}
}

func TestBudgetBelowTheSmallestIsALimitErrorAndLeavesNothing(t *testing.T) {
	before := testenv.LockedBytes(t) // by the default session, if a test made it
	testenv.Lockable(t, 3*os.Getpagesize())
	for _, pages := range []int{1, 2, 3} {
		s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: pages * os.Getpagesize()})
		var limit *locked.LimitError
		if !errors.As(err, &limit) || limit.Requested != smallest() || limit.Size != 0 {
			t.Errorf("%d pages: %v", pages, err)
		}
		if err == nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if n := testenv.LockedBytes(t); n > before {
		t.Errorf("%d bytes locked after sessions that could not be, %d before", n, before)
	}
}
