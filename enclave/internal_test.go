package enclave

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

func TestTamperedCiphertextIsErrDecryptAndLeaksNothing(t *testing.T) {
	t.Parallel()
	budget := 8 * os.Getpagesize()
	testenv.Lockable(t, budget)
	s, err := NewSession(Config{MaxLockedBytes: budget, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e, err := s.New(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	nop := func([]byte) error {
		t.Error("fn ran on what did not open")
		return nil
	}
	attempt := func(i int) {
		sealed := e.bytes()
		at, bit := i%len(sealed), byte(1)<<(i/len(sealed)%8)
		sealed[at] ^= bit
		defer func() { sealed[at] ^= bit }()
		if b, err := e.Open(); !errors.Is(err, ErrDecrypt) || b != nil {
			t.Fatalf("Open with byte %d changed: %v", at, err)
		}
		if err := e.Use(nop); !errors.Is(err, ErrDecrypt) {
			t.Fatalf("Use with byte %d changed: %v", at, err)
		}
		if err := UseAll(func([][]byte) error { return nop(nil) }, e, e); !errors.Is(err, ErrDecrypt) {
			t.Fatalf("UseAll with byte %d changed: %v", at, err)
		}
	}
	const attempts = 10_000
	for i := range 500 {
		attempt(i)
	}
	before := s.Stats()
	for i := range attempts {
		attempt(i)
	}
	after := s.Stats()
	if after.OpenBuffers != 0 || after.LockedBytes > before.LockedBytes || after.Failures-before.Failures != 3*attempts {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if err := e.Use(func(secret []byte) error {
		if !bytes.Equal(secret, bytes.Repeat([]byte{7}, 32)) {
			t.Error("another secret")
		}
		return nil
	}); err != nil {
		t.Errorf("untampered again: %v", err)
	}
}

// Not parallel: it changes the package's only state.
func TestSetDefaultPutsASessionBehindThePackagesFunctions(t *testing.T) {
	defer replacement.Store(nil)
	s := testSession(t)
	if err := Default().Close(); !errors.Is(err, errDefault) {
		t.Errorf("closing the default session: %v", err)
	}
	SetDefault(s)
	if Default() != s {
		t.Fatal("another default session")
	}
	e, err := New([]byte("a secret"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBuffer(8)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Destroy(); err != nil {
		t.Error(err)
	}
	b, err = ReadAll(bytes.NewReader([]byte("a secret")))
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Destroy(); err != nil {
		t.Error(err)
	}
	var zero Stream
	if _, err := zero.Write([]byte("a secret")); err != nil || zero.Size() != 8 {
		t.Errorf("the zero Stream: %v", err)
	}
	if stats := s.Stats(); stats.Seals != 2 {
		t.Errorf("%+v", stats)
	}
	if err := s.Close(); !errors.Is(err, errDefault) {
		t.Errorf("closing what SetDefault chose: %v", err)
	}
	if err := Purge(); err != nil {
		t.Error(err)
	}
	if err := e.Use(func([]byte) error { return nil }); !errors.Is(err, ErrPurged) {
		t.Error(err)
	}
}

func TestSessionPurgedMoreOftenThanItHasNumbersGoesOn(t *testing.T) {
	t.Parallel()
	s := testSession(t)
	old, err := s.NewCopy([]byte("a secret"))
	if err != nil {
		t.Fatal(err)
	}
	first := s.now()
	s.number.Store(uint32(first%maxSessions) | 0xfff0<<placeBits) // after 65,519 purges
	for i := range 40 {
		if err := s.resetKey(); err != nil {
			t.Fatal(err)
		}
		if s.now() == 0 || sessions.get(s.now()) != s || sessions.get(first) != s {
			t.Fatalf("lost after %d purges", i)
		}
	}
	fresh, err := s.NewCopy([]byte("a secret"))
	if err != nil {
		t.Fatal(err)
	}
	if err := fresh.Use(func([]byte) error { return nil }); err != nil {
		t.Error(err)
	}
	if err := old.Use(func([]byte) error { return nil }); err == nil {
		t.Error("an enclave of an old key opened")
	}
}
