package enclave

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

func TestTableFindsEverySessionByItsNumberUntilItIsRemoved(t *testing.T) {
	t.Parallel()
	var tab table
	var all []*Session
	for range 1000 {
		s := new(Session)
		if err := tab.add(s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	for i, s := range all {
		if s.now() == 0 || tab.get(s.now()) != s {
			t.Fatalf("session %d: number %d leads elsewhere", i, s.now())
		}
		if i%3 == 0 {
			tab.remove(s)
			tab.remove(s) // again, it does nothing
		}
	}
	for i, s := range all {
		if got := tab.get(s.now()); (got == nil) != (i%3 == 0) || got != nil && got != s {
			t.Errorf("session %d: %v", i, got == s)
		}
	}
	for _, n := range []number{0, 1, maxSessions - 1, 1<<32 - 1} {
		if tab.get(n) != nil {
			t.Errorf("number %d is nobody's, and leads to a session", n)
		}
	}
}

func TestTableIsFullWithAnErrorAndGivesNumbersAgainUnderOtherNames(t *testing.T) {
	t.Parallel()
	var tab table
	all := make([]Session, maxSessions+1)
	for i := range maxSessions {
		if err := tab.add(&all[i]); err != nil {
			t.Fatal(err)
		}
	}
	last := &all[maxSessions]
	if err := tab.add(last); !errors.Is(err, errSessions) {
		t.Fatalf("one more than fits: %v", err)
	}
	gone := all[7].now()
	tab.remove(&all[7])
	if err := tab.add(last); err != nil {
		t.Fatal(err)
	}
	if last.now() == gone || tab.get(gone) != nil || tab.get(last.now()) != last {
		t.Errorf("number %d after %d: an enclave of the old session would find the new one", last.now(), gone)
	}
	// The numbers of one place run out, and begin again without 0.
	first := all[9].now()
	all[9].number.Store(uint32(all[9].now()) | 0xffff<<placeBits)
	tab.remove(&all[9])
	if err := tab.add(&all[7]); err != nil || all[7].now() != first {
		t.Errorf("%v, number %d, want %d again", err, all[7].now(), first)
	}
	if err := tab.add(new(Session)); !errors.Is(err, errSessions) {
		t.Errorf("a place was given out twice: %v", err)
	}
}

func TestTableStaysSmallAndNoNumberComesBackSoon(t *testing.T) {
	t.Parallel()
	var tab table
	seen := map[number]bool{}
	for range 100_000 {
		s := new(Session)
		if err := tab.add(s); err != nil {
			t.Fatal(err)
		}
		if seen[s.now()] {
			t.Fatalf("number %d was given out twice", s.now())
		}
		seen[s.now()] = true
		tab.remove(s)
	}
	if n := len(*tab.places.Load()); n > 4*resting {
		t.Errorf("one session at a time takes %d places", n)
	}
}

func TestTableIsReadWhileItGrows(t *testing.T) {
	t.Parallel()
	var tab table
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 500 {
				s := new(Session)
				if err := tab.add(s); err != nil {
					t.Error(err)
				}
				if tab.get(s.now()) != s {
					t.Error("a session is not found where it was just entered")
				}
				tab.remove(s)
			}
		})
	}
	wg.Wait()
}

func testSession(t *testing.T) *Session {
	t.Helper()
	budget := 8 * os.Getpagesize()
	testenv.Lockable(t, budget)
	s, err := NewSession(Config{MaxLockedBytes: budget, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// The runtime takes memory for small things in pieces of certain sizes, of
// which 64 bytes is one.
func TestEnclaveOf32BytesTakesOneAllocationOf64(t *testing.T) {
	s := testSession(t)
	secret := make([]byte, 32)
	var kept [1000]*Enclave
	// Others may allocate meanwhile, but not always.
	count, size := ^uint64(0), ^uint64(0)
	for range 20 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for i := range kept {
			var err error
			if kept[i], err = s.NewCopy(secret); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		count = min(count, after.Mallocs-before.Mallocs)
		size = min(size, after.TotalAlloc-before.TotalAlloc)
	}
	if n := uint64(len(kept)); (count != n || size != 64*n) && !testenv.Race {
		t.Errorf("%d enclaves: %d allocations of %d bytes together", n, count, size)
	}
}

// What a copy of an enclave's struct is followed by is not its ciphertext.
func TestCopyOfAnEnclaveNeverOpens(t *testing.T) {
	t.Parallel()
	s := testSession(t)
	e, err := s.New([]byte("a secret"))
	if err != nil {
		t.Fatal(err)
	}
	words := make([]uint64, 100)
	copied := (*Enclave)(unsafe.Pointer(&words[0]))
	copied.size = e.size
	copied.session.Store(e.session.Load())
	called := func([]byte) error {
		t.Error("a copy opened")
		return nil
	}
	if err := copied.Use(called); err != errCopied || err.Error() != "enclave: copied by value" || !errors.Is(err, ErrDestroyed) {
		t.Error(err)
	}
	if _, err := copied.Open(); err != errCopied {
		t.Error(err)
	}
	if err := e.Use(func([]byte) error { return nil }); err != nil {
		t.Error(err)
	}
}

func TestEnclaveOfAClosedSessionIsErrClosedOfADestroyedOneErrDestroyed(t *testing.T) {
	t.Parallel()
	s := testSession(t)
	nop := func([]byte) error { return nil }
	var enclaves []*Enclave
	for size := 1; size < 200; size++ {
		e, err := s.New(bytes.Repeat([]byte{1}, size))
		if err != nil {
			t.Fatal(err)
		}
		if e.Size() != size {
			t.Errorf("%d bytes: size %d", size, e.Size())
		}
		if size%2 == 0 {
			e.Destroy()
		}
		enclaves = append(enclaves, e)
	}
	check := func(when string, alive error) {
		for i, e := range enclaves {
			want, size := alive, i+1
			if size%2 == 0 {
				want, size = locked.ErrDestroyed, 0
			}
			if err := e.Use(nop); !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", when, err, want)
			}
			if got, want := fmt.Sprint(e), fmt.Sprintf("[REDACTED %d bytes]", size); got != want {
				t.Errorf("%s: prints as %s, not %s", when, got, want)
			}
		}
	}
	check("open", nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	check("closed", ErrClosed)
	if sessions.get(s.now()) != nil {
		t.Error("the table still has the closed session")
	}
}
