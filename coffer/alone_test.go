package coffer

import (
	"crypto/rand"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/memkeep/memkeep/internal/sigframe"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

// alone runs the calling test once more in a process where nothing else runs,
// for what tests share. There it returns true, and the test goes on; here it
// returns false, after the child's verdict became this test's.
func alone(t *testing.T) bool {
	t.Helper()
	const child = "MEMKEEP_TEST_ALONE"
	if os.Getenv(child) != "" {
		return true
	}
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("SKIPPED: a process has no children here")
	}
	t.Parallel()
	cmd := testenv.Reexec("-test.run=^"+t.Name()+"$", "-test.count=1", "-test.v")
	// The runtime preempts by SIGURG, which a test here may count.
	cmd.Env = append(os.Environ(), child+"=1", "GODEBUG=asyncpreemptoff=1")
	out, err := cmd.CombinedOutput()
	if err == nil && strings.Contains(string(out), "--- SKIP: "+t.Name()) {
		t.Skipf("SKIPPED: see\n%s", out)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// zeros is what a program may put in crypto/rand.Reader.
type zeros struct{ asked int }

func (z *zeros) Read(b []byte) (int, error) { z.asked++; clear(b); return len(b), nil }

// Otherwise crypto/rand.Read fills a heap buffer and copies from there.
func TestKeyAndSharesComeFromTheSystemWhateverTheReaderIs(t *testing.T) {
	if !alone(t) {
		return
	}
	budget := 4 * os.Getpagesize()
	testenv.Lockable(t, budget)
	pool, err := locked.NewPool(locked.Config{LockedBytes: budget, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	reader := new(zeros)
	rand.Reader = reader
	c, err := New(pool, Config{RefreshInterval: -1})
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, shares ...[]byte) {
		t.Helper()
		for _, share := range shares {
			if xchacha.Equal(share, make([]byte, len(share))) {
				t.Errorf("%s: a share is what the Reader gave", when)
			}
		}
	}
	check("a new key", c.key.Left[:], c.key.Right[:], c.prefix[:])
	if err := c.Refresh(); err != nil {
		t.Fatal(err)
	}
	check("a refresh", c.key.Right[:])
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	check("a reset", c.key.Left[:], c.key.Right[:], c.prefix[:])
	if reader.asked > 0 {
		t.Errorf("the Reader was asked %d times", reader.asked)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}

// sweeps counts how often f makes all threads be signalled.
func sweeps(t *testing.T, f func() error) int {
	t.Helper()
	before := sigframe.Sweeps()
	if err := f(); err != nil {
		t.Fatal(err)
	}
	return int(sigframe.Sweeps() - before)
}

// A coffer at rest must not wake the process's threads twice a second. Whatever
// handles secrets counts as an operation, whether a coffer takes part or not.
func TestThreadsAreSweptAfterOperationsAndNotOtherwise(t *testing.T) {
	if !alone(t) {
		return
	}
	_, coffers := newInternals(t, Config{RefreshInterval: -1}, Config{RefreshInterval: -1})
	c, other := coffers[0], coffers[1]
	sealed, secret := make([]byte, 1+Overhead), []byte{1}
	for _, operation := range []struct {
		name string
		run  func() error
	}{
		{"Seal", func() error { return c.Seal(sealed, secret) }},
		{"Open", func() error { return c.Open(make([]byte, 1), sealed) }},
		{"Open that fails", func() error { _ = c.Open(make([]byte, 1), make([]byte, 1+Overhead)); return nil }},
		{"Equal", func() error { xchacha.Equal(secret, []byte{2}); return nil }},
		{"Copy", func() error { xchacha.Copy(make([]byte, 1), secret); return nil }},
	} {
		for name, change := range map[string]func() error{"refresh": c.Refresh, "reset": other.Reset} {
			if n := sweeps(t, operation.run); n != 0 {
				t.Errorf("%s sweeps", operation.name)
			}
			if n := sweeps(t, change); n != 1 {
				t.Errorf("a %s after %s: %d sweeps", name, operation.name, n)
			}
			if n := sweeps(t, change); n != 0 {
				t.Errorf("a %s at rest: %d sweeps", name, n)
			}
			if err := c.Seal(sealed, secret); err != nil { // under the key there is now
				t.Fatal(err)
			}
			sweeps(t, c.Refresh)
		}
	}
	if err := c.Seal(sealed, secret); err != nil {
		t.Fatal(err)
	}
	if n := sweeps(t, c.Close); n != 1 {
		t.Errorf("closing after an operation: %d sweeps", n)
	}
	if n := sweeps(t, other.Close); n != 0 {
		t.Errorf("closing at rest: %d sweeps", n)
	}
}

// The threads are the process's: several coffers sweep them no more often than
// one does.
func TestManyCoffersSweepTogetherAtMostTwiceASecond(t *testing.T) {
	if !alone(t) {
		return
	}
	const coffers = 3 // what the smallest limit has room for
	budget := 4 * coffers * os.Getpagesize()
	testenv.Lockable(t, budget)
	pool, err := locked.NewPool(locked.Config{LockedBytes: budget, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	start, before := time.Now(), sigframe.Sweeps()
	var all []*Coffer
	for range coffers {
		c, err := New(pool, Config{RefreshInterval: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	sealed := make([]byte, 1+Overhead)
	for rekeys := uint64(0); rekeys < 50*coffers; {
		rekeys = 0
		for _, c := range all {
			if err := c.Seal(sealed, []byte{1}); err != nil {
				t.Fatal(err)
			}
			rekeys += c.Stats().Refreshes
		}
	}
	swept := int(sigframe.Sweeps() - before)
	if most := 1 + int(time.Since(start)/sigframe.Interval); swept > most {
		t.Errorf("%d sweeps where there is time for %d", swept, most)
	}
	for _, c := range all {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}
