package xchacha

import (
	"strconv"
	"testing"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"
)

var benchmarkSizes = []int{32, 64, 256, 1024, 4096, 65536}

func BenchmarkSeal(b *testing.B) {
	for _, size := range benchmarkSizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) { benchmarkSeal(b, size) })
	}
}

func benchmarkSeal(b *testing.B, size int) {
	plaintext, sealed := make([]byte, size), make([]byte, size+TagSize)
	key := split(b, make([]byte, KeySize))
	var nonce [NonceSize]byte
	b.Run("impl=memkeep", func(b *testing.B) {
		s := newState()
		b.SetBytes(int64(size))
		for b.Loop() {
			s.Seal(sealed, plaintext, &nonce, key)
		}
	})
	b.Run("impl=x-crypto", func(b *testing.B) {
		aead, err := chacha20poly1305.NewX(make([]byte, KeySize))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(size))
		for b.Loop() {
			aead.Seal(sealed[:0], nonce[:], plaintext, nil)
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range benchmarkSizes {
		b.Run(strconv.Itoa(size), func(b *testing.B) { benchmarkOpen(b, size) })
	}
}

func benchmarkOpen(b *testing.B, size int) {
	opened, sealed := make([]byte, size), make([]byte, size+TagSize)
	var nonce [NonceSize]byte
	key := split(b, make([]byte, KeySize))
	newState().Seal(sealed, opened, &nonce, key)
	b.Run("impl=memkeep", func(b *testing.B) {
		s := newState()
		b.SetBytes(int64(size))
		for b.Loop() {
			if !s.Open(opened, sealed, &nonce, key) {
				b.Fatal("not opened")
			}
		}
	})
	b.Run("impl=x-crypto", func(b *testing.B) {
		aead, err := chacha20poly1305.NewX(make([]byte, KeySize))
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(size))
		for b.Loop() {
			if _, err := aead.Open(opened[:0], nonce[:], sealed, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkHChaCha20(b *testing.B) {
	var key [KeySize]byte
	var in [16]byte
	b.Run("impl=memkeep", func(b *testing.B) {
		s := newState()
		for b.Loop() {
			best.hChaCha(s, &key, &key, &in, 10)
		}
	})
	b.Run("impl=x-crypto", func(b *testing.B) {
		for b.Loop() {
			if _, err := chacha20.HChaCha20(key[:], in[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}
