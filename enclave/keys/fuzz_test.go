package keys_test

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

// Whatever Parse is given, it wipes it, does not panic, and returns a key that
// signs for its own public key, which is the one that the standard library reads.
func FuzzParse(f *testing.F) {
	next := testenv.Sampled(3)
	for _, file := range files(f) {
		if next() {
			f.Add(file.content)
		}
	}
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte("openssh-key-v1\x00\x00\x00\x00\x04none"))
	in := in(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		input := slices.Clone(data)
		k, err := in.Parse(input)
		if !wiped(input) {
			t.Error("the input was not wiped")
		}
		if err != nil {
			return
		}
		if err := signs(k); err != nil {
			t.Error(err)
		}
		if standard := parseStandard(data); standard != nil && !k.Equal(standard) {
			t.Errorf("%v is another key than the standard library's", k)
		}
	})
}

// parseStandard returns the key that the standard library reads, or nil.
func parseStandard(data []byte) interface{ Public() crypto.PublicKey } {
	if block, _ := pem.Decode(data); block != nil {
		data = block.Bytes
	}
	if k, err := x509.ParsePKCS8PrivateKey(data); err == nil {
		public, _ := k.(interface{ Public() crypto.PublicKey })
		return public
	}
	if k, err := x509.ParseECPrivateKey(data); err == nil {
		return k
	}
	if k, err := x509.ParsePKCS1PrivateKey(data); err == nil {
		return k
	}
	return nil
}
