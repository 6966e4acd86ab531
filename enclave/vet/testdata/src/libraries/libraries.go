package libraries

import (
	"crypto/aes"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"math/big"

	"github.com/memkeep/memkeep/enclave"
	"golang.org/x/crypto/chacha20poly1305"
)

func libraries(e *enclave.Enclave, message []byte) error {
	return e.Use(func(secret []byte) error {
		ed25519.Sign(ed25519.PrivateKey(secret), message) // want `an ed25519.PrivateKey in locked memory ends the process since Go 1.26: use keys.FromEnclave`
		ed25519.Sign(secret, message)                     // want `ends the process since Go 1.26`
		ed25519.Sign(secret, message)                     // want `ends the process since Go 1.26`
		_ = ed25519.PrivateKey(secret).Public()
		_ = ed25519.PrivateKey(secret).Seed() // want `ed25519.PrivateKey.Seed copies the secret to the heap`
		new(big.Int).SetBytes(secret)         // want `big.Int.SetBytes copies the secret to the heap: use keys.FromEnclave for an ECDSA or RSA key`
		ed25519.NewKeyFromSeed(secret)        // want `ed25519.NewKeyFromSeed copies the secret to the heap: use keys.SeedFromEnclave`
		hmac.New(sha256.New, secret)          // want `hmac.New copies the secret to the heap: use keys.MACFromEnclave`
		aes.NewCipher(secret)                 // want `aes.NewCipher copies the secret to the heap`
		chacha20poly1305.NewX(secret)         // want `chacha20poly1305.NewX copies the secret to the heap: use keys.AEADFromEnclave`
		x509.ParsePKCS8PrivateKey(secret)     // want `x509.ParsePKCS8PrivateKey copies the secret to the heap: use keys.FromEnclave`
		ecdh.X25519().NewPrivateKey(secret)   // want `ecdh.Curve.NewPrivateKey copies the secret to the heap: use keys.FromEnclave and PrivateKey.ECDH`
		sha256.Sum256(secret)
		hmac.Equal(secret, message)
		return nil
	})
}

func others(seed []byte) { ed25519.NewKeyFromSeed(seed) }
