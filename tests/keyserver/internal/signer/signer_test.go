package signer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

func TestMain(m *testing.M) {
	if way := os.Getenv(leftoversEnv); way != "" {
		os.Exit(leftoversChild(way))
	}
	os.Exit(m.Run())
}

// newPool returns a pool in a session of its own. Where the process may lock
// nothing, the test is skipped: that the server says so is a test of its own.
func newPool(t testing.TB) *Pool {
	t.Helper()
	session, err := enclave.NewSession(enclave.Config{MaxLockedBytes: testenv.SmallLimit()})
	var limit *locked.LimitError
	if errors.As(err, &limit) {
		t.Skipf("SKIPPED, NOTHING TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := New(session)
	if errors.As(err, &limit) {
		session.Close()
		t.Skipf("SKIPPED, NOTHING TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if stats := session.Stats(); stats.OpenBuffers != 0 || stats.Waiters != 0 {
			t.Errorf("left behind: %d open buffers, %d waiters", stats.OpenBuffers, stats.Waiters)
		}
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// random returns size bytes of a sequence that is the same in every run.
func random(seed uint64, size int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, size)
	rand.NewChaCha8(key).Read(b)
	return b
}

// messageSizes are around all the edges of blocks, heads and paddings.
func messageSizes() []int {
	var sizes []int
	for i := range 300 {
		sizes = append(sizes, i)
	}
	return append(sizes, 1000, 4096, 65537, 1<<20)
}

func TestEd25519IsTheStandardLibrarys(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	for i, size := range messageSizes() {
		private := ed25519.NewKeyFromSeed(random(uint64(i), ed25519.SeedSize))
		message := random(uint64(i)+1000, size)
		raw := bytes.Clone(private)
		if i%2 == 0 {
			raw = private.Seed()
		}
		key, err := p.Import(t.Context(), Ed25519, raw)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(raw, make([]byte, len(raw))) {
			t.Fatal("Import left the key")
		}
		if !key.Public().Equal(private.Public()) {
			t.Fatalf("the public key of key %d differs", i)
		}
		got, err := p.Sign(t.Context(), key, message)
		if err != nil {
			t.Fatal(err)
		}
		if want := ed25519.Sign(private, message); !bytes.Equal(got, want) {
			t.Fatalf("message of %d bytes: signature %x, want %x", size, got, want)
		}
		checkVerify(t, p, key, message, got)
	}
}

func TestHMACIsTheStandardLibrarys(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	for i, size := range messageSizes() {
		raw := random(uint64(i), 1+i%200)
		message := random(uint64(i)+1000, size)
		mac := hmac.New(sha256.New, raw)
		mac.Write(message)
		want := mac.Sum(nil)

		key, err := p.Import(t.Context(), HMACSHA256, bytes.Clone(raw))
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Sign(t.Context(), key, message)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("key of %d bytes, message of %d: MAC %x, want %x", len(raw), size, got, want)
		}
		checkVerify(t, p, key, message, got)
	}
}

// checkVerify verifies a signature, and that its variations are not valid.
func checkVerify(t *testing.T, p *Pool, key *Key, message, signature []byte) {
	t.Helper()
	changed := bytes.Clone(signature)
	changed[len(changed)/2] ^= 1
	for _, c := range []struct {
		what      string
		signature []byte
		want      bool
	}{
		{"the signature", signature, true},
		{"one bit changed", changed, false},
		{"one byte short", signature[1:], false},
		{"one byte long", append(bytes.Clone(signature), 0), false},
		{"none", nil, false},
	} {
		got, err := p.Verify(t.Context(), key, message, c.signature)
		if err != nil {
			t.Fatal(err)
		}
		if got != c.want {
			t.Fatalf("%s: valid is %v, want %v", c.what, got, c.want)
		}
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	for _, typ := range []Type{Ed25519, HMACSHA256} {
		one, err := p.Generate(t.Context(), typ)
		if err != nil {
			t.Fatal(err)
		}
		other, err := p.Generate(t.Context(), typ)
		if err != nil {
			t.Fatal(err)
		}
		message := []byte("message")
		signature, err := p.Sign(t.Context(), one, message)
		if err != nil {
			t.Fatal(err)
		}
		checkVerify(t, p, one, message, signature)
		if valid, err := p.Verify(t.Context(), other, message, signature); valid || err != nil {
			t.Errorf("%s: two generated keys sign alike: %v, %v", typ, valid, err)
		}
	}
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	foreign := random(1, ed25519.PrivateKeySize)
	for _, c := range []struct {
		typ  Type
		raw  []byte
		want error
	}{
		{Ed25519, nil, ErrKeyLength},
		{Ed25519, random(1, 31), ErrKeyLength},
		{Ed25519, random(1, 33), ErrKeyLength},
		{Ed25519, random(1, 65), ErrKeyLength},
		{Ed25519, foreign, ErrKeyMismatch},
		{HMACSHA256, nil, ErrKeyLength},
		{HMACSHA256, random(1, MaxKeySize+1), ErrKeyLength},
		{"rsa", random(1, 32), ErrUnknownType},
	} {
		size := len(c.raw)
		if _, err := p.Import(t.Context(), c.typ, c.raw); !errors.Is(err, c.want) {
			t.Errorf("%s with %d bytes: %v, want %v", c.typ, size, err, c.want)
		}
		if !bytes.Equal(c.raw, make([]byte, size)) {
			t.Errorf("%s with %d bytes: a refused key was not wiped", c.typ, size)
		}
	}
}

func TestDestroyedAndClosed(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	for _, typ := range []Type{Ed25519, HMACSHA256} {
		key, err := p.Generate(t.Context(), typ)
		if err != nil {
			t.Fatal(err)
		}
		key.Destroy()
		if _, err := p.Sign(t.Context(), key, nil); !errors.Is(err, ErrDestroyed) {
			t.Errorf("%s: Sign with a destroyed key: %v", typ, err)
		}
		if _, err := p.Verify(t.Context(), key, nil, nil); !errors.Is(err, ErrDestroyed) {
			t.Errorf("%s: Verify with a destroyed key: %v", typ, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	key, err := p.Generate(t.Context(), HMACSHA256)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Sign(ended, key, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Sign with an ended context: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Sign(t.Context(), key, nil); !errors.Is(err, ErrClosed) {
		t.Errorf("Sign after Close: %v", err)
	}
}

// A purge at any time must not take the workers' memory from under them.
func TestPurgeWhileSigning(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	key, err := p.Generate(t.Context(), Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 200 {
				_, err := p.Sign(t.Context(), key, []byte("message"))
				if err != nil && !errors.Is(err, enclave.ErrPurged) {
					t.Errorf("Sign: %v", err)
					return
				}
			}
		})
	}
	if err := p.session.Purge(); err != nil {
		t.Error(err)
	}
	group.Wait()
	if _, err := p.Sign(t.Context(), key, nil); !errors.Is(err, enclave.ErrPurged) {
		t.Errorf("Sign after a purge: %v", err)
	}
}

func BenchmarkSign(b *testing.B) {
	p := newPool(b)
	message := make([]byte, 100)
	for _, typ := range []Type{HMACSHA256, Ed25519} {
		key, err := p.Generate(b.Context(), typ)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(string(typ), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Sign(b.Context(), key, message); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	private := ed25519.NewKeyFromSeed(make([]byte, 32))
	b.Run("crypto/ed25519", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ed25519.Sign(private, message)
		}
	})
}
