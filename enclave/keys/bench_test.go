package keys_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
)

// Each benchmark has a twin with the standard library: compare the two of one
// run.

func both(b *testing.B, ours, theirs func()) {
	for _, way := range []struct {
		name string
		op   func()
	}{{"keys", ours}, {"std", theirs}} {
		b.Run(way.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				way.op()
			}
		})
		b.Run(way.name+"-64", func(b *testing.B) {
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					way.op()
				}
			})
		})
	}
}

func BenchmarkEd25519(b *testing.B) {
	seed := make([]byte, 32)
	private := ed25519.NewKeyFromSeed(seed)
	k, err := keys.In(enclave.Default()).ParseSeed(seed)
	if err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 100)
	both(b, func() {
		if _, err := k.Sign(nil, message, crypto.Hash(0)); err != nil {
			b.Fatal(err)
		}
	}, func() { ed25519.Sign(private, message) })
}

func BenchmarkHMAC(b *testing.B) {
	key := make([]byte, 32)
	m, err := keys.NewMAC(crypto.SHA256, make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 64)
	both(b, func() {
		if _, err := m.Sum(message); err != nil {
			b.Fatal(err)
		}
	}, func() {
		h := hmac.New(sha256.New, key)
		h.Write(message)
		h.Sum(nil)
	})
}
