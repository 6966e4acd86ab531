package keys_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"slices"

	"github.com/memkeep/memkeep/enclave/keys"
)

// generates are the subjects that make keys. Nobody else knows the secrets, so the
// child tells the last of them, masked.
var generates = []subject{
	{
		name: "Ed25519 generate",
		keys: generated(keys.Ed25519),
		standard: func([]byte) error {
			_, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				return err
			}
			defer clear(private)
			ed25519.Sign(private, leftoverMessage)
			return tell(private.Seed(), err)
		},
	}, {
		name: "ECDSA P-256 generate",
		keys: generated(keys.ECDSAP256),
		standard: func([]byte) error {
			k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				return err
			}
			return tell(k.Bytes())
		},
	}, {
		name:  "RSA 2048 generate",
		times: 8, // each takes tenths of a second
		keys:  generated(keys.RSA2048),
		standard: func([]byte) error {
			k, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				return err
			}
			p := k.Precomputed
			return tell(slices.Concat(k.Primes[0].Bytes(), k.Primes[1].Bytes(), p.Dp.FillBytes(make([]byte, 128)),
				p.Dq.FillBytes(make([]byte, 128)), p.Qinv.FillBytes(make([]byte, 128))), nil)
		},
	},
}

// generated makes a key, works with it, and destroys it.
func generated(alg keys.Algorithm) func(keys.Session, []byte) (func() error, error) {
	return func(in keys.Session, _ []byte) (func() error, error) {
		return func() error {
			k, err := in.Generate(context.Background(), alg)
			if err != nil {
				return err
			}
			defer k.Destroy()
			if err := k.Sealed().Use(func(sealed []byte) error { return tell(sealed, nil) }); err != nil {
				return err
			}
			hash := crypto.SHA256
			if alg == keys.Ed25519 {
				hash = 0
			}
			_, err = k.SignMessage(nil, leftoverMessage, hash)
			return err
		}, nil
	}
}

// tell tells a secret of one of the last operations.
func tell(secret []byte, err error) error {
	if err != nil {
		return err
	}
	if n := told.Add(1); n > leftoverOperations-leftoverTold || n <= 8 {
		copied := make([]byte, len(secret))
		for i := range secret {
			copied[i] = ^secret[i] // never there as it is
		}
		fmt.Printf("%x\n", copied)
	}
	return nil
}
