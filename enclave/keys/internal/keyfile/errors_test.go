package keyfile

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"maps"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"
)

// Errors say the same of two keys that are damaged alike: they repeat nothing of either.
// What a damaged file seems to be can depend on its key, which is no error of its own: but
// not every time.
func TestErrorsRepeatNothingOfADamagedKey(t *testing.T) {
	t.Parallel()
	for name, file := range damagedFiles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var one, another map[string]bool
			for range 3 {
				if one, another = errorsOf(file(t)), errorsOf(file(t)); maps.Equal(one, another) && len(one) > 1 {
					return
				}
			}
			t.Errorf("the errors of one key:\n%q\nof another:\n%q", slices.Sorted(maps.Keys(one)), slices.Sorted(maps.Keys(another)))
		})
	}
}

// damagedFiles return files of new keys that are not damaged yet, or not enough.
var damagedFiles = map[string]func(t *testing.T) []byte{
	"OpenSSH": func(t *testing.T) []byte {
		block, err := ssh.MarshalPrivateKey(newEd25519(t), "a comment")
		if err != nil {
			t.Fatal(err)
		}
		return block.Bytes
	},
	"PKCS #8": func(t *testing.T) []byte {
		der, err := x509.MarshalPKCS8PrivateKey(newEd25519(t))
		if err != nil {
			t.Fatal(err)
		}
		return der
	},
	"SEC 1": func(t *testing.T) []byte {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return der
	},
	"a key as the algorithm": func(t *testing.T) []byte {
		seed := newEd25519(t).Seed()
		for i := range seed {
			seed[i] = seed[i]&0x3f | 1 // a valid number of an object identifier
		}
		return slices.Concat([]byte{0x30, 41, 0x02, 1, 0, 0x30, 34, 0x06, 32}, seed, []byte{0x04, 0})
	},
	"a key as the curve": func(t *testing.T) []byte {
		seed := newEd25519(t).Seed()
		for i := range seed {
			seed[i] = seed[i]&0x3f | 1
		}
		return slices.Concat([]byte{0x30, 44, 0x02, 1, 1, 0x04, 1, 1, 0xa0, 34, 0x06, 32}, seed, []byte{0xa1, 0})
	},
}

func newEd25519(t *testing.T) ed25519.PrivateKey {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// errorsOf returns what is said of the file, and of it with any one byte of its first
// hundred changed to any other.
func errorsOf(file []byte) map[string]bool {
	texts := map[string]bool{}
	read := func(file []byte) {
		block, err := Find(file)
		if err == nil {
			_, err = Parse(block.Format, block.Body)
		}
		if err != nil {
			texts[err.Error()] = true
		}
	}
	read(file)
	for i := range min(len(file), 100) {
		for by := range 255 {
			changed := bytes.Clone(file)
			changed[i] ^= byte(1 + by)
			read(changed)
		}
	}
	return texts
}
