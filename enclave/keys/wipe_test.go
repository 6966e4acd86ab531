package keys

import (
	"bytes"
	"crypto"
	"testing"

	"github.com/memkeep/memkeep/enclave/keys/internal/hashing"
)

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
