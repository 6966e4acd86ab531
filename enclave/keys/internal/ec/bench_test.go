package ec

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"testing"
)

func BenchmarkSign(b *testing.B) {
	s := newScratch(b)
	for _, c := range []Curve{P256, P384} {
		key, scalar := newKey(b, c)
		digest, entropy := make([]byte, 32), make([]byte, 32)
		b.Run(c.String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				rand.Read(entropy)
				if _, err := c.Sign(nil, scalar, digest, entropy, s); err != nil {
					b.Fatal(err)
				}
				s.Wipe()
			}
		})
		b.Run(c.String()+"-standard", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ecdsa.SignASN1(rand.Reader, key, digest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkX25519(b *testing.B) {
	s := newScratch(b)
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	scalar, remote, secret := key.Bytes(), key.PublicKey().Bytes(), make([]byte, X25519Size)
	b.Run("Scratch", func(b *testing.B) {
		for b.Loop() {
			if err := X25519(secret, scalar, remote, s); err != nil {
				b.Fatal(err)
			}
			s.Wipe()
		}
	})
	b.Run("standard", func(b *testing.B) {
		for b.Loop() {
			if _, err := key.ECDH(key.PublicKey()); err != nil {
				b.Fatal(err)
			}
		}
	})
}
