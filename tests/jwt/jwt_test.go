package jwt

import (
	"crypto"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/internal/testenv"
)

func newSession(t *testing.T) keys.Session {
	t.Helper()
	testenv.Lockable(t, testenv.SmallLimit())
	s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: testenv.SmallLimit()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return keys.In(s)
}

// Tokens that keys sign are golang-jwt's, and verify with its own methods.
func TestTokensVerify(t *testing.T) {
	t.Parallel()
	in := newSession(t)
	for alg, methods := range map[keys.Algorithm][]Method{
		keys.Ed25519:   {EdDSA},
		keys.ECDSAP256: {ES256},
		keys.ECDSAP384: {ES384},
		keys.RSA2048:   {RS256, RS384, RS512, PS256, PS384, PS512},
	} {
		k, err := in.Generate(t.Context(), alg)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range methods {
			text, err := jwt.NewWithClaims(m, jwt.MapClaims{"sub": "somebody"}).SignedString(k)
			if err != nil {
				t.Fatal(err)
			}
			public := func(*jwt.Token) (any, error) { return k.Public(), nil }
			if _, err := jwt.Parse(text, public, jwt.WithValidMethods([]string{m.Alg()})); err != nil {
				t.Errorf("%s: %v", m.Alg(), err)
			}
			if _, err := jwt.Parse(changed(t, text), public); err == nil {
				t.Errorf("%s: a changed signature is valid", m.Alg())
			}
			if text, err := jwt.NewWithClaims(HS256, jwt.MapClaims{}).SignedString(k); !errors.Is(err, jwt.ErrInvalidKeyType) {
				t.Errorf("%s: a key of another method signs: %s, %v", m.Alg(), text, err)
			}
		}
		checkJOSE(t, k)
	}
}

// changed returns the token with another signature.
func changed(t *testing.T, token string) string {
	t.Helper()
	at := strings.LastIndexByte(token, '.') + 1
	sig, err := base64.RawURLEncoding.DecodeString(token[at:])
	if err != nil {
		t.Fatal(err)
	}
	sig[10] ^= 1
	return token[:at] + base64.RawURLEncoding.EncodeToString(sig)
}

// checkJOSE signs all that go-jose signs with the key.
func checkJOSE(t *testing.T, k *keys.PrivateKey) {
	t.Helper()
	o := Opaque{k}
	if len(o.Algs()) == 0 {
		t.Errorf("%v: no algorithm", k)
	}
	for _, alg := range o.Algs() {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: o}, nil)
		if err != nil {
			t.Fatal(err)
		}
		object, err := signer.Sign([]byte("payload"))
		if err != nil {
			t.Fatal(err)
		}
		payload, err := object.Verify(k.Public())
		if err != nil || string(payload) != "payload" {
			t.Errorf("go-jose, %s: %q, %v", alg, payload, err)
		}
	}
}

func TestMACTokensAreGolangJWTs(t *testing.T) {
	t.Parallel()
	in := newSession(t)
	const secret = "a secret that is not one"
	for hash, m := range map[crypto.Hash]Method{crypto.SHA256: HS256, crypto.SHA384: HS384, crypto.SHA512: HS512} {
		k, err := in.NewMAC(hash, []byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		claims := jwt.MapClaims{"sub": "somebody"}
		text, err := jwt.NewWithClaims(m, claims).SignedString(k)
		if err != nil {
			t.Fatal(err)
		}
		want, err := jwt.NewWithClaims(m.SigningMethod, claims).SignedString([]byte(secret))
		if err != nil || text != want {
			t.Errorf("%s: %s, %v, want %s", m.Alg(), text, err, want)
		}
		parts, signature := text[:len(text)-len(text)%4], []byte("wrong")
		if err := m.Verify(parts, signature, k); !errors.Is(err, jwt.ErrSignatureInvalid) {
			t.Errorf("%s: %v", m.Alg(), err)
		}
		tag, err := k.Sum([]byte(parts))
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Verify(parts, tag, k); err != nil {
			t.Errorf("%s: %v", m.Alg(), err)
		}
		if m.Alg() != "HS256" {
			if _, err := HS256.Sign(parts, k); !errors.Is(err, jwt.ErrInvalidKeyType) {
				t.Errorf("%s: another method: %v", m.Alg(), err)
			}
		}
	}
}
