package keys

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/rand"
	"testing"

	"github.com/memkeep/memkeep/enclave/keys/internal/ec"
	"github.com/memkeep/memkeep/enclave/keys/internal/hashing"
)

// What computes on a curve wipes the memory that it works in, and so the numbers that
// can't be there, which a test of the package ec looks at.
func TestCurvesWipeTheirSecrets(t *testing.T) {
	t.Parallel()
	scalar, digest, dst := bytes.Repeat([]byte{7}, 32), make([]byte, 32), make([]byte, 32)
	remote, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for what, run := range map[string]func(memory arena) error{
		"expandEC": func(memory arena) error {
			_, err := expandEC(dst, scalar, nil, ec.P256, memory)
			return err
		},
		"expandX25519": func(memory arena) error {
			_, err := expandX25519(dst, scalar, nil, memory)
			return err
		},
		"signEC": func(memory arena) error {
			_, err := signEC(scalar, digest, ec.P256, memory)
			return err
		},
		"agree": func(memory arena) error {
			return agree(dst, scalar, remote.PublicKey().Bytes(), ECDSAP256, memory)
		},
		"agree, X25519": func(memory arena) error {
			return agree(dst, scalar, scalar, X25519, memory)
		},
		"drawScalar": func(memory arena) error { return drawScalar(dst, ec.P256, memory) },
	} {
		memory := bytes.Repeat([]byte{0xa5}, ecScratchSize)
		if err := run(memory); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if !bytes.Equal(memory[:ec.MemorySize], make([]byte, ec.MemorySize)) {
			t.Errorf("%s: the memory is not wiped", what)
		}
	}
}

// What hashes a secret forgets it: after each operation, nothing is left where the
// hash function worked, and so it was told to forget its own state too, which a test
// of it looks at.
func TestHashesForgetTheirSecrets(t *testing.T) {
	t.Parallel()
	seed := bytes.Repeat([]byte{7}, 32)
	sealed, signature := make([]byte, edSealedSize), make([]byte, 64)
	var sealedMAC []byte
	for _, c := range []struct {
		what string
		run  func(memory arena) error
	}{
		{"expandEd25519", func(memory arena) error {
			_, err := expandEd25519(sealed, seed, nil, memory)
			return err
		}},
		{"sign", func(memory arena) error {
			var s signing25519
			return s.sign(signature, sealed, sealed[edPublicAt:], nil, []byte("message"), memory)
		}},
		{"expandMAC", func(memory arena) (err error) {
			sealedMAC, err = expandMAC(crypto.SHA256, seed, memory)
			sealedMAC = bytes.Clone(sealedMAC)
			return err
		}},
		{"withTag", func(memory arena) error {
			return withTag(crypto.SHA256, sealedMAC, []byte("message"), memory, func(tag []byte) error {
				if bytes.Equal(tag, make([]byte, len(tag))) {
					t.Error("no tag")
				}
				return nil
			})
		}},
	} {
		memory := make([]byte, hashing.MemorySize+1024)
		// Where nothing is written, this is left.
		worked := bytes.Repeat([]byte{0xa5}, hashing.MemorySize)
		copy(memory, worked)
		if err := c.run(memory); err != nil {
			t.Fatalf("%s: %v", c.what, err)
		}
		hash := memory[:hashing.MemorySize]
		if bytes.Equal(hash, worked) {
			t.Fatalf("%s: no hash function worked here", c.what)
		}
		for i := range hash {
			if hash[i] != 0 && hash[i] != 0xa5 {
				t.Errorf("%s: something is left", c.what)
				break
			}
		}
	}
}
