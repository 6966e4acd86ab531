package keyfile

import (
	"fmt"

	"github.com/memkeep/memkeep/internal/xchacha"
)

// copyBytes copies and leaves nothing in registers.
func copyBytes(dst, src []byte) int { return xchacha.Copy(dst, src) }

// decodeBase64 decodes standard base64 with its padding and with white space
// anywhere. No memory is looked up by a secret, and no branch depends on one but
// for what a valid text never has. Bits that should be zero and are not make it
// malformed.
func decodeBase64(dst, src []byte) (int, error) {
	n, quantum, bits, padding := 0, 0, uint32(0), 0
	bad := 0 // negative once a byte was none of the alphabet
	for _, c := range src {
		if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
			continue
		}
		if c == '=' {
			padding++
			continue
		}
		if padding > 0 {
			return n, errBase64
		}
		value := sextet(c)
		bad |= value
		bits = bits<<6 | uint32(value&63)
		if quantum++; quantum == 4 {
			dst[n], dst[n+1], dst[n+2] = byte(bits>>16), byte(bits>>8), byte(bits)
			n, quantum, bits = n+3, 0, 0
		}
	}
	extra := uint32(0)
	switch {
	case quantum == 0 && padding == 0:
	case quantum == 2 && padding == 2:
		dst[n], extra = byte(bits>>4), bits&15
		n++
	case quantum == 3 && padding == 1:
		dst[n], dst[n+1], extra = byte(bits>>10), byte(bits>>2), bits&3
		n += 2
	default:
		return n, errBase64
	}
	if bad < 0 || extra != 0 {
		return n, errBase64
	}
	return n, nil
}

var errBase64 = fmt.Errorf("%w: not canonical base64", ErrFormat)

// sextet returns the value of a byte of base64's alphabet, or -1.
func sextet(c byte) int {
	value := -1
	for _, r := range [...]struct{ first, last, value int }{
		{'A', 'Z', 0}, {'a', 'z', 26}, {'0', '9', 52}, {'+', '+', 62}, {'/', '/', 63},
	} {
		// All ones where first <= c <= last.
		inside := ^((int(c) - r.first) | (r.last - int(c))) >> 31
		value ^= inside & (value ^ (r.value + int(c) - r.first))
	}
	return value
}
