package keys_test

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

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

func BenchmarkECDSAP256(b *testing.B) { benchmarkSign(b, keys.ECDSAP256) }
func BenchmarkECDSAP384(b *testing.B) { benchmarkSign(b, keys.ECDSAP384) }
func BenchmarkRSA2048(b *testing.B)   { benchmarkSign(b, keys.RSA2048) }

func benchmarkSign(b *testing.B, alg keys.Algorithm) {
	standard := standardKeys()[alg].(crypto.Signer)
	k := parse(b, keys.In(enclave.Default()), standard)
	digest := make([]byte, 32)
	both(b, func() {
		if _, err := k.Sign(nil, digest, crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	}, func() {
		if _, err := standard.Sign(rand.Reader, digest, crypto.SHA256); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkX25519(b *testing.B) {
	private := standardKeys()[keys.X25519].(*ecdh.PrivateKey)
	k := parse(b, keys.In(enclave.Default()), private)
	both(b, func() {
		if _, err := k.ECDH(private.PublicKey()); err != nil {
			b.Fatal(err)
		}
	}, func() {
		if _, err := private.ECDH(private.PublicKey()); err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkAEAD(b *testing.B) {
	reference, err := chacha20poly1305.NewX(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	a, err := keys.NewAEAD(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	nonce, message, out := make([]byte, 24), make([]byte, 1024), make([]byte, 0, 2048)
	for name, additional := range map[string][]byte{"plain": nil, "additional": make([]byte, 32)} {
		b.Run(name, func(b *testing.B) {
			both(b, func() { a.Seal(out, nonce, message, additional) }, func() { reference.Seal(out, nonce, message, additional) })
		})
	}
}
