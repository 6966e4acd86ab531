package signer

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"filippo.io/edwards25519"

	"github.com/memkeep/memkeep/internal/testenv"
)

// TestLeftovers scans the memory of a process that has signed, from outside and
// at rest, for whatever would do in place of the keys. The control must be
// found; the standard library's way shows what is found of a key that the
// caller took all care of.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's shadow memory takes minutes to scan")
	}
	newPool(t) // skips where nothing can be locked
	for _, way := range []string{wayStandard, wayWorkers} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			secrets := make([]byte, 3*32)
			if _, err := rand.Read(secrets); err != nil {
				t.Fatal(err)
			}
			memory := childMemory(t, way, secrets)
			if bytes.Count(memory, secrets[64:]) == 0 {
				t.Fatal("the scan does not find the control: it proves nothing")
			}
			found := 0
			for _, n := range needles(secrets[:32], secrets[32:64]) {
				count := 0
				for piece := range slices.Chunk(n.bytes, 16) {
					count = max(count, bytes.Count(memory, piece))
				}
				t.Logf("%-36s %d times", n.what, count)
				if inRegisters(n) && len(testenv.Emulator()) > 0 {
					continue
				}
				found += count
			}
			switch {
			case way == wayWorkers && found > 0:
				t.Errorf("%d leftovers", found)
			case way == wayStandard && found == 0:
				t.Log("nothing found of the standard library's way either")
			}
		})
	}
}

// inRegisters reports whether the needle is what a processor has in registers
// while it hashes. An emulator keeps the registers of each thread in its own
// memory, where the scan reads and a system's kernel would have them; a thread
// that lost its goroutine in the middle of a hash keeps them until it runs again.
func inRegisters(n needle) bool { return strings.HasSuffix(n.what, ", hash state") }

type needle struct {
	what  string
	bytes []byte
}

// needles are what the scan looks for.
func needles(seed, key []byte) []needle {
	expanded := sha512.Sum512(seed)
	clamped := slices.Clone(expanded[:32])
	clamped[0] &= 248
	clamped[31] = clamped[31]&127 | 64
	nonce := sha512.Sum512(slices.Concat(expanded[32:], leftoverMessage))
	scalar, err := edwards25519.NewScalar().SetBytesWithClamping(expanded[:32])
	if err != nil {
		panic(err)
	}
	r, err := edwards25519.NewScalar().SetUniformBytes(nonce[:])
	if err != nil {
		panic(err)
	}
	list := []needle{
		{"Ed25519 seed", seed},
		{"Ed25519 scalar", clamped[8:24]},
		{"Ed25519 scalar, reduced", scalar.Bytes()},
		{"Ed25519 scalar, as Go holds it", montgomery(scalar)},
		{"Ed25519 scalar, as digits", radix16(scalar)},
		{"Ed25519 nonce, reduced", r.Bytes()},
		{"Ed25519 nonce, as Go holds it", montgomery(r)},
		{"Ed25519 nonce, as digits", radix16(r)},
		{"Ed25519 prefix", expanded[32:48]},
		{"Ed25519 prefix, second half", expanded[48:]},
		{"Ed25519 expanded seed, hash state", words64(expanded[:32])},
		{"Ed25519 nonce", nonce[:32]},
		{"Ed25519 nonce, hash state", words64(nonce[:32])},
		{"HMAC key", key},
	}
	for _, pad := range []struct {
		name string
		xor  byte
	}{{"inner", innerPad}, {"outer", outerPad}} {
		block := bytes.Repeat([]byte{pad.xor}, sha256.BlockSize)
		for i := range key {
			block[i] ^= key[i]
		}
		h := sha256.New()
		h.Write(block)
		state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			panic(err)
		}
		chain := state[4:][:sha256.Size]
		list = append(list,
			needle{"HMAC " + pad.name + " block", block[:32]},
			needle{"HMAC " + pad.name + " chaining value", chain},
			needle{"HMAC " + pad.name + " chaining value, hash state", words32(chain)})
	}
	return list
}

// montgomery is a scalar in the Montgomery form that edwards25519.Scalar has in
// memory: times 2^256, four little-endian words.
func montgomery(s *edwards25519.Scalar) []byte {
	two128 := make([]byte, 32)
	two128[16] = 1
	factor, err := edwards25519.NewScalar().SetCanonicalBytes(two128)
	if err != nil {
		panic(err)
	}
	factor.Multiply(factor, factor)
	return factor.Multiply(factor, s).Bytes()
}

// radix16 is the middle of a scalar's signed digits, which multiplication has
// on its stack.
func radix16(s *edwards25519.Scalar) []byte {
	var digits []byte
	carry := byte(0)
	for _, b := range s.Bytes() {
		for _, nibble := range []byte{b & 15, b >> 4} {
			digit := nibble + carry
			carry = (digit + 8) >> 4
			digits = append(digits, digit-carry<<4)
		}
	}
	return digits[16:48]
}

// words32 is a big-endian chaining value as a hash keeps it in memory.
func words32(b []byte) []byte {
	var out []byte
	for ; len(b) > 0; b = b[4:] {
		out = binary.NativeEndian.AppendUint32(out, binary.BigEndian.Uint32(b))
	}
	return out
}

func words64(b []byte) []byte {
	var out []byte
	for ; len(b) > 0; b = b[8:] {
		out = binary.NativeEndian.AppendUint64(out, binary.BigEndian.Uint64(b))
	}
	return out
}

// childMemory returns all memory, readable from outside, of a child that has
// signed.
func childMemory(t *testing.T, way string, secrets []byte) []byte {
	t.Helper()
	child := testenv.Reexec()
	child.Env = append(os.Environ(), leftoversEnv+"="+way)
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := child.Wait(); err != nil {
			t.Errorf("the child: %v", err)
		}
	})
	masked := slices.Clone(secrets)
	for i := range masked {
		masked[i] ^= mask
	}
	if _, err := in.Write(masked); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	memory, err := readMemory(child.Process.Pid)
	if err != nil {
		t.Skipf("SKIPPED, NOTHING TESTED: reading another process's memory: %v", err)
	}
	return memory
}

var zeros [4096]byte

// readMemory returns the process's writable memory, but what can't be read and
// what is zero.
func readMemory(pid int) ([]byte, error) {
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return nil, err
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return nil, err
	}
	defer mem.Close()
	var memory []byte
	for line := range strings.Lines(string(maps)) {
		var from, to uint64
		var access string
		if _, err := fmt.Sscanf(line, "%x-%x %s", &from, &to, &access); err != nil {
			return nil, err
		}
		if !strings.HasPrefix(access, "rw") {
			continue
		}
		part := make([]byte, to-from)
		// Secret pages answer with an error: nothing to find there.
		n, err := mem.ReadAt(part, int64(from))
		if err != nil && err != io.EOF && n == 0 {
			continue
		}
		// Most of it was never touched.
		for piece := range slices.Chunk(part[:n], len(zeros)) {
			if !bytes.Equal(piece, zeros[:len(piece)]) {
				memory = append(memory, piece...)
			}
		}
	}
	return memory, nil
}
