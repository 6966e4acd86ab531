package random_test

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/memkeep/memkeep/internal/random"
	"github.com/memkeep/memkeep/internal/testenv"
)

func TestBytesFillsEveryByte(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 2, 32, 255, 256, 257, 1000, 1<<20 + 300} {
		// A byte that stays as it was in every one of 64 draws is not filled: the
		// chance of that is 2^-512.
		b, touched := make([]byte, n+2), make([]byte, n+2)
		draws := 64
		if n > 1000 {
			draws = 8
		}
		for range draws {
			random.Bytes(b[1 : n+1])
			for i := range b {
				touched[i] |= b[i]
			}
		}
		if touched[0] != 0 || touched[n+1] != 0 {
			t.Errorf("%d bytes: wrote beside them", n)
		}
		if i := bytes.IndexByte(touched[1:n+1], 0); i >= 0 {
			t.Errorf("%d bytes: byte %d is not filled", n, i)
		}
	}
}

func TestTwoCallersDrawDifferentBytes(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	seen := map[[16]byte]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				var b [16]byte
				random.Bytes(b[:])
				mu.Lock()
				if seen[b] {
					t.Error("the same 16 bytes came twice")
				}
				seen[b] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// zeros is what a program may put in crypto/rand.Reader.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// The child alone replaces the Reader: other tests run beside this one.
func TestReplacedReaderIsNotAsked(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "js" || runtime.GOOS == "wasip1" {
		t.Skip("SKIPPED: there crypto/rand does the work, and no process has children")
	}
	const child = "MEMKEEP_TEST_READER"
	if os.Getenv(child) == "" {
		cmd := testenv.Reexec("-test.run=^TestReplacedReaderIsNotAsked$", "-test.count=1", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	rand.Reader = zeros{}
	var control, b [32]byte
	if _, err := io.ReadFull(rand.Reader, control[:]); err != nil || control != [32]byte{} {
		t.Fatal("the Reader is not replaced")
	}
	random.Bytes(b[:])
	if b == [32]byte{} {
		t.Error("the bytes come from the replaced Reader")
	}
}

func TestBytesDoesNotAllocate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("SKIPPED: a call of a Windows library allocates the list of its arguments, pointers alone")
	}
	var b [32]byte
	if n := testing.AllocsPerRun(100, func() { random.Bytes(b[:]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
