package rsa

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"testing"
)

func BenchmarkSign(b *testing.B) {
	s := newScratch(b)
	digest := make([]byte, 32)
	for _, bits := range sizes {
		key := testKey(b, bits)
		encoding := flat(b, key, s)
		b.Run(fmt.Sprint(bits), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := SignPKCS1v15(nil, encoding, crypto.SHA256, digest, s); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprint(bits, "-standard"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecryptOAEP(b *testing.B) {
	s := newScratch(b)
	key := testKey(b, 2048)
	encoding := flat(b, key, s)
	ciphertext, err := rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, &key.PublicKey, make([]byte, 32), nil)
	if err != nil {
		b.Fatal(err)
	}
	dst := make([]byte, 256)
	b.Run("2048", func(b *testing.B) {
		for b.Loop() {
			if _, err := DecryptOAEP(dst, encoding, crypto.SHA256, 0, ciphertext, nil, s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("2048-standard", func(b *testing.B) {
		for b.Loop() {
			if _, err := rsa.DecryptOAEP(crypto.SHA256.New(), nil, key, ciphertext, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkPrecompute(b *testing.B) {
	s := newScratch(b)
	key := testKey(b, 2048)
	encoding := flat(b, key, s)
	parts := partsOf(key)
	for b.Loop() {
		if err := Precompute(encoding, parts, random, s); err != nil {
			b.Fatal(err)
		}
	}
}
