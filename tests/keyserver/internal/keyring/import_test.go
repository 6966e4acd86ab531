package keyring

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
)

func pemOf(t *testing.T, private any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// What a file holds tells its type, and is wiped whatever comes of it.
func TestImportTellsTheTypeAndWipesWhatItIsGiven(t *testing.T) {
	t.Parallel()
	r, _ := newRing(t)
	ed := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		content string
		want    Type
		err     error
	}{
		"PEM":          {string(pemOf(t, ed)), Ed25519, nil},
		"spaced PEM":   {"\r\n\n" + string(pemOf(t, ed)), Ed25519, nil},
		"EC PEM":       {string(pemOf(t, ec)), "", ErrUnknownType},
		"cut PEM":      {string(pemOf(t, ed)[:50]), "", keys.ErrFormat},
		"bytes":        {"\x00\xff-----BEGIN ", HMACSHA256, nil},
		"empty":        {"", "", ErrKeyLength},
		"longest":      {strings.Repeat("k", MaxKeySize), HMACSHA256, nil},
		"even longer":  {strings.Repeat("k", MaxKeySize+1), "", ErrKeyLength},
		"start of PEM": {"-----BEGIN", HMACSHA256, nil},
	} {
		content := []byte(c.content)
		k, err := r.Import(context.Background(), content)
		if !errors.Is(err, c.err) || err == nil && k.Type() != c.want {
			t.Errorf("%s: %v, want %s, %v", name, err, c.want, c.err)
		}
		if !bytes.Equal(content, make([]byte, len(content))) {
			t.Errorf("%s: the content is still there", name)
		}
	}
}

// A signature that begins with a key goes on with the one that replaces it.
func TestUseGoesOnWithTheKeyThatReplacesIt(t *testing.T) {
	t.Parallel()
	r, _ := newRing(t)
	ctx := context.Background()
	enter := func(name, secret string, add func(string, *Key) error) *Key {
		t.Helper()
		k, err := r.Import(ctx, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		if err := add(name, k); err != nil {
			t.Fatal(err)
		}
		return k
	}
	enter("k", "first", r.AddManaged)
	var used []*Key
	var second *Key
	err := r.Use("k", func(k *Key) error {
		used = append(used, k)
		if len(used) == 1 {
			second = enter("k", "second", r.Replace)
		}
		_, err := k.Sign(ctx, nil)
		return err
	})
	if err != nil || len(used) != 2 || used[1] != second {
		t.Errorf("it used %d keys: %v", len(used), err)
	}
	// One that is gone is not looked for again.
	calls := 0
	err = r.Use("k", func(k *Key) error {
		calls++
		r.DeleteManaged("k")
		_, err := k.Sign(ctx, nil)
		return err
	})
	if !errors.Is(err, enclave.ErrDestroyed) || calls != 1 {
		t.Errorf("a key that is gone: %d calls, %v", calls, err)
	}
	if err := r.Use("k", nil); !errors.Is(err, ErrNotFound) {
		t.Errorf("a key that was gone: %v", err)
	}
	if c := r.Count(); c.Total != 0 || c.Bytes != 0 || c.Keys[HMACSHA256] != 0 {
		t.Errorf("the empty ring counts %+v", c)
	}
}

func TestManagedKeysAndOthersAreNotMixedUp(t *testing.T) {
	t.Parallel()
	r, _ := newRing(t)
	made := func(secret string) *Key {
		t.Helper()
		k, err := r.Import(context.Background(), []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for name, add := range map[string]func(string, *Key) error{"managed": r.AddManaged, "other": r.Add} {
		if err := add(name, made("0123456789")); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"other", "none"} {
		k := made("x")
		if err := r.Replace(name, k); !errors.Is(err, ErrNotFound) {
			t.Errorf("replacing %s: %v", name, err)
		}
		r.DeleteManaged(name)
		k.Destroy()
	}
	if err := r.Delete("managed"); !errors.Is(err, ErrManaged) {
		t.Errorf("deleting a managed key: %v", err)
	}
	if err := r.Replace("managed", made("12345")); err != nil {
		t.Error(err)
	}
	if c := r.Count(); c.Total != 2 || c.Bytes != 15 || c.Keys[HMACSHA256] != 2 {
		t.Errorf("the ring counts %+v", c)
	}
}
