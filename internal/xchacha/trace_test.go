//go:build (amd64 || arm64) && !purego

package xchacha

import (
	"bytes"
	"runtime"
	"testing"
	"unsafe"
)

const (
	functionSeal uint64 = iota
	functionOpen
	functionHChaCha
	functionXOR
	functionDiffer
	functionCopy
	functionCopyBack
)

// What the registers are filled with before a call. Two values, since a
// register byte that holds one of them afterwards counts as not used.
var patterns = []byte{0xa7, 0x38}

// Every way through the kernels must leave zeros in all registers it used, an
// untouched stack, and a clear State; between two parts of a
// message the State holds more.
func TestNoTrace(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		if k == portable {
			t.Skip("SKIPPED: the portable kernel can't promise it")
		}
		random := newSource(10)
		nonce := random.nonce()
		key := random.bytes(KeySize)
		shares := split(t, key)
		for _, n := range []int{0, 1, 15, 16, 32, 64, 65, 100, 192, 193, 320, 321, 448, 449, 512, 640, 700, 1024, 1500, 3521, 4096, 5001} {
			plaintext := random.bytes(n)
			ciphertext := sealed(t, key, nonce, plaintext)
			wrong := bytes.Clone(ciphertext)
			wrong[n/2] ^= 1
			for _, pattern := range patterns {
				checkNoTrace(t, k, functionSeal, pattern, shares, nonce, plaintext, n, first|last, true)
				checkNoTrace(t, k, functionOpen, pattern, shares, nonce, ciphertext, n, first|last, true)
				checkNoTrace(t, k, functionOpen, pattern, shares, nonce, wrong, n, first|last, false)
			}
		}
		part := random.bytes(partSize)
		for _, pattern := range patterns {
			checkNoTrace(t, k, functionSeal, pattern, shares, nonce, part, partSize-blockSize, first, false)
			checkNoTrace(t, k, functionOpen, pattern, shares, nonce, part, partSize-blockSize, first, false)
			// The middle of a message, and its end.
			checkNoTrace(t, k, functionSeal, pattern, shares, nonce, part, partSize, 0, false)
			checkNoTrace(t, k, functionOpen, pattern, shares, nonce, part, partSize, 0, false)
			checkNoTrace(t, k, functionSeal, pattern, shares, nonce, part, 1000, last, false)
			checkNoTrace(t, k, functionOpen, pattern, shares, nonce, part, 1000, last, false)
		}
	})
}

func checkNoTrace(t *testing.T, k kernel, function uint64, pattern byte, key *Shares,
	nonce *[NonceSize]byte, src []byte, n int, p part, want bool,
) {
	t.Helper()
	s := newState()
	if p&first == 0 {
		s.used, s.position[0] = streamSize, 1000 // all keystream so far is used up
	}
	dst := make([]byte, n+TagSize)
	var pin runtime.Pinner
	defer pin.Unpin()
	address := func(p *byte) uintptr {
		pin.Pin(p)
		return uintptr(unsafe.Pointer(p))
	}
	for _, p := range []*byte{&key.Left[0], &key.Right[0], &key.Domain[0]} {
		pin.Pin(p)
	}
	pin.Pin(key)
	r, opened := callAssembly(k, function, pattern, [8]uintptr{
		address(&s.Key[0]), address(&dst[0]), address(unsafe.SliceData(append(src, 0))),
		uintptr(n), address(&nonce[0]), uintptr(unsafe.Pointer(key)), uintptr(p),
	})
	r.check(t, pattern)
	if function == functionOpen && opened != want {
		t.Errorf("opened is %v", opened)
	}
	if p&last != 0 {
		checkClean(t, s)
	}
	if t.Failed() {
		t.Fatalf("after function %d on %d bytes", function, n)
	}
}

func TestHChaChaNoTrace(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		if k == portable {
			t.Skip("SKIPPED: the portable kernel can't promise it")
		}
		random := newSource(11)
		mem := random.bytes(KeySize + 16)
		var pin runtime.Pinner
		pin.Pin(&mem[0])
		defer pin.Unpin()
		key := uintptr(unsafe.Pointer(&mem[0]))
		for _, pattern := range patterns {
			r, _ := callAssembly(k, functionHChaCha, pattern, [8]uintptr{key, key, key + KeySize, 4})
			r.check(t, pattern)
		}
	})
}

func TestXORNoTrace(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		if k == portable {
			t.Skip("SKIPPED: the portable kernel can't promise it")
		}
		mem := newSource(12).bytes(2 * KeySize)
		var pin runtime.Pinner
		pin.Pin(&mem[0])
		defer pin.Unpin()
		at := uintptr(unsafe.Pointer(&mem[0]))
		for _, pattern := range patterns {
			r, _ := callAssembly(k, functionXOR, pattern, [8]uintptr{at, at + KeySize})
			r.check(t, pattern)
		}
	})
}

// check fails the test if a register holds anything but zero or, where it was
// never used, what it held before, or if the stack was written to.
func (r *recording) check(t *testing.T, pattern byte) {
	t.Helper()
	const word = 0x0101010101010101
	for i, x := range r.general {
		if x != 0 && x != word*uint64(pattern) {
			t.Errorf("general register %d is not cleared", i)
		}
	}
	for i := range r.vector {
		for j, b := range r.vector[i] {
			if b != 0 && b != pattern {
				t.Errorf("vector register %d is not cleared in byte %d", i, j)
				break
			}
		}
	}
	for i, b := range r.stack {
		if b != pattern {
			t.Errorf("byte %d below the frame was written to", len(r.stack)-i)
			break
		}
	}
}
