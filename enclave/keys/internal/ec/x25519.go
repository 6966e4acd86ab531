package ec

import (
	"crypto/subtle"

	"github.com/memkeep/memkeep/internal/xchacha"
)

// X25519Size is the size of an X25519 private key, public key and shared secret
// in bytes.
const X25519Size = 32

// basepoint is the u-coordinate of the base point of X25519.
var basepoint = [X25519Size]byte{9}

// X25519Public writes the scalar's public key to dst.
func X25519Public(dst, scalar []byte, s *Scratch) error {
	return X25519(dst, scalar, basepoint[:], s)
}

// X25519 writes the shared secret of the scalar and the point, a public key, to
// dst (RFC 7748, section 5). All are X25519Size bytes. It returns ErrScalar or
// ErrPoint if the sizes differ, and ErrPoint if the point has a small order, with
// which the secret would be the same for every scalar.
func X25519(dst, scalar, point []byte, s *Scratch) error {
	if len(scalar) != X25519Size {
		return ErrScalar
	}
	if len(point) != X25519Size {
		return ErrPoint
	}
	l := &s.ladder
	k := s.nonce[:X25519Size]
	xchacha.Copy(k, scalar)
	k[0] &= 248
	k[31] = k[31]&127 | 64

	// SetBytes ignores the top bit, as RFC 7748 has it.
	if _, err := l.x1.SetBytes(point); err != nil {
		return ErrPoint
	}
	l.x2.One()
	l.z2.Zero()
	l.x3.Set(&l.x1)
	l.z3.One()
	swap := 0
	for i := 254; i >= 0; i-- {
		bit := int(k[i/8]>>(i%8)) & 1
		swap ^= bit
		l.x2.Swap(&l.x3, swap)
		l.z2.Swap(&l.z3, swap)
		swap = bit
		l.step()
	}
	l.x2.Swap(&l.x3, swap)
	l.z2.Swap(&l.z3, swap)

	l.z2.Invert(&l.z2)
	l.x2.Multiply(&l.x2, &l.z2)
	secret := l.x2.Bytes()
	var zero [X25519Size]byte
	if subtle.ConstantTimeCompare(secret, zero[:]) == 1 {
		return ErrPoint
	}
	xchacha.Copy(dst[:X25519Size], secret)
	return nil
}

// step is one step of the ladder, a doubling and an addition. The values e to cb
// of the RFC take the places of those that are not used any more.
func (l *ladder) step() {
	l.a.Add(&l.x2, &l.z2)
	l.b.Subtract(&l.x2, &l.z2)
	l.aa.Square(&l.a)
	l.bb.Square(&l.b)
	l.e.Subtract(&l.aa, &l.bb)
	l.tmp.Subtract(&l.x3, &l.z3) // D
	l.a.Multiply(&l.tmp, &l.a)   // DA
	l.tmp.Add(&l.x3, &l.z3)      // C
	l.b.Multiply(&l.tmp, &l.b)   // CB

	l.x3.Add(&l.a, &l.b)
	l.x3.Square(&l.x3)
	l.z3.Subtract(&l.a, &l.b)
	l.z3.Square(&l.z3)
	l.z3.Multiply(&l.x1, &l.z3)

	l.x2.Multiply(&l.aa, &l.bb)
	l.tmp.Mult32(&l.e, 121665)
	l.aa.Add(&l.aa, &l.tmp)
	l.z2.Multiply(&l.e, &l.aa)
}
