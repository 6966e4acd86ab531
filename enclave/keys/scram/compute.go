package scram

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"

	"github.com/memkeep/memkeep/enclave/keys/internal/hashing"
	"github.com/memkeep/memkeep/enclave/keys/internal/isolate"
	"github.com/memkeep/memkeep/internal/xchacha"
)

const size = sha256.Size

// An area is the locked memory of a login:
//
//	[ hash | inner, outer chaining value | salted | key | stored | tag | round | password ]
type area struct {
	hash         []byte
	inner, outer []byte // of the present HMAC key
	salted       []byte // SaltedPassword
	key          []byte // ClientKey, then ServerKey
	stored       []byte // StoredKey
	tag          []byte // ClientSignature, then ServerSignature
	round        []byte // of PBKDF2
	password     []byte
}

const areaSize = hashing.MemorySize + 7*size + MaxPassword

func newArea(memory []byte) *area {
	a := new(area)
	for _, part := range []struct {
		bytes *[]byte
		size  int
	}{{&a.hash, hashing.MemorySize}, {&a.inner, size}, {&a.outer, size}, {&a.salted, size}, {&a.key, size}, {&a.stored, size},
		{&a.tag, size}, {&a.round, size}, {&a.password, MaxPassword}} {
		*part.bytes, memory = memory[:part.size:part.size], memory[part.size:]
	}
	return a
}

// compute writes the client's proof and the server's signature (RFC 5802, section 3).
func (a *area) compute(ctx context.Context, secret, salt []byte, iterations int, auth, proof, signature []byte) error {
	length := len(secret)
	if length > len(a.password) {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrPassword, length, len(a.password))
	}
	xchacha.Copy(a.password[:length], secret)
	var high byte
	for _, b := range a.password[:length] {
		high |= b
	}
	if high >= 0x80 {
		return fmt.Errorf("%w: it is not ASCII", ErrPassword)
	}
	if err := a.pbkdf2(ctx, a.password[:length], salt, iterations); err != nil {
		return err
	}
	return a.isolated(func(h *hashing.Hash) {
		a.setKey(h, a.salted)
		a.mac(h, a.key, []byte("Client Key"))
		h.Reset()
		h.Write(a.key)
		h.Sum(a.stored)
		a.setKey(h, a.stored)
		a.mac(h, a.tag, auth)
		subtle.XORBytes(a.tag, a.tag, a.key)
		xchacha.Copy(proof, a.tag)

		a.setKey(h, a.salted)
		a.mac(h, a.key, []byte("Server Key"))
		a.setKey(h, a.key)
		a.mac(h, a.tag, auth)
		xchacha.Copy(signature, a.tag)
	})
}

// pbkdf2 writes the salted password: one block of PBKDF2 (RFC 8018). It isolates a
// number of iterations that takes less than a millisecond at once, since nothing
// preempts them.
func (a *area) pbkdf2(ctx context.Context, password, salt []byte, iterations int) error {
	const atOnce = 256
	for done := 0; done < iterations; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := a.isolated(func(h *hashing.Hash) {
			if done == 0 {
				a.setKey(h, password)
				h.MACStart(a.inner)
				h.Write(salt)
				h.Write([]byte{0, 0, 0, 1})
				h.MACSum(a.round, a.outer)
				xchacha.Copy(a.salted, a.round)
				done = 1
			}
			for range min(atOnce, iterations-done) {
				a.mac(h, a.round, a.round)
				subtle.XORBytes(a.salted, a.salted, a.round)
				done++
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// setKey sets the key of the HMACs that follow.
func (a *area) setKey(h *hashing.Hash, key []byte) { h.MACKey(a.inner, a.outer, key) }

// mac writes the message's HMAC to dst.
func (a *area) mac(h *hashing.Hash, dst, message []byte) {
	h.MACStart(a.inner)
	h.Write(message)
	h.MACSum(dst, a.outer)
}

// isolated runs f with a hash that works in the area.
func (a *area) isolated(f func(*hashing.Hash)) error {
	return isolate.Do(isolate.Large, func() error {
		h, err := hashing.New(crypto.SHA256, a.hash)
		if err != nil {
			return err
		}
		defer h.Forget()
		f(h)
		return nil
	})
}
