//go:build linux || windows

package enclave

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// errInjected is what a system call that is made to fail returns.
var errInjected = errors.New("injected")

// Every system call of a session's life fails once. No secret is lost for it,
// nothing leaks, and the session goes on.
func TestFailedSystemCallLosesNoSecret(t *testing.T) {
	// Not parallel: it watches the whole process.
	budget := 8 * os.Getpagesize()
	for _, name := range testenv.Backends() {
		t.Run(name, func(t *testing.T) {
			if _, err := page.Open(name, nil); err != nil {
				t.Skipf("SKIPPED: %v", err)
			}
			testenv.Lockable(t, budget)
			n := 1
			for failNth(t, name, budget, n) {
				n++
			}
			if n < 20 {
				t.Errorf("only %d calls were made to fail", n)
			}
		})
	}
}

// failNth lives a session's life with the nth call failing, and reports whether
// there was an nth call.
func failNth(t *testing.T, name string, budget, n int) bool {
	t.Helper()
	calls, failed := 0, ""
	b, err := page.Open(name, func(call string) error {
		if calls++; calls == n {
			failed = call
			return errInjected
		}
		return nil
	})
	if err != nil {
		return true
	}
	kernel := testenv.LockedBytes(t)
	var reported []error
	report := func(err error) bool {
		if err != nil {
			reported = append(reported, err)
		}
		return err == nil
	}
	s := &Session{cfg: Config{RefreshInterval: -1}}
	// A session that could not be made can be made again.
	for s.core.Load() == nil {
		pool, err := bridge.NewPool(b, locked.Config{LockedBytes: budget, UseSlots: 2})
		if err != nil {
			t.Fatal(err)
		}
		if c, err := s.newCore(pool.(*locked.Pool)); report(err) {
			report(s.start(c))
		} else {
			report(pool.(*locked.Pool).Close())
		}
	}
	live(t, s, report)
	if !report(s.Close()) {
		report(s.Close())
	}
	for _, err := range reported {
		if !strings.Contains(err.Error(), errInjected.Error()) || !strings.Contains(err.Error(), failed) {
			t.Errorf("call %d, %s, failed: an error is %q", n, failed, err)
		}
	}
	if len(reported) > 1 {
		t.Errorf("call %d, %s, failed: so did %d operations: %v", n, failed, len(reported), reported)
	}
	if now := testenv.LockedBytes(t); now != kernel {
		t.Errorf("call %d, %s, failed: the kernel has %d bytes locked, %d before", n, failed, now, kernel)
	}
	return failed != ""
}

// live does all that a session can do, and reports each operation's error.
func live(t *testing.T, s *Session, report func(error) bool) {
	t.Helper()
	secret := []byte("a secret that must not be lost ..")
	e, err := s.New(bytes.Clone(secret))
	if err != nil {
		t.Fatalf("sealing takes no system call, and failed: %v", err)
	}
	check := func(got []byte) error {
		if !bytes.Equal(got, secret) {
			return errors.New("another secret")
		}
		return nil
	}
	// Tried again, whatever failed works: the secret is still there.
	again := func(op func() error) {
		if !report(op()) {
			report(op())
		}
	}
	open := func() error {
		b, err := e.Open()
		if err != nil {
			return err
		}
		return errors.Join(b.Use(check), b.Destroy())
	}
	for range 2 {
		again(func() error { return e.Use(check) })
		again(open)
		again(func() error {
			return e.Use(func([]byte) error { return e.Use(check) })
		})
		again(func() error {
			return UseAll(func(secrets [][]byte) error { return check(secrets[1]) }, e, e)
		})
	}
	again(func() error {
		_, err := s.NewRandom(32)
		return err
	})
	if b, err := s.NewBuffer(16); report(err) {
		_, err := s.Seal(b)
		report(err)
	}
	again(s.Purge)
}
