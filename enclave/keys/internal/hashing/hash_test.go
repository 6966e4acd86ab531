package hashing

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"testing"

	"github.com/memkeep/memkeep/enclave/keys/internal/registers"

	"github.com/memkeep/memkeep/internal/testenv"
)

var functions = []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512}

func each(t *testing.T, test func(t *testing.T, function crypto.Hash, h *Hash)) {
	t.Parallel()
	for _, function := range functions {
		t.Run(function.String(), func(t *testing.T) {
			t.Parallel()
			h, err := New(function, make([]byte, MemorySize))
			if err != nil {
				t.Fatal(err)
			}
			test(t, function, h)
		})
	}
}

// random returns size bytes of a sequence that is the same in every run.
func random(seed uint64, size int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	b := make([]byte, size)
	rand.NewChaCha8(key).Read(b)
	return b
}

func TestDigestIsTheStandardLibrarys(t *testing.T) {
	each(t, func(t *testing.T, function crypto.Hash, h *Hash) {
		pieces := rand.New(rand.NewPCG(1, 2))
		for size := range 700 {
			message := random(uint64(size), size)
			want := function.New()
			want.Write(message)
			h.Reset()
			for rest := message; len(rest) > 0; {
				n := min(len(rest), pieces.IntN(300))
				h.Write(rest[:n])
				rest = rest[n:]
			}
			got := make([]byte, h.Size())
			h.Sum(got)
			if !bytes.Equal(got, want.Sum(nil)) {
				t.Fatalf("%d bytes: %x, want %x", size, got, want.Sum(nil))
			}
		}
	})
}

func TestMACIsTheStandardLibrarys(t *testing.T) {
	each(t, func(t *testing.T, function crypto.Hash, h *Hash) {
		for size := range 400 {
			key, message := random(uint64(size), size), random(uint64(size)+1, 400-size)
			mac := hmac.New(function.New, key)
			mac.Write(message)
			inner, outer := make([]byte, h.ChainSize()), make([]byte, h.ChainSize())
			h.MACKey(inner, outer, key)
			h.Forget()
			got := make([]byte, h.Size())
			for range 2 {
				h.MACStart(inner)
				h.Write(message)
				h.MACSum(got, outer)
				if !bytes.Equal(got, mac.Sum(nil)) {
					t.Fatalf("key of %d bytes: %x, want %x", size, got, mac.Sum(nil))
				}
			}
		}
	})
}

func TestPadFillsTheBlockWithZeros(t *testing.T) {
	each(t, func(t *testing.T, function crypto.Hash, h *Hash) {
		for size := range 300 {
			message := random(uint64(size), size)
			h.Reset()
			h.Write(message)
			h.Pad()
			h.Write(message)
			got := make([]byte, h.Size())
			h.Sum(got)

			padded := bytes.Clone(message)
			for len(padded)%h.BlockSize() != 0 {
				padded = append(padded, 0)
			}
			want := function.New()
			want.Write(padded)
			want.Write(message)
			if !bytes.Equal(got, want.Sum(nil)) {
				t.Fatalf("%d bytes: %x, want %x", size, got, want.Sum(nil))
			}
		}
	})
}

// The hash function's own buffer must stay empty all along, and after Forget
// neither it nor the memory may hold anything of the message.
func TestForgetLeavesNothing(t *testing.T) {
	each(t, func(t *testing.T, function crypto.Hash, _ *Hash) {
		memory := make([]byte, MemorySize)
		h, err := New(function, memory)
		if err != nil {
			t.Fatal(err)
		}
		fresh := fmt.Sprintf("%#v", reflect.ValueOf(function.New()).Elem())
		for size := range 300 {
			secret := random(uint64(size), size+16)
			inner, outer := make([]byte, h.ChainSize()), make([]byte, h.ChainSize())
			h.MACKey(inner, outer, secret)
			h.MACStart(inner)
			h.Write(secret)
			got := make([]byte, h.Size())
			h.MACSum(got, outer)
			h.Forget()
			if got := fmt.Sprintf("%#v", reflect.ValueOf(h.h).Elem()); got != fresh {
				t.Fatalf("%d bytes: the hash function holds %s, want %s", size, got, fresh)
			}
			if !bytes.Equal(memory, make([]byte, MemorySize)) {
				t.Fatalf("%d bytes: the memory holds %x", size, memory)
			}
		}
	})
}

// Not parallel: AllocsPerRun counts what the whole process allocates.
func TestHashingAllocatesNothing(t *testing.T) {
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's builds allocate more")
	}
	for _, function := range functions {
		h, err := New(function, make([]byte, MemorySize))
		if err != nil {
			t.Fatal(err)
		}
		inner, outer, got := make([]byte, h.ChainSize()), make([]byte, h.ChainSize()), make([]byte, h.Size())
		message := random(1, 1000)
		if n := testing.AllocsPerRun(10, func() {
			h.MACKey(inner, outer, message)
			h.MACStart(inner)
			h.Write(message)
			h.MACSum(got, outer)
			h.Forget()
		}); n != 0 {
			t.Errorf("%v: %v allocations", function, n)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, function := range []crypto.Hash{crypto.MD5, crypto.SHA224, crypto.SHA3_256, 0, 999} {
		if _, err := New(function, make([]byte, MemorySize)); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%v: %v", function, err)
		}
	}
	if _, err := New(crypto.SHA256, make([]byte, MemorySize-1)); err == nil {
		t.Error("too little memory is no error")
	}
}

// What was hashed leaves nothing of the chaining value in the vector registers,
// which some processors' hash functions work in.
func TestNothingStaysInRegisters(t *testing.T) {
	// On another thread's registers the goroutine would find what it left there before.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, function := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		h, err := New(function, make([]byte, MemorySize))
		if err != nil {
			t.Fatal(err)
		}
		block := make([]byte, h.BlockSize())
		for i := range block {
			block[i] = byte(i + 1)
		}
		chain := make([]byte, h.ChainSize())
		var recorded, control [registers.Size]byte
		h.Reset()
		h.Write(block)
		registers.Record(&recorded)
		h.Save(chain)
		h.h.Reset()
		h.h.Write(block)
		registers.Record(&control)

		// Its words lie the other way round in registers.
		var words []byte
		for ; len(chain) >= 4; chain = chain[4:] {
			words = append(words, chain[3], chain[2], chain[1], chain[0])
		}
		for piece := range slices.Chunk(words, 4) {
			if bytes.Contains(recorded[:], piece) {
				t.Errorf("%v: %x is left", function, piece)
			}
		}
		if !bytes.Contains(control[:], words[:4]) {
			t.Logf("%v: here the hash function itself leaves nothing", function)
		}
	}
}
