package ec

import (
	"bytes"
	"crypto/rand"
	"runtime"
	"slices"
	"testing"

	"github.com/memkeep/memkeep/enclave/keys/internal/registers"
	"github.com/memkeep/memkeep/enclave/keys/internal/tracetest"
	"github.com/memkeep/memkeep/internal/testenv"
)

// use does everything once.
func use(t testing.TB, s *Scratch) {
	t.Helper()
	for _, c := range []Curve{P256, P384} {
		_, scalar := newKey(t, c)
		remote, secret := make([]byte, c.PublicSize()), make([]byte, c.ScalarSize())
		if err := c.PublicFromScalar(remote, scalar, s); err != nil {
			t.Fatal(err)
		}
		if err := c.ECDH(secret, scalar, remote, s); err != nil {
			t.Fatal(err)
		}
		entropy := make([]byte, 32)
		rand.Read(entropy)
		for _, digest := range [][]byte{remote[:20], remote[:32], remote[:48], remote[:64]} {
			for _, entropy := range [][]byte{nil, entropy} {
				if _, err := c.Sign(nil, scalar, digest, entropy, s); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	scalar, secret := make([]byte, X25519Size), make([]byte, X25519Size)
	rand.Read(scalar)
	if err := X25519Public(secret, scalar, s); err != nil {
		t.Fatal(err)
	}
}

// After Wipe, each number in a Scratch is what it was in a new one.
func TestWipeLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	fresh := tracetest.Values(s)
	use(t, s)
	// Every part must have been used, or the test proves nothing of it.
	used := tracetest.Values(s)
	for _, part := range []string{
		// Of the digest the first byte: the last is of an encoded point, which begins with 4.
		".memory[880]", ".k.limbs[0]", ".b.limbs[0]", ".d.limbs[0]", ".e.limbs[0]", ".r.limbs[0]", ".t.limbs[0]",
		".ladder.x1.l0", ".ladder.x2.l0", ".ladder.z2.l0", ".ladder.x3.l0", ".ladder.z3.l0", ".ladder.tmp.l0",
	} {
		if _, ok := used[part]; !ok || used[part] == fresh[part] {
			t.Errorf("%s was not used", part)
		}
	}
	s.Wipe()
	tracetest.Equal(t, tracetest.Values(s), fresh)
}

// What is left on the heap is not secret: the signature, and of the blinded
// inversion, numbers that are as random as the blind. The rest allocates nothing.
func TestSecretsAreNotAllocated(t *testing.T) {
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's builds allocate more")
	}
	s := newScratch(t)
	for _, c := range []Curve{P256, P384} {
		_, scalar := newKey(t, c)
		remote, secret := make([]byte, c.PublicSize()), make([]byte, c.ScalarSize())
		check := func(what string, fn func() error) {
			t.Helper()
			if n := testing.AllocsPerRun(10, func() {
				if err := fn(); err != nil {
					t.Error(err)
				}
			}); n != 0 {
				t.Errorf("%v, %s: %v allocations", c, what, n)
			}
		}
		check("PublicFromScalar", func() error { return c.PublicFromScalar(remote, scalar, s) })
		check("ECDH", func() error { return c.ECDH(secret, scalar, remote, s) })
		check("nonces", func() error {
			s.seedNonces(scalar, secret, remote, 32)
			if !s.draw(s.k, s.nonce[:c.ScalarSize()], c) {
				return errZero
			}
			return s.baseMult(c, s.nonce[:c.ScalarSize()])
		})
		check("X25519", func() error { return X25519Public(secret, secret[:32], s) })
		check("Wipe", func() error { s.Wipe(); return nil })
	}
}

func TestStackDepth(t *testing.T) {
	t.Parallel()
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's builds have larger frames")
	}
	s := newScratch(t)
	use(t, s)
	x := make([]byte, X25519Size)
	rand.Read(x)
	for _, c := range []Curve{P256, P384} {
		_, scalar := newKey(t, c)
		remote, secret := make([]byte, c.PublicSize()), make([]byte, c.ScalarSize())
		var signature [200]byte
		for what, fn := range map[string]func(){
			"PublicFromScalar": func() { _ = c.PublicFromScalar(remote, scalar, s) },
			"ECDH":             func() { _ = c.ECDH(secret, scalar, remote, s) },
			"Sign":             func() { _, _ = c.Sign(signature[:0], scalar, secret, remote, s) },
			"X25519":           func() { _ = X25519Public(secret, x, s) },
			"Wipe":             func() { s.Wipe() },
		} {
			fn()
			if depth := tracetest.StackDepth(fn); depth > StackDepth {
				t.Errorf("%v, %s: %d bytes, StackDepth is %d", c, what, depth, StackDepth)
			} else {
				t.Logf("%v, %s: %d bytes", c, what, depth)
			}
		}
	}
}

// X25519 leaves neither the scalar nor the shared secret in registers that little else
// uses: where the goroutine may be preempted, they would be saved from there long after.
func TestX25519LeavesNothingInRegisters(t *testing.T) {
	t.Parallel()
	// On another thread's registers the goroutine would find what it left there before.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	s := newScratch(t)
	scalar, secret := make([]byte, X25519Size), make([]byte, X25519Size)
	rand.Read(scalar)
	var left [registers.Size]byte
	registers.Clear()
	err := X25519Public(secret, scalar, s)
	registers.Record(&left)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range [][]byte{scalar, secret} {
		for piece := range slices.Chunk(b, 8) {
			if bytes.Contains(left[:], piece) {
				t.Errorf("%x is left", piece)
			}
		}
	}
}
