package ec

import (
	"crypto"

	"filippo.io/bigmod"

	"github.com/memkeep/memkeep/enclave/keys/internal/hashing"
)

// A drbg is the HMAC-DRBG of SP 800-90A, section 10.1.2, from which nonces are
// drawn. The names are the standard's.
type drbg struct {
	h            *hashing.Hash
	inner, outer []byte // of HMAC with the key
	key, v       []byte
}

// What goes between V and the data in an update.
var separators = [2][]byte{{0}, {1}}

// instantiate seeds the generator. If padded, each seed but the first begins a
// block, so that one that an attacker chooses, as a digest can be, never shares
// a block with one that is secret.
func (d *drbg) instantiate(h *hashing.Hash, padded bool, seeds ...[]byte) {
	if d.h != nil && d.h != h {
		d.h.Forget() // there is one Wipe for all
	}
	d.h = h
	d.key, d.v = d.key[:h.Size()], d.v[:h.Size()]
	clear(d.key)
	for i := range d.v {
		d.v[i] = 1
	}
	d.h.MACKey(d.inner, d.outer, d.key)
	for _, separator := range separators {
		d.h.MACStart(d.inner)
		d.h.Write(d.v)
		d.h.Write(separator)
		for i, seed := range seeds {
			if padded && i > 0 {
				d.h.Pad()
			}
			d.h.Write(seed)
		}
		d.rekey()
	}
}

// rekey makes the MAC of what was written the key, and draws a new V.
func (d *drbg) rekey() {
	d.h.MACSum(d.key, d.outer)
	d.h.MACKey(d.inner, d.outer, d.key)
	d.next()
}

func (d *drbg) next() {
	d.h.MACStart(d.inner)
	d.h.Write(d.v)
	d.h.MACSum(d.v, d.outer)
}

// generate fills out.
func (d *drbg) generate(out []byte) {
	for n := 0; n < len(out); {
		d.next()
		n += copy(out[n:], d.v)
	}
}

// reject does what RFC 6979, section 3.2, step h.3 does after a number that is
// no scalar.
func (d *drbg) reject() {
	d.h.MACStart(d.inner)
	d.h.Write(d.v)
	d.h.Write(separators[0])
	d.rekey()
}

// seedNonces seeds the generator for one signature.
func (s *Scratch) seedNonces(scalar, digest, entropy []byte, length int) error {
	// SHA-256 gives an HMAC-DRBG a strength of 256 bits, which is enough for both
	// curves, and it is the fastest.
	function := crypto.SHA256
	if len(entropy) == 0 {
		function = digestHash(length)
	}
	h, err := s.hash(function)
	if err != nil {
		return err
	}
	if len(entropy) == 0 {
		s.drbg.instantiate(h, false, scalar, digest)
	} else {
		s.drbg.instantiate(h, true, entropy, scalar, digest)
	}
	return nil
}

// digestHash returns the hash function that RFC 6979 uses for a digest of that
// length, which is the one that the digest was made with.
func digestHash(length int) crypto.Hash {
	switch length {
	case crypto.SHA1.Size():
		return crypto.SHA1
	case crypto.SHA384.Size():
		return crypto.SHA384
	case crypto.SHA512.Size():
		return crypto.SHA512
	}
	return crypto.SHA256
}

// draw sets n, and out, to a random number that is neither zero nor the curve's
// order or more. It reports false if there is none in very many, as when the
// processor is broken.
func (s *Scratch) draw(n *bigmod.Nat, out []byte, c Curve) bool {
	for range 64 {
		s.drbg.generate(out)
		if s.setScalar(n, out, c) {
			return true
		}
		s.drbg.reject()
	}
	return false
}
