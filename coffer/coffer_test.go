package coffer_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// newCoffer returns a coffer in a pool of its own; both are closed, and hold
// nothing, when the test ends.
func newCoffer(t testing.TB, cfg coffer.Config) (*coffer.Coffer, *locked.Pool) {
	t.Helper()
	budget := 4 * os.Getpagesize()
	testenv.Lockable(t, budget)
	pool, err := locked.NewPool(locked.Config{LockedBytes: budget, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	c, err := coffer.New(pool, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), pool.Close()); err != nil {
			t.Error(err)
		}
		if n := pool.Stats().LockedBytes; n != 0 {
			t.Errorf("%d bytes locked at the end", n)
		}
	})
	return c, pool
}

func seal(t testing.TB, c *coffer.Coffer, plaintext []byte) []byte {
	t.Helper()
	sealed := make([]byte, len(plaintext)+coffer.Overhead)
	if err := c.Seal(sealed, plaintext); err != nil {
		t.Fatal(err)
	}
	return sealed
}

func open(c *coffer.Coffer, sealed []byte) ([]byte, error) {
	plaintext := make([]byte, max(0, len(sealed)-coffer.Overhead))
	return plaintext, c.Open(plaintext, sealed)
}

func TestSealedBytesOpenAgain(t *testing.T) {
	t.Parallel()
	c, _ := newCoffer(t, coffer.Config{})
	for _, size := range []int{0, 1, 15, 16, 31, 32, 33, 63, 64, 65, 4096, 100_000} {
		secret := bytes.Repeat([]byte{0xA5}, size)
		sealed := seal(t, c, secret)
		// A short one may be there by chance.
		if size >= 15 && bytes.Contains(sealed, secret) {
			t.Errorf("%d bytes: the plaintext shows", size)
		}
		if got, err := open(c, sealed); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestOneChangedByteAnywhereIsErrDecryptAndReleasesNothing(t *testing.T) {
	t.Parallel()
	c, _ := newCoffer(t, coffer.Config{})
	sealed := seal(t, c, bytes.Repeat([]byte{7}, 40))
	for i := range sealed {
		for _, flip := range []byte{1, 0x80, 0xFF} {
			changed := bytes.Clone(sealed)
			changed[i] ^= flip
			got, err := open(c, changed)
			if !errors.Is(err, coffer.ErrDecrypt) {
				t.Errorf("byte %d: %v", i, err)
			}
			if !bytes.Equal(got, make([]byte, 40)) {
				t.Errorf("byte %d: released %x", i, got)
			}
		}
	}
	if s := c.Stats(); s.Failures != uint64(3*len(sealed)) || s.Opens != s.Failures || s.Seals != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWrongLengthsAreErrorsAndWriteNothing(t *testing.T) {
	t.Parallel()
	c, _ := newCoffer(t, coffer.Config{})
	for _, n := range []int{0, 1, 31, 33, 1000} {
		dst := bytes.Repeat([]byte{1}, n)
		if err := c.Seal(dst, make([]byte, 32-coffer.Overhead)); err == nil || !bytes.Equal(dst, bytes.Repeat([]byte{1}, n)) {
			t.Errorf("Seal into %d bytes: %v", n, err)
		}
	}
	sealed := seal(t, c, make([]byte, 32))
	for _, n := range []int{0, 31, 33} {
		if err := c.Open(make([]byte, n), sealed); err == nil || errors.Is(err, coffer.ErrDecrypt) {
			t.Errorf("Open into %d bytes: %v", n, err)
		}
	}
	if err := c.Open(nil, sealed[:coffer.Overhead-1]); err == nil {
		t.Error("Open of less than the overhead")
	}
}

func TestRekeyKeepsTheKeyAndResetReplacesIt(t *testing.T) {
	t.Parallel()
	c, _ := newCoffer(t, coffer.Config{RefreshInterval: -1})
	secret := []byte("a secret")
	sealed := seal(t, c, secret)
	for i := range 100 {
		if err := c.Refresh(); err != nil {
			t.Fatal(err)
		}
		if got, err := open(c, sealed); err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("after %d rekeys: %v", i+1, err)
		}
	}
	if n := c.Stats().Refreshes; n != 100 {
		t.Errorf("%d rekeys counted", n)
	}
	if err := c.Reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(c, sealed); !errors.Is(err, coffer.ErrDecrypt) {
		t.Errorf("after a reset: %v", err)
	}
	if got, err := open(c, seal(t, c, secret)); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("under the new key: %v", err)
	}
}

func TestNoTwoSealsShareANonce(t *testing.T) {
	t.Parallel()
	c, _ := newCoffer(t, coffer.Config{})
	const goroutines, each = 8, 2000
	counters := make([][]string, goroutines)
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for range each {
				counters[g] = append(counters[g], string(seal(t, c, []byte{1})[:8]))
			}
		})
	}
	wg.Wait()
	seen := map[string]bool{}
	for _, list := range counters {
		for _, counter := range list {
			if seen[counter] {
				t.Fatalf("counter %x came twice", counter)
			}
			seen[counter] = true
		}
	}
}

