package xchacha

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/memkeep/memkeep/internal/testenv"
)

// aligned returns n bytes that begin offset bytes after a multiple of 64.
func aligned(n, offset int) []byte {
	mem := make([]byte, n+offset+64)
	skip := int(-uintptr(unsafe.Pointer(&mem[0]))&63) + offset
	return mem[skip : skip+n : skip+n]
}

func newState() *State { return StateAt(aligned(StateSize, 0)) }

// eachKernel runs test in parallel for every kernel this processor can run.
func eachKernel(t *testing.T, test func(t *testing.T, k kernel)) {
	t.Parallel()
	for _, k := range kernels() {
		t.Run(k.String(), func(t *testing.T) {
			t.Parallel()
			test(t, k)
		})
	}
}

// A source of test data, the same in every run.
type source struct{ *rand.ChaCha8 }

func newSource(seed byte) source { return source{rand.NewChaCha8([32]byte{seed})} }

func (s source) bytes(n int) []byte {
	b := make([]byte, n)
	s.Read(b)
	return b
}

func (s source) nonce() *[NonceSize]byte { return (*[NonceSize]byte)(s.bytes(NonceSize)) }

// sealed is what x/crypto makes of plaintext.
func sealed(t testing.TB, key []byte, nonce *[NonceSize]byte, plaintext []byte) []byte {
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		t.Fatal(err)
	}
	return aead.Seal(nil, nonce[:], plaintext, nil)
}

// split returns shares of key, whose right one is made up.
func split(t testing.TB, key []byte) *Shares {
	t.Helper()
	random := newSource(key[0])
	shares := &Shares{(*[KeySize]byte)(bytes.Clone(key)), (*[KeySize]byte)(random.bytes(KeySize)), (*[16]byte)(random.bytes(16))}
	mask := testenv.HChaCha(8, shares.Right[:], shares.Domain[:])
	for i := range mask {
		shares.Left[i] ^= mask[i]
	}
	return shares
}

// checkClean fails the test if the State holds anything.
func checkClean(t *testing.T, s *State) {
	t.Helper()
	for i, b := range unsafe.Slice((*byte)(unsafe.Pointer(s)), StateSize) {
		if b != 0 {
			t.Fatalf("byte %d of the State is not cleared", i)
		}
	}
}

// A canaried buffer has room bytes of 0xc5 on either side of data.
type canaried struct{ all, data []byte }

const room = 64

func newCanaried(n, offset int) canaried {
	all := aligned(room+n+room, offset)
	for i := range all {
		all[i] = 0xc5
	}
	return canaried{all, all[room : room+n : room+n]}
}

func (c canaried) check(t *testing.T) {
	t.Helper()
	for i := range room {
		if c.all[i] != 0xc5 || c.all[len(c.all)-1-i] != 0xc5 {
			t.Fatal("written outside of dst")
		}
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
