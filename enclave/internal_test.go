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
	s, err := NewSession(Config{LockedBytes: budget})
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
	if after.OpenBuffers != 0 || after.LockedBytes > before.LockedBytes {
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
