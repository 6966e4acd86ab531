package rsa

import (
	"crypto/subtle"
	"math/bits"

	"filippo.io/bigmod"
)

// Numbers as big-endian bytes. All run in time that depends on sizes alone.

// setNumber sets dst to a number with or without leading zeros. It reports
// whether dst has room for it.
func setNumber(dst, number []byte) bool {
	if excess := len(number) - len(dst); excess > 0 {
		if !isZero(number[:excess]) {
			return false
		}
		number = number[excess:]
	}
	clear(dst)
	copy(dst[len(dst)-len(number):], number)
	return true
}

func isZero(b []byte) bool {
	var all byte
	for _, x := range b {
		all |= x
	}
	return subtle.ConstantTimeByteEq(all, 0) == 1
}

// candidate reports whether a number is odd and has no leading zero bit.
func candidate(number []byte) bool {
	return number[0]&0x80 != 0 && number[len(number)-1]&1 != 0
}

// subtract sets dst to a - b, all of one size, and returns the borrow, which is
// one if a is less than b. dst may be a or b.
func subtract(dst, a, b []byte) (borrow uint) {
	for i := len(dst) - 1; i >= 0; i-- {
		difference := uint(a[i]) - uint(b[i]) - borrow
		dst[i] = byte(difference)
		borrow = difference >> (bits.UintSize - 1)
	}
	return borrow
}

// lessOne returns an odd number minus one, in tmp.
func lessOne(tmp, number []byte) []byte {
	tmp = tmp[:copy(tmp, number)]
	tmp[len(tmp)-1] &^= 1
	return tmp
}

// lessTwo returns a number minus two, in tmp.
func lessTwo(tmp, number []byte) []byte {
	tmp = tmp[:copy(tmp, number)]
	borrow := uint(2)
	for i := len(tmp) - 1; i >= 0; i-- {
		difference := uint(tmp[i]) - borrow
		tmp[i] = byte(difference)
		borrow = difference >> (bits.UintSize - 1)
	}
	return tmp
}

// shiftRight shifts a number by n bits, fewer than eight at a time. It takes time
// that depends on n.
func shiftRight(number []byte, n uint) {
	for ; n > 0; n -= min(n, 7) {
		step := min(n, 7)
		var carry byte
		for i, x := range number {
			number[i] = x>>step | carry
			carry = x << (8 - step)
		}
	}
}

// trailingZeros returns the number of trailing zero bits. It takes time that
// depends on it.
func trailingZeros(number []byte) (n uint) {
	for i := len(number) - 1; i >= 0; i-- {
		if number[i] != 0 {
			return n + uint(bits.TrailingZeros8(number[i]))
		}
		n += 8
	}
	return n
}

// tooClose reports whether p and q differ by less than 2^(L-100) for numbers of L
// bits, so that the product could be factored from its square root
// (FIPS 186-5, A.1.1). It works in tmp, of their size.
func tooClose(tmp, p, q []byte) bool {
	// Only the sign of the difference is leaked.
	if subtract(tmp, p, q) == 1 {
		subtract(tmp, q, p)
	}
	return isZero(tmp[:12]) && tmp[12]&0xf0 == 0
}

// putNat writes n to dst. It takes the place of bigmod's Bytes, which allocates.
func putNat(dst []byte, n *bigmod.Nat) { putLimbs(dst, n.Bits()) }

// putLimbs writes limbs, the least significant first, to dst.
func putLimbs(dst []byte, limbs []uint) {
	for i := range dst {
		at := len(dst) - 1 - i // of the byte, counted from the least significant
		dst[i] = 0
		if limb := at / limbSize; limb < len(limbs) {
			dst[i] = byte(limbs[limb] >> (8 * (at % limbSize)))
		}
	}
}

const limbSize = bits.UintSize / 8

// multiplyAdd sets out to x × y + z in limbs, the least significant first. out
// has as many limbs as x and y together, and z at most as many as x.
func multiplyAdd(out, x, y, z []uint) {
	clear(out[copy(out, z):])
	for i, b := range y {
		var carry uint
		for j, a := range x {
			hi, lo := bits.Mul(a, b)
			lo, c := bits.Add(lo, out[i+j], 0)
			hi += c
			lo, c = bits.Add(lo, carry, 0)
			out[i+j], carry = lo, hi+c
		}
		out[i+len(x)] = carry
	}
}
