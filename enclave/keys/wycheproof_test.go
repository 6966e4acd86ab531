package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/memkeep/memkeep/enclave/keys"
)

// A vector has the fields of all of Wycheproof's vectors that are used here, in hex.
type vector struct {
	ID, Hash                             int
	Seed, Public, Key, Nonce, Additional string
	Message, Signature, Tag, Ciphertext  string
	Result                               string
}

func vectors(t *testing.T, name string) []vector {
	t.Helper()
	text, err := os.ReadFile("internal/testdata/wycheproof/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	if err := json.Unmarshal(text, &list); err != nil || len(list) == 0 {
		t.Fatal(len(list), err)
	}
	return list
}

func TestWycheproofEd25519(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, v := range vectors(t, "ed25519.json") {
		k, err := in.ParseSeed(unhex(t, v.Seed))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(k.Public().(ed25519.PublicKey), unhex(t, v.Public)) {
			t.Errorf("%d: another public key", v.ID)
		}
		got, err := k.Sign(nil, unhex(t, v.Message), crypto.Hash(0))
		if err != nil || !bytes.Equal(got, unhex(t, v.Signature)) {
			t.Errorf("%d: %x, %v, want %s", v.ID, got, err, v.Signature)
		}
	}
}

func TestWycheproofHMAC(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, v := range vectors(t, "hmac.json") {
		hash := map[int]crypto.Hash{1: crypto.SHA1, 256: crypto.SHA256, 384: crypto.SHA384, 512: crypto.SHA512}[v.Hash]
		m, err := in.NewMAC(hash, unhex(t, v.Key))
		if err != nil {
			t.Fatal(err)
		}
		message, tag := unhex(t, v.Message), unhex(t, v.Tag)
		got, err := m.Sum(message)
		if err != nil {
			t.Fatal(err)
		}
		// Some tags are truncated, which Verify does not take.
		if valid := bytes.Equal(got[:len(tag)], tag); valid != (v.Result == "valid") {
			t.Errorf("SHA-%d, %d: %x, want %s to be %s", v.Hash, v.ID, got, v.Tag, v.Result)
		}
		err = m.Verify(message, tag)
		if valid := v.Result == "valid" && len(tag) == m.Size(); valid != (err == nil) || err != nil && !errors.Is(err, keys.ErrAuthentication) {
			t.Errorf("SHA-%d, %d: %v", v.Hash, v.ID, err)
		}
	}
}

func TestWycheproofXChaCha20Poly1305(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, v := range vectors(t, "xchacha20_poly1305.json") {
		a, err := in.NewAEAD(unhex(t, v.Key))
		if err != nil {
			t.Fatal(err)
		}
		nonce, additional, message, ciphertext := unhex(t, v.Nonce), unhex(t, v.Additional), unhex(t, v.Message), unhex(t, v.Ciphertext)
		got, err := a.Open(nil, nonce, ciphertext, additional)
		if v.Result != "valid" {
			if !errors.Is(err, keys.ErrAuthentication) {
				t.Errorf("%d: %v", v.ID, err)
			}
			continue
		}
		if err != nil || !bytes.Equal(got, message) {
			t.Errorf("%d: %x, %v, want %s", v.ID, got, err, v.Message)
		}
		if sealed := a.Seal(nil, nonce, message, additional); !bytes.Equal(sealed, ciphertext) {
			t.Errorf("%d: %x, want %s", v.ID, sealed, v.Ciphertext)
		}
	}
}
