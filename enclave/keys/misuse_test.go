package keys_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdh"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

func equalSecret(e *enclave.Enclave, want []byte) (equal bool, err error) {
	err = e.Use(func(secret []byte) error {
		equal = bytes.Equal(secret, want)
		return nil
	})
	return equal, err
}

// operations are all that can be done with one key of each kind.
func operations(t testing.TB, in keys.Session) map[string]func() error {
	t.Helper()
	all := map[string]func() error{}
	remote, err := ecdh.X25519().NewPublicKey(sequence(1, 32))
	if err != nil {
		t.Fatal(err)
	}
	for alg, standard := range standardKeys() {
		k := parse(t, in, standard)
		all[alg.String()+" sign"] = func() error {
			if alg == keys.X25519 {
				_, err := k.ECDH(remote)
				return err
			}
			hash := crypto.SHA256
			if alg == keys.Ed25519 {
				hash = 0
			}
			_, err := k.Sign(nil, make([]byte, 32), hash)
			return err
		}
		all[alg.String()+" destroy"] = func() error { k.Destroy(); return nil }
	}
	m, err := in.NewMAC(crypto.SHA256, sequence(1, 32))
	if err != nil {
		t.Fatal(err)
	}
	tag, err := m.Sum(nil)
	if err != nil {
		t.Fatal(err)
	}
	all["MAC sum"] = func() error { _, err := m.Sum(nil); return err }
	all["MAC verify"] = func() error { return m.Verify(nil, tag) }
	all["MAC destroy"] = func() error { m.Destroy(); return nil }
	a, err := in.NewAEAD(sequence(1, 32))
	if err != nil {
		t.Fatal(err)
	}
	nonce := make([]byte, 24)
	sealed := a.Seal(nil, nonce, nil, nil)
	all["AEAD open"] = func() error { _, err := a.Open(nil, nonce, sealed, nil); return err }
	all["AEAD seal"] = func() error {
		_, err := a.SealContext(context.Background(), nil, nonce, nil, []byte("additional"))
		return err
	}
	all["AEAD destroy"] = func() error { a.Destroy(); return nil }
	return all
}

