package keyring

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"slices"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/tests/keyserver/internal/intake"
)

func newRing(t *testing.T) (*Ring, *enclave.Session) {
	t.Helper()
	testenv.Lockable(t, testenv.SmallLimit())
	// All tests of the package at once fit into the smallest limit.
	session, err := enclave.NewSession(enclave.Config{MaxLockedBytes: testenv.SmallLimit() / 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := session.Close(); err != nil {
			t.Error(err)
		}
	})
	return New(session), session
}

// Whether a key is taken or not, nothing of it is left where it came in.
func TestCreateWipesWhatItIsGiven(t *testing.T) {
	t.Parallel()
	r, _ := newRing(t)
	seed := bytes.Repeat([]byte{7}, ed25519.SeedSize)
	private := ed25519.NewKeyFromSeed(seed)
	for i, c := range []struct {
		typ string
		raw []byte
		err error
	}{
		{"ed25519", seed, nil},
		{"ed25519", private, nil},
		{"ed25519", slices.Concat(seed, seed), keys.ErrMismatch},
		{"ed25519", seed[:31], ErrKeyLength},
		{"hmac-sha256", seed[:1], nil},
		{"hmac-sha256", bytes.Repeat(seed, MaxKeySize/len(seed)), nil},
		{"hmac-sha256", bytes.Repeat(seed, MaxKeySize/len(seed)+1), ErrKeyLength},
	} {
		raw := slices.Clone(c.raw)
		k, err := r.Create(context.Background(), intake.Record{Name: string(rune('a' + i)), Type: c.typ, HasKey: true, Key: raw}, nil)
		if !errors.Is(err, c.err) || (k == nil) != (err != nil) {
			t.Errorf("%d: %v, %v, want %v", i, k, err, c.err)
		}
		if !bytes.Equal(raw, make([]byte, len(raw))) {
			t.Errorf("%d: the key is still there", i)
		}
	}
	room := bytes.Repeat([]byte{1}, intake.MaxKey)
	if _, err := r.Create(context.Background(), intake.Record{Name: "made", Type: "hmac-sha256"}, room); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(room[:generatedMACSize], make([]byte, generatedMACSize)) {
		t.Error("a key that was made is still in its room")
	}
}

// A key that is gone is an error, for both types, and never a signature.
func TestDeletedAndPurgedKeysDoNotSign(t *testing.T) {
	t.Parallel()
	r, session := newRing(t)
	ctx := context.Background()
	var list []*Key
	for _, name := range []string{"ed25519", "hmac-sha256", "ed25519 2", "hmac-sha256 2"} {
		typ, _, _ := bytes.Cut([]byte(name), []byte(" "))
		k, err := r.Create(ctx, intake.Record{Name: name, Type: string(typ)}, make([]byte, intake.MaxKey))
		if err != nil {
			t.Fatal(err)
		}
		if signature, err := k.Sign(ctx, nil); err != nil || len(signature) == 0 {
			t.Fatalf("%s: %x, %v", name, signature, err)
		}
		list = append(list, k)
	}
	if c := r.Count(); c.Total != 4 || c.Bytes != 4*32 {
		t.Errorf("the count is %+v", c)
	}
	for i, k := range list[:2] {
		if err := r.Delete(string(k.Type())); err != nil {
			t.Fatal(err)
		}
		if signature, err := k.Sign(ctx, nil); !errors.Is(err, enclave.ErrDestroyed) || signature != nil {
			t.Errorf("key %d, deleted: %x, %v", i, signature, err)
		}
	}
	if err := session.Purge(); err != nil {
		t.Fatal(err)
	}
	for i, k := range list[2:] {
		if signature, err := k.Sign(ctx, nil); !errors.Is(err, enclave.ErrPurged) || signature != nil {
			t.Errorf("key %d, purged: %x, %v", i, signature, err)
		}
	}
	if valid, err := list[3].Verify(ctx, nil, nil); !errors.Is(err, enclave.ErrPurged) || valid {
		t.Errorf("a purged key verifies: %v, %v", valid, err)
	}
}

// The context that a key was made with bounds the making alone.
func TestKeyOutlivesTheContextThatItWasMadeWith(t *testing.T) {
	t.Parallel()
	r, _ := newRing(t)
	ctx, cancel := context.WithCancel(context.Background())
	k, err := r.Create(ctx, intake.Record{Name: "k", Type: "ed25519"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := k.Sign(context.Background(), nil); err != nil {
		t.Error(err)
	}
}