func TestSealAndOpenGoOnWhileTheSharesAndTheKeyChange(t *testing.T) {
	t.Parallel()
	c, _ := newCoffer(t, coffer.Config{RefreshInterval: 50 * time.Microsecond})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			secret := bytes.Repeat([]byte{byte(g)}, 50)
			for range 500 {
				got, err := open(c, seal(t, c, secret))
				if err == nil && !bytes.Equal(got, secret) {
					t.Error("opened to another secret")
				}
				if err != nil && !errors.Is(err, coffer.ErrDecrypt) {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 50 {
			if err := errors.Join(c.Refresh(), c.Reset()); err != nil {
				t.Error(err)
			}
			c.Stats()
		}
	})
	wg.Wait()
}

func TestTimerRekeysAndStopsWithTheCoffer(t *testing.T) {
	t.Parallel()
	budget := 4 * os.Getpagesize()
	testenv.Lockable(t, budget)
	// The bubble ends only if nothing of the coffer goes on in it.
	synctest.Test(t, func(t *testing.T) {
		pool, err := locked.NewPool(locked.Config{LockedBytes: budget, AllowUnlocked: testenv.AllowUnlocked})
		if err != nil {
			t.Fatal(err)
		}
		c, err := coffer.New(pool, coffer.Config{RefreshInterval: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		if n := c.Stats().Refreshes; n != 10 {
			t.Errorf("%d rekeys in ten intervals", n)
		}
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := c.Stats().Refreshes; n != 10 {
			t.Errorf("%d rekeys after Close", n)
		}
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestClosedCofferRefusesEverything(t *testing.T) {
	t.Parallel()
	c, pool := newCoffer(t, coffer.Config{})
	sealed := seal(t, c, make([]byte, 8))
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	_, openErr := open(c, sealed)
	for name, err := range map[string]error{
		"Seal": c.Seal(make([]byte, coffer.Overhead), nil), "Open": openErr, "Refresh": c.Refresh(), "Reset": c.Reset(),
	} {
		if !errors.Is(err, coffer.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := pool.Stats().LockedBytes; n != 0 {
		t.Errorf("%d bytes locked", n)
	}
}

func TestZeroCofferIsClosed(t *testing.T) {
	t.Parallel()
	var c coffer.Coffer
	_, openErr := open(&c, make([]byte, coffer.Overhead+1))
	for name, err := range map[string]error{
		"Seal": c.Seal(make([]byte, coffer.Overhead), nil), "Open": openErr, "Refresh": c.Refresh(), "Reset": c.Reset(),
	} {
		if !errors.Is(err, coffer.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if s := c.Stats(); s != (coffer.Stats{}) {
		t.Errorf("%+v", s)
	}
}

func TestSealAndOpenWorkInPlace(t *testing.T) {
	t.Parallel()
	c, _ := newCoffer(t, coffer.Config{})
	for _, size := range []int{0, 1, 16, 100, 5000} {
		secret := bytes.Repeat([]byte{0xA5}, size)
		mem := make([]byte, size+coffer.Overhead)
		copy(mem[8:], secret)
		if err := c.Seal(mem, mem[8:8+size]); err != nil {
			t.Errorf("sealing %d bytes: %v", size, err)
		}
		if got, err := open(c, mem); err != nil || !bytes.Equal(got, secret) {
			t.Errorf("%d bytes sealed in place: %v", size, err)
		}
		if err := c.Open(mem[8:8+size], mem); err != nil || !bytes.Equal(mem[8:8+size], secret) {
			t.Errorf("opening %d bytes: %v", size, err)
		}
	}
}

func TestOtherOverlapsAreErrorsAndWriteNothing(t *testing.T) {
	t.Parallel()
	c, _ := newCoffer(t, coffer.Config{})
	const size = 100
	for at := range size + coffer.Overhead + 20 {
		mem := make([]byte, 3*size)
		before := bytes.Clone(mem)
		long, short := mem[10:][:size+coffer.Overhead], mem[at:][:size]
		if at == 10+8 || at >= 10+size+coffer.Overhead {
			continue
		}
		for what, err := range map[string]error{"Seal": c.Seal(long, short), "Open": c.Open(short, long)} {
			if err == nil || errors.Is(err, coffer.ErrDecrypt) || !strings.Contains(err.Error(), "overlap") {
				t.Errorf("%s, the plaintext at %d: %v", what, at-10, err)
			}
		}
		if !bytes.Equal(mem, before) {
			t.Errorf("the plaintext at %d: something was written", at-10)
		}
	}
}

func TestCofferPrintsAsTheSizeOfItsKey(t *testing.T) {
	t.Parallel()
	c, _ := newCoffer(t, coffer.Config{})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := fmt.Sprintf(verb, c); got != "[REDACTED 32 bytes]" {
			t.Errorf("%s prints %s", verb, got)
		}
	}
}