func TestDestroyedKeysAreAnError(t *testing.T) {
	t.Parallel()
	all := operations(t, in(t))
	for name, f := range all {
		if strings.HasSuffix(name, " destroy") {
			continue
		}
		if err := f(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 { // again does nothing
		for name, f := range all {
			if strings.HasSuffix(name, " destroy") {
				_ = f()
			}
		}
	}
	for name, f := range all {
		if err := f(); !strings.HasSuffix(name, " destroy") && !errors.Is(err, locked.ErrDestroyed) {
			t.Errorf("%s after Destroy: %v", name, err)
		}
	}
}

func TestPurgedAndClosedKeysAreAnError(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	all := operations(t, keys.In(s))
	if err := s.Purge(); err != nil {
		t.Fatal(err)
	}
	for name, f := range all {
		if strings.HasSuffix(name, " destroy") {
			continue
		}
		if err := f(); !errors.Is(err, enclave.ErrPurged) {
			t.Errorf("%s after a purge: %v", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, f := range all {
		if strings.HasSuffix(name, " destroy") {
			continue
		}
		if err := f(); !errors.Is(err, enclave.ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

// A purge at any time is an error or nothing, and never a wrong signature.
func TestPurgeWhileSigning(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	private := standardKeys()[keys.Ed25519].(ed25519.PrivateKey)
	k := parse(t, keys.In(s), private)
	message := []byte("message")
	want := ed25519.Sign(private, message)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			next := testenv.Sampled(5)
			for range 200 {
				if !next() {
					continue
				}
				got, err := k.Sign(nil, message, crypto.Hash(0))
				if err != nil && !errors.Is(err, enclave.ErrPurged) {
					t.Error(err)
				}
				if err == nil && !bytes.Equal(got, want) {
					t.Errorf("a wrong signature: %x", got)
				}
			}
		})
	}
	if err := s.Purge(); err != nil {
		t.Error(err)
	}
	group.Wait()
	if _, err := k.Sign(nil, message, crypto.Hash(0)); !errors.Is(err, enclave.ErrPurged) {
		t.Errorf("after a purge: %v", err)
	}
}

func TestEndedContextIsReturned(t *testing.T) {
	t.Parallel()
	in := in(t)
	cause := errors.New("the cause")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	k := parse(t, in, standardKeys()[keys.Ed25519])
	m, err := in.NewMAC(crypto.SHA256, sequence(1, 32))
	if err != nil {
		t.Fatal(err)
	}
	a, err := in.NewAEAD(sequence(1, 32))
	if err != nil {
		t.Fatal(err)
	}
	for what, f := range map[string]func() error{
		"Sign":         func() error { _, err := k.WithContext(ctx).Sign(nil, nil, crypto.Hash(0)); return err },
		"Sum":          func() error { _, err := m.WithContext(ctx).Sum(nil); return err },
		"SealContext":  func() error { _, err := a.SealContext(ctx, nil, make([]byte, 24), nil, nil); return err },
		"Generate":     func() error { _, err := in.Generate(ctx, keys.Ed25519); return err },
		"Generate RSA": func() error { _, err := in.Generate(ctx, keys.RSA2048); return err },
		"ParseSeed":    func() error { _, err := in.WithContext(ctx).ParseSeed(sequence(1, 32)); return err },
	} {
		if err := f(); !errors.Is(err, cause) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A key does not keep the context that it was made with.
	made, err := in.WithContext(t.Context()).ParseSeed(sequence(1, 32))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := made.Sign(nil, nil, crypto.Hash(0)); err != nil {
		t.Error(err)
	}
}

func TestZeroValuesAreAnError(t *testing.T) {
	t.Parallel()
	var k keys.PrivateKey
	var m keys.MAC
	var a keys.AEAD
	for what, f := range map[string]func() error{
		"Sign":        func() error { _, err := k.Sign(nil, nil, crypto.Hash(0)); return err },
		"SignMessage": func() error { _, err := k.SignMessage(nil, nil, crypto.SHA256); return err },
		"Decrypter":   func() error { _, err := k.Decrypter(); return err },
		"Decrypt":     func() error { _, err := k.Decrypt(nil, nil, nil); return err },
		"its Decrypt": func() error { _, err := keys.Decrypter{}.Decrypt(nil, nil, nil); return err },
		"ECDH":        func() error { _, err := k.ECDH(nil); return err },
		"Sum":         func() error { _, err := m.Sum(nil); return err },
		"Verify":      func() error { return m.Verify(nil, nil) },
		"Open":        func() error { _, err := a.Open(nil, make([]byte, 24), make([]byte, 16), nil); return err },
	} {
		if err := f(); !errors.Is(err, enclave.ErrDestroyed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	var noKey *keys.PrivateKey
	var noMAC *keys.MAC
	for what, f := range map[string]func() error{
		"Sign":        func() error { _, err := noKey.Sign(nil, nil, crypto.Hash(0)); return err },
		"SignMessage": func() error { _, err := noKey.SignMessage(nil, nil, crypto.SHA256); return err },
		"Decrypter":   func() error { _, err := noKey.Decrypter(); return err },
		"Decrypt":     func() error { _, err := noKey.Decrypt(nil, nil, nil); return err },
		"ECDH":        func() error { _, err := noKey.ECDH(nil); return err },
		"Sum":         func() error { _, err := noMAC.Sum(nil); return err },
		"Verify":      func() error { return noMAC.Verify(nil, nil) },
		"WithContext": func() error {
			_, err := noMAC.WithContext(t.Context()).Sum(nil)
			_, signErr := noKey.WithContext(t.Context()).Sign(nil, nil, nil)
			if !errors.Is(signErr, enclave.ErrDestroyed) {
				return signErr
			}
			return err
		},
	} {
		if err := f(); !errors.Is(err, enclave.ErrDestroyed) {
			t.Errorf("nil: %s: %v", what, err)
		}
	}
	k.Destroy()
	m.Destroy()
	a.Destroy()
	_ = fmt.Sprintf("%v %v %v", &k, &m, &a)
}

// However a key is printed, it is its algorithm and its public key's fingerprint.
func TestKeysPrintNoSecret(t *testing.T) {
	t.Parallel()
	in := in(t)
	seed := sequence(5, 32)
	k, err := in.ParseSeed(slices.Clone(seed))
	if err != nil {
		t.Fatal(err)
	}
	m, err := in.NewMAC(crypto.SHA256, slices.Clone(seed))
	if err != nil {
		t.Fatal(err)
	}
	a, err := in.NewAEAD(slices.Clone(seed))
	if err != nil {
		t.Fatal(err)
	}
	type fields struct {
		Value, Pointer any
		hidden         any
	}
	for _, c := range []struct {
		value any
		want  string
	}{
		{k, "[Ed25519 private key, 256 bits, " + k.Fingerprint() + "]"},
		{*k, "[Ed25519 private key, 256 bits, " + k.Fingerprint() + "]"},
		{m, "[HMAC-SHA-256 key]"},
		{*m, "[HMAC-SHA-256 key]"},
		{a, "[XChaCha20-Poly1305 key]"},
		{*a, "[XChaCha20-Poly1305 key]"},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if got := fmt.Sprintf(verb, c.value); got != c.want {
				t.Errorf("%s of %T: %s, want %s", verb, c.value, got, c.want)
			}
		}
		text, err := json.Marshal(map[string]any{"key": c.value})
		if err != nil || string(text) != `{"key":"`+c.want+`"}` {
			t.Errorf("JSON of %T: %s, %v", c.value, text, err)
		}
		var out bytes.Buffer
		logger := slog.New(slog.NewJSONHandler(&out, nil))
		logger.Info("message", "key", c.value, "fields", fields{c.value, &c.value, c.value})
		printed := out.String() + fmt.Sprintf("%+v %#v", fields{c.value, c.value, c.value}, []any{c.value})
		if strings.Contains(printed, fmt.Sprintf("%x", seed[:8])) || strings.Contains(printed, fmt.Sprint(seed[:4])[1:]) {
			t.Errorf("%T prints its secret: %s", c.value, printed)
		}
	}
	if got := k.LogValue().String(); !strings.Contains(got, "fingerprint=SHA256:") || !strings.Contains(got, "algorithm=Ed25519") {
		t.Errorf("logged: %s", got)
	}
}

// Many keys and many clients need no more locked memory than few do.
func TestManyKeysManyClients(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	in := keys.In(s)
	count, clients, each := 100_000, 200, 50
	if testing.Short() || testenv.Race || len(testenv.Emulator()) > 0 {
		count, each = 2_000, 5
	}
	macs := make([]*keys.MAC, count)
	for i := range macs {
		m, err := in.NewMAC(crypto.SHA256, fmt.Appendf(nil, "the key of client %d", i))
		if err != nil {
			t.Fatal(err)
		}
		macs[i] = m
	}
	k := parse(t, in, standardKeys()[keys.ECDSAP256])
	var group sync.WaitGroup
	for client := range clients {
		group.Go(func() {
			for i := range each {
				m := macs[(client*7919+i*104729)%count]
				message := fmt.Append(nil, client, i)
				tag, err := m.Sum(message)
				if err == nil {
					err = m.Verify(message, tag)
				}
				if err == nil && i%10 == 0 {
					err = signs(k)
				}
				if err != nil {
					t.Errorf("client %d: %v", client, err)
				}
			}
		})
	}
	group.Wait()
	if stats := s.Stats(); stats.LockedBytesPeak > testenv.SmallLimit() {
		t.Errorf("%d bytes were locked", stats.LockedBytesPeak)
	}
}
