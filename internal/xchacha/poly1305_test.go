package xchacha

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
	"testing"
)

// A polynomial is the accumulator of RFC 8439, section 2.5, in math/big.
type polynomial struct{ r, h *big.Int }

var prime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 130), big.NewInt(5))

// littleEndian is the number that the bytes of all parts are.
func littleEndian(parts ...[]byte) *big.Int {
	b := slices.Concat(parts...)
	slices.Reverse(b)
	return new(big.Int).SetBytes(b)
}

func newPolynomial(r []byte, h [3]uint64) polynomial {
	r = bytes.Clone(r)
	for _, i := range []int{3, 7, 11, 15} {
		r[i] &= 15
	}
	for _, i := range []int{4, 8, 12} {
		r[i] &= 252
	}
	var b []byte
	for _, w := range h {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return polynomial{littleEndian(r), littleEndian(b)}
}

// add takes message in blocks of 16 bytes; a shorter one ends with its length.
func (p polynomial) add(message []byte) {
	for block := range slices.Chunk(message, 16) {
		p.h.Add(p.h, littleEndian(block, []byte{1}))
		p.h.Mul(p.h, p.r)
		p.h.Mod(p.h, prime)
	}
}

func (p polynomial) tag(s []byte) []byte {
	sum := new(big.Int).Mod(p.h, prime)
	sum.Add(sum, littleEndian(s))
	tag := sum.FillBytes(make([]byte, 32))[16:]
	slices.Reverse(tag)
	return tag
}

// aeadTag is the tag that the AEAD of RFC 8439, section 2.8, gives the
// ciphertext when the accumulator begins at h.
func aeadTag(r, s []byte, h [3]uint64, ciphertext []byte) []byte {
	p := newPolynomial(r, h)
	padded := append(bytes.Clone(ciphertext), make([]byte, -len(ciphertext)&15)...)
	padded = binary.LittleEndian.AppendUint64(padded, 0)
	p.add(binary.LittleEndian.AppendUint64(padded, uint64(len(ciphertext))))
	return p.tag(s)
}

// checkPoly1305 has k seal a plaintext that becomes the ciphertext, with r, s
// and h as given, and open it.
func checkPoly1305(t *testing.T, k kernel, r, s []byte, h [3]uint64, ciphertext []byte) {
	t.Helper()
	var key, nonce [32]byte
	state := func() *State {
		state := preset(key[:], 1, nonce[:12])
		state.r[0] = binary.LittleEndian.Uint64(r) & 0x0ffffffc0fffffff
		state.r[1] = binary.LittleEndian.Uint64(r[8:]) & 0x0ffffffc0ffffffc
		state.fold = state.r[1] + state.r[1]>>2
		state.pad = [2]uint64{binary.LittleEndian.Uint64(s), binary.LittleEndian.Uint64(s[8:])}
		state.h = h
		return state
	}
	plaintext := k.cipher(key[:], 1, nonce[:12], ciphertext)
	got := make([]byte, len(ciphertext)+TagSize)
	k.seal(state(), got, plaintext, nil, nil, last)
	want := aeadTag(r, s, h, ciphertext)
	if !bytes.Equal(got[:len(ciphertext)], ciphertext) {
		t.Fatal("the ciphertext is not the one wanted")
	}
	if !bytes.Equal(got[len(ciphertext):], want) {
		t.Fatalf("r %x s %x h %x, %d bytes: tag %x, want %x", r, s, h, len(ciphertext), got[len(ciphertext):], want)
	}
	if !k.open(state(), plaintext, got, nil, nil, last) {
		t.Fatalf("r %x s %x h %x, %d bytes: the tag is not accepted", r, s, h, len(ciphertext))
	}
}

// The vectors of RFC 8439 have no lengths at their ends, so they test the
// polynomial that the kernels are compared with, and then lend those their
// values.
func TestRFC8439Poly1305(t *testing.T) {
	vectors := []struct{ section, r, s, message, tag string }{
		{
			"2.5.2", "85d6be7857556d337f4452fe42d506a8", "0103808afb0db2fd4abff6af4149f51b",
			fmt.Sprintf("%x", "Cryptographic Forum Research Group"), "a8061dc1305136c6c22b8baf0c0127a9",
		},
		{
			"A.3 #5", "02000000000000000000000000000000", "00000000000000000000000000000000",
			"ffffffffffffffffffffffffffffffff", "03000000000000000000000000000000",
		},
		{
			"A.3 #6", "02000000000000000000000000000000", "ffffffffffffffffffffffffffffffff",
			"02000000000000000000000000000000", "03000000000000000000000000000000",
		},
		{
			"A.3 #7", "01000000000000000000000000000000", "00000000000000000000000000000000",
			"fffffffffffffffffffffffffffffffff0ffffffffffffffffffffffffffffff" +
				"11000000000000000000000000000000", "05000000000000000000000000000000",
		},
		{
			"A.3 #8", "01000000000000000000000000000000", "00000000000000000000000000000000",
			"fffffffffffffffffffffffffffffffffbfefefefefefefefefefefefefefefe" +
				"01010101010101010101010101010101", "00000000000000000000000000000000",
		},
		{
			"A.3 #9", "02000000000000000000000000000000", "00000000000000000000000000000000",
			"fdffffffffffffffffffffffffffffff", "faffffffffffffffffffffffffffffff",
		},
		{
			"A.3 #10", "01000000000000000400000000000000", "00000000000000000000000000000000",
			"e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000" +
				"0000000000000000000000000000000001000000000000000000000000000000",
			"14000000000000005500000000000000",
		},
		{
			"A.3 #11", "01000000000000000400000000000000", "00000000000000000000000000000000",
			"e33594d7505e43b900000000000000003394d7505e4379cd0100000000000000" +
				"00000000000000000000000000000000", "13000000000000000000000000000000",
		},
	}
	for _, v := range vectors {
		p := newPolynomial(unhex(t, v.r), [3]uint64{})
		p.add(unhex(t, v.message))
		if got := p.tag(unhex(t, v.s)); !bytes.Equal(got, unhex(t, v.tag)) {
			t.Errorf("section %s: got %x", v.section, got)
		}
	}
	eachKernel(t, func(t *testing.T, k kernel) {
		for _, v := range vectors {
			checkPoly1305(t, k, unhex(t, v.r), unhex(t, v.s), [3]uint64{}, unhex(t, v.message))
		}
	})
}

func TestPoly1305Extremes(t *testing.T) {
	const most = ^uint64(0)
	repeat := func(b ...byte) []byte { return bytes.Repeat(b, 16/len(b)) }
	rs := [][]byte{
		repeat(0), repeat(0xff), append([]byte{1}, make([]byte, 15)...),
		append([]byte{2}, make([]byte, 15)...), append(make([]byte, 8), 4, 0, 0, 0, 0, 0, 0, 0),
		append(repeat(0xff)[:8], make([]byte, 8)...), append(make([]byte, 8), repeat(0xff)[:8]...),
	}
	// With r = 1 and no message the last accumulator is h + 2^128, so these
	// also stand around p, 2p and powers of two when the tag is taken.
	hs := [][3]uint64{
		{}, {1}, {most, most, 0}, {most, most, 1}, {most, most, 2}, {most, most, 3},
		{most - 4, most, 2}, {most - 5, most, 2}, {most - 3, most, 2}, {most - 6, most, 2},
		{most - 4, most, 3}, {most - 5, most, 3}, {most - 3, most, 3},
		{0, 0, 3}, {0, 0, 4}, {4, 0, 4}, {0, most, 2}, {most, 0, 3}, {0, most, 3},
	}
	messages := [][]byte{nil, {0xff}, repeat(0), repeat(0xff)}
	for _, n := range []int{33, 64, 448, 512, 513, 1600, 4800} {
		messages = append(messages, bytes.Repeat([]byte{0xff}, n), make([]byte, n))
	}
	eachKernel(t, func(t *testing.T, k kernel) {
		for _, r := range rs {
			for _, s := range [][]byte{repeat(0), repeat(0xff)} {
				for _, h := range hs {
					for _, message := range messages {
						checkPoly1305(t, k, r, s, h, message)
					}
				}
			}
		}
	})
}

func TestPoly1305Random(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		random := newSource(9)
		for range 1000 {
			h := [3]uint64{random.Uint64(), random.Uint64(), random.Uint64() % 5}
			if h[2] == 4 { // above that no reduction leaves anything
				h[0], h[1] = h[0]%64, 0
			}
			// Runs of zeros and ones carry farthest.
			message := random.bytes(int(random.Uint64() % 6000))
			for i := 0; i+8 <= len(message); i += 8 {
				if b := message[i]; b%4 < 2 {
					copy(message[i:], bytes.Repeat([]byte{-(b % 4)}, 8))
				}
			}
			checkPoly1305(t, k, random.bytes(16), random.bytes(16), h, message)
		}
	})
}
