//go:build linux || windows

package locked_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// errInjected is what a system call that is made to fail returns.
var errInjected = errors.New("injected")

// Every system call of a pool's life fails once. The error of the operation it
// belongs to names it, all other operations work, nothing leaks, and the pool
// goes on.
func TestFailedSystemCallIsNamedAndLosesNothingElse(t *testing.T) {
	// Not parallel: it watches the whole process.
	for _, name := range testenv.Backends() {
		t.Run(name, func(t *testing.T) {
			if _, err := page.Open(name, nil); err != nil {
				t.Skipf("SKIPPED: %v", err)
			}
			testenv.Lockable(t, small())
			n := 1
			for failNth(t, name, n) {
				n++
			}
			if n < 20 {
				t.Errorf("only %d calls were made to fail", n)
			}
		})
	}
}

// failNth lives a pool's life with the nth call failing, and reports whether
// there was an nth call.
func failNth(t *testing.T, name string, n int) bool {
	t.Helper()
	calls, failed := 0, ""
	b, err := page.Open(name, func(call string) error {
		if calls++; calls == n && failed == "" {
			failed = call
			return errInjected
		}
		return nil
	})
	if err != nil {
		if !errors.Is(err, errInjected) {
			t.Fatal(err)
		}
		return true
	}
	kernel, files := testenv.LockedBytes(t), len(testenv.SecretFiles(t))
	p, err := locked.NewPoolOn(b, locked.Config{LockedBytes: small(), UseSlots: 2})
	if err != nil {
		t.Fatal(err)
	}
	var reported []error
	report := func(err error) bool {
		if err != nil {
			reported = append(reported, err)
		}
		return err == nil
	}
	live(p, report)
	if err := p.Close(); !report(err) {
		report(p.Close())
	}
	switch {
	case failed == "" && len(reported) == 0:
	case len(reported) > 1:
		t.Errorf("call %d, %s, failed: so did %d operations: %v", n, failed, len(reported), reported)
	case len(reported) == 1:
		if err := reported[0]; !strings.Contains(err.Error(), errInjected.Error()) || !strings.Contains(err.Error(), failed) || errors.Is(err, locked.ErrCorrupted) {
			t.Errorf("call %d, %s, failed: the error is %q", n, failed, err)
		}
	case failed == "mprotect":
		t.Errorf("call %d, %s, failed, and nobody said so", n, failed)
	default:
		// Mapping a fresh slot failed where an idle one did as well, or
		// unmapping an idle one where another could go, or at the second try.
	}
	if s := p.Stats(); s.LockedBytes != 0 || s.OpenBuffers != 0 {
		t.Errorf("call %d, %s, failed: at the end %+v", n, failed, s)
	}
	if now := testenv.LockedBytes(t); now != kernel {
		t.Errorf("call %d, %s, failed: the kernel has %d bytes locked, %d before", n, failed, now, kernel)
	}
	if now := len(testenv.SecretFiles(t)); now != files {
		t.Errorf("call %d, %s, failed: %d files open, %d before", n, failed, now, files)
	}
	return failed != ""
}

// live does all that a pool can do, and reports each operation's error.
func live(p *locked.Pool, report func(error) bool) {
	if r, err := p.NewRegion(100); report(err) {
		if !report(r.Free()) {
			report(r.Free())
		}
	}
	for _, size := range []int{32, os.Getpagesize()} {
		if b, err := p.New(size); report(err) {
			report(b.Freeze())
			report(b.Wipe())
			report(b.Melt())
			report(b.Scramble())
			report(b.Destroy())
		}
		if b, err := p.NewFrozen(size, put("a secret")); report(err) {
			report(b.Destroy())
		}
		report(p.Use(ctx, size, put("a secret"), nop))
		report(p.Use(ctx, size, put("a secret"), nop))
	}
	report(p.UseAll(ctx, []int{16, 16}, func([][]byte) error { return nil }, func([][]byte) error { return nil }))
}
