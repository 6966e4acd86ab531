package testenv

import (
	"encoding/binary"
	"math/bits"
)

// HChaCha returns the key that HChaCha derives from a key of 32 bytes and 16 more,
// with the given number of rounds: HChaCha20 is draft-irtf-cfrg-xchacha-03,
// section 2.2. x/crypto has it with twenty rounds alone.
func HChaCha(rounds int, key, in []byte) []byte {
	x := [16]uint32{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}
	for i := range 8 {
		x[4+i] = binary.LittleEndian.Uint32(key[4*i:])
	}
	for i := range 4 {
		x[12+i] = binary.LittleEndian.Uint32(in[4*i:])
	}
	step := func(a, b, c, n int) {
		x[a] += x[b]
		x[c] = bits.RotateLeft32(x[c]^x[a], n)
	}
	for round := range rounds {
		for i := range 4 {
			a, b, c, d := i, 4+i, 8+i, 12+i
			if round%2 == 1 { // a diagonal instead of a column
				b, c, d = 4+(i+1)%4, 8+(i+2)%4, 12+(i+3)%4
			}
			step(a, b, d, 16)
			step(c, d, b, 12)
			step(a, b, d, 8)
			step(c, d, b, 7)
		}
	}
	out := make([]byte, 0, 32)
	for _, i := range []int{0, 1, 2, 3, 12, 13, 14, 15} {
		out = binary.LittleEndian.AppendUint32(out, x[i])
	}
	return out
}
