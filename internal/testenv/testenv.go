// Package testenv is what the tests of several packages need: a share of the
// process's lockable memory, proofs by fault, and a look at the process from
// the system's side.
package testenv

import (
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/memkeep/memkeep/internal/page"
)

// The tests of one package run in parallel in one process, and share its limit
// on locked memory. Each takes its part from here first.
var share = struct {
	sync.Mutex
	freed   *sync.Cond
	taken   uint64
	holders map[string]bool // names of tests
}{holders: make(map[string]bool)}

// AllowUnlocked is what tests give pools and sessions for the field of that name. It is
// true in the runs of .ci/run where no memory can be locked, and all else is tested.
// The library itself does not read the variable, but for the drop-in.
var AllowUnlocked = os.Getenv("MEMKEEP_ALLOW_UNLOCKED") == "1"

// Backends returns the names of those that lock, best first. Where tests do without a
// lock, it is those that do not.
func Backends() []string {
	if AllowUnlocked {
		return []string{page.Unlocked, page.Unguarded}
	}
	return page.Names()
}

// Lockable waits until the test may have n bytes locked beside the others that
// run, and gives them back when the test ends. Where the process could never
// lock that much the test is skipped, unless it does without a lock: what a limit of
// zero does is the business of tests that need none.
//
// A test takes its part once, with that of its subtests: two that each hold one part
// and wait for another would wait forever. A second call fails the test. For the same
// reason subtests that run in parallel take parts of their own: while they wait for
// their turn, those whose turn it is may wait for the part that the test holds.
func Lockable(t testing.TB, n int) {
	t.Helper()
	if most, err := lockable(t); AllowUnlocked && (err != nil || uint64(n) > most) {
		return
	}
	MustLock(t, n)
}

// lockable returns how much the process may lock, or why the system locks nothing.
func lockable(t testing.TB) (most uint64, err error) {
	t.Helper()
	limits, err := page.ReadLimits()
	if err != nil {
		t.Fatal(err)
	}
	_, err = page.Open("", nil)
	return limits.Lockable(), err
}

// MustLock is Lockable for a test of the lock itself.
func MustLock(t testing.TB, n int) {
	t.Helper()
	most, err := lockable(t)
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	if uint64(n) > most {
		t.Skipf("SKIPPED: needs %d bytes of locked memory, the process may lock %d", n, most)
	}
	share.Lock()
	defer share.Unlock()
	if share.freed == nil {
		share.freed = sync.NewCond(&share)
	}
	for name := t.Name(); name != "."; name = path.Dir(name) {
		if share.holders[name] {
			t.Fatalf("%s has taken its part of the locked memory already", name)
		}
	}
	for share.taken+uint64(n) > most {
		share.freed.Wait()
	}
	share.taken += uint64(n)
	share.holders[t.Name()] = true
	t.Cleanup(func() {
		share.Lock()
		defer share.Unlock()
		share.taken -= uint64(n)
		delete(share.holders, t.Name())
		share.freed.Broadcast()
	})
}

// SmallLimit is what docker and older systems let a process lock, 64 KiB in
// their pages of 4 KiB, in bytes. What the library locks is counted in pages: of
// larger ones it is as many.
func SmallLimit() int { return 16 * page.Size() }

// Long reports whether tests take their long form, which .ci/run gives each of
// them in one of its stages. What they test is the same, more often: it takes
// longer than anybody waits for the README's test command.
func Long() bool { return os.Getenv("MEMKEEP_LONG") != "" }

// execEnv names the emulator that runs this binary, with its flags, where the
// system itself can't.
const execEnv = "MEMKEEP_EXEC"

// Emulator returns the command that runs binaries like this one, in words, or
// none where the system itself does.
func Emulator() []string { return strings.Fields(os.Getenv(execEnv)) }

// Reexec returns a command that runs this test binary again, behind the emulator
// if there is one. The child may be another user's.
func Reexec(args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	if words := append(Emulator(), self); len(words) > 1 {
		return exec.Command(words[0], append(words[1:], args...)...)
	}
	// The folder that the binary lies in may be closed to whoever runs it.
	if runtime.GOOS == "linux" {
		self = "/proc/self/exe"
	}
	return exec.Command(self, args...)
}

// Sampled returns what says whether the next of many like cases is to be checked: all
// of them, but with the race detector, behind an emulator or as WebAssembly, which take
// many times as long, one of every stride; behind an emulator of 32 bits, where large
// numbers take four times as long again, one of three times as many. Which one comes first
// is drawn.
func Sampled(stride int) func() bool {
	switch {
	case len(Emulator()) == 0 && runtime.GOARCH != "wasm" && !Race:
		stride = 1
	case len(Emulator()) > 0 && math.MaxInt == math.MaxInt32:
		stride *= 3
	}
	n := rand.IntN(stride)
	return func() bool {
		n++
		return n%stride == 0
	}
}

// Mask hides b, or shows it again, in place. A secret that a test hands a child
// masked leaves no copy on its way.
func Mask(b []byte) []byte {
	for i := range b {
		b[i] ^= 0xa5
	}
	return b
}
