package keys_test

import (
	"math/rand/v2"
	"os"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/internal/testenv"
)

func TestMain(m *testing.M) {
	if way := os.Getenv(leftoversEnv); way != "" {
		os.Exit(leftoversChild(way))
	}
	testenv.RunWaiting(m)
}

// newSession returns a session of a small limit that is closed, with nothing
// left open in it, when the test ends. Where the process may lock nothing the
// test is skipped.
func newSession(t testing.TB) *enclave.Session {
	t.Helper()
	testenv.Lockable(t, testenv.SmallLimit())
	s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: testenv.SmallLimit(), AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if stats := s.Stats(); stats.OpenBuffers != 0 || stats.Waiters != 0 {
			t.Errorf("left behind: %d open buffers, %d waiters", stats.OpenBuffers, stats.Waiters)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// in returns what makes keys in a session of its own.
func in(t testing.TB) keys.Session { return keys.In(newSession(t)) }

// sequence returns size bytes of a sequence that is the same in every run.
func sequence(seed uint64, size int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, size)
	rand.NewChaCha8(key).Read(b)
	return b
}

// messageSizes are around the edges of all blocks and paddings.
func messageSizes() []int {
	sizes := []int{1000, 4096, 65537, 1 << 20}
	for i := range 260 {
		sizes = append(sizes, i)
	}
	return sizes
}

// wiped reports whether all of b is zero.
func wiped(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
