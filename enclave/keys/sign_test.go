package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/internal/testenv"
)

// parse returns the key that the standard library's is.
func parse(t testing.TB, in keys.Session, key any) *keys.PrivateKey {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	k, err := in.Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// edgeDigests are digests of a size.
func edgeDigests(size int) [][]byte {
	digests := [][]byte{make([]byte, size), bytes.Repeat([]byte{0xff}, size)}
	for i := range 20 {
		digests = append(digests, sequence(uint64(i), size))
	}
	return digests
}

func TestECDSASignaturesVerify(t *testing.T) {
	t.Parallel()
	in := in(t)
	next := testenv.Sampled(10)
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384()} {
		for range 5 {
			private, err := ecdsa.GenerateKey(curve, rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			k := parse(t, in, private)
			if !k.Equal(private) || !private.PublicKey.Equal(k.Public()) {
				t.Fatal("another public key")
			}
			for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
				for _, digest := range edgeDigests(hash.Size()) {
					if !next() {
						continue
					}
					s, err := k.Sign(nil, digest, hash)
					if err != nil {
						t.Fatal(err)
					}
					if !ecdsa.VerifyASN1(&private.PublicKey, digest, s) {
						t.Fatalf("%v of %x: a wrong signature", hash, digest)
					}
					if again, err := k.Sign(nil, digest, hash); err != nil || bytes.Equal(s, again) {
						t.Fatalf("two signatures of a digest share a nonce, or %v", err)
					}
				}
			}
			message := []byte("message")
			s, err := k.SignMessage(nil, message, crypto.SHA256)
			if digest := sha256.Sum256(message); err != nil || !ecdsa.VerifyASN1(&private.PublicKey, digest[:], s) {
				t.Fatalf("SignMessage: %v", err)
			}
		}
	}
}

func TestRSASignsAsTheStandardLibraryDoes(t *testing.T) {
	t.Parallel()
	in := in(t)
	next := testenv.Sampled(5)
	for _, alg := range []keys.Algorithm{keys.RSA2048, keys.RSA3072} {
		private := standardKeys()[alg].(*rsa.PrivateKey)
		k := parse(t, in, private)
		if k.Algorithm() != alg {
			t.Fatalf("a key of %v", k.Algorithm())
		}
		for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			for _, digest := range edgeDigests(hash.Size())[:4] {
				if !next() {
					continue
				}
				want, err := private.Sign(nil, digest, hash)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := k.Sign(nil, digest, hash); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("PKCS #1 v1.5 with %v: %x, %v, want %x", hash, got, err, want)
				}
				for _, salt := range []int{rsa.PSSSaltLengthAuto, rsa.PSSSaltLengthEqualsHash, 0, 7} {
					o := &rsa.PSSOptions{SaltLength: salt, Hash: hash}
					s, err := k.Sign(nil, digest, o)
					if err != nil {
						t.Fatal(err)
					}
					if err := rsa.VerifyPSS(&private.PublicKey, hash, digest, s, o); err != nil {
						t.Fatalf("PSS with %v and a salt of %d: %v", hash, salt, err)
					}
				}
			}
		}
	}
}

func TestRSADecryptsWhatTheStandardLibraryEncrypts(t *testing.T) {
	t.Parallel()
	in := in(t)
	private := standardKeys()[keys.RSA2048].(*rsa.PrivateKey)
	k := parse(t, in, private)
	message := []byte("a message to decrypt")
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA512} {
		c, err := rsa.EncryptOAEP(hash.New(), rand.Reader, &private.PublicKey, message, []byte("label"))
		if err != nil {
			t.Fatal(err)
		}
		o := &rsa.OAEPOptions{Hash: hash, Label: []byte("label")}
		if got, err := k.Decrypt(nil, c, o); err != nil || !bytes.Equal(got, message) {
			t.Errorf("OAEP with %v: %q, %v", hash, got, err)
		}
		o.Label = []byte("another")
		if got, err := k.Decrypt(nil, c, o); !errors.Is(err, rsa.ErrDecryption) || got != nil {
			t.Errorf("OAEP with another label: %q, %v", got, err)
		}
	}
	//lint:ignore SA1019 what is still decrypted has to be tested
	c, err := rsa.EncryptPKCS1v15(rand.Reader, &private.PublicKey, message)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 what is still decrypted has to be tested
	for _, o := range []crypto.DecrypterOpts{nil, &rsa.PKCS1v15DecryptOptions{}, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: len(message)}} {
		if got, err := k.Decrypt(nil, c, o); err != nil || !bytes.Equal(got, message) {
			t.Errorf("PKCS #1 v1.5 with %#v: %q, %v", o, got, err)
		}
	}
	// Of the wrong size it is a random session key, and no error.
	//lint:ignore SA1019 what is still decrypted has to be tested
	got, err := k.Decrypt(nil, c, &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 16})
	if err != nil || len(got) != 16 || wiped(got) {
		t.Errorf("a session key of the wrong size: %x, %v", got, err)
	}
	// A block of another type. A changed ciphertext is valid once in some 85,000 times.
	block := bytes.Repeat([]byte{0xff}, 256)
	block[0], block[1], block[255-len(message)] = 0, 1, 0
	copy(block[256-len(message):], message)
	other := new(big.Int).SetBytes(block)
	other.Exp(other, big.NewInt(int64(private.E)), private.N).FillBytes(c)
	if got, err := k.Decrypt(nil, c, nil); !errors.Is(err, rsa.ErrDecryption) || got != nil {
		t.Errorf("a block of type 1: %q, %v", got, err)
	}
	if _, err := k.Decrypt(nil, c, "options"); !errors.Is(err, keys.ErrUnsupported) {
		t.Errorf("unknown options: %v", err)
	}
}

// What takes a crypto.Decrypter gets one, and crypto/tls sees none in a PrivateKey:
// up to TLS 1.2 it would take it for an RSA key.
func TestOnlyADecrypterIsACryptoDecrypter(t *testing.T) {
	t.Parallel()
	in := in(t)
	private := standardKeys()[keys.RSA2048].(*rsa.PrivateKey)
	k := parse(t, in, private)
	if _, ok := any(k).(crypto.Decrypter); ok {
		t.Error("a PrivateKey is a crypto.Decrypter")
	}
	d, err := k.Decrypter()
	if err != nil {
		t.Fatal(err)
	}
	message := []byte("a message to decrypt")
	c, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &private.PublicKey, message, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := crypto.Decrypter(d).Decrypt(nil, c, &rsa.OAEPOptions{Hash: crypto.SHA256}); err != nil || !bytes.Equal(got, message) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestECDHAgreesWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, curve := range []ecdh.Curve{ecdh.X25519(), ecdh.P256()} {
		for range 20 {
			ours, err := curve.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := curve.GenerateKey(rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			want, err := ours.ECDH(theirs.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			e, err := parse(t, in, ours).ECDH(theirs.PublicKey())
			if err != nil {
				t.Fatal(err)
			}
			if equal, err := equalSecret(e, want); err != nil || !equal {
				t.Errorf("%v: another secret, or %v", curve, err)
			}
		}
	}
}

func TestECDHRefuses(t *testing.T) {
	t.Parallel()
	in := in(t)
	x, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	small, err := ecdh.X25519().NewPublicKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	k := parse(t, in, x)
	if _, err := k.ECDH(p.PublicKey()); !errors.Is(err, keys.ErrUnsupported) {
		t.Errorf("a key on another curve: %v", err)
	}
	if _, err := k.ECDH(nil); !errors.Is(err, keys.ErrUnsupported) {
		t.Errorf("no key: %v", err)
	}
	if _, err := k.ECDH(small); err == nil {
		t.Error("a point of small order")
	}
	if _, err := k.Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, keys.ErrUnsupported) {
		t.Errorf("an X25519 key signs: %v", err)
	}
	for alg, standard := range standardKeys() {
		if _, err := parse(t, in, standard).Sign(nil, make([]byte, 32), crypto.Hash(99)); !errors.Is(err, keys.ErrUnsupported) {
			t.Errorf("an %v key signs with a hash that does not exist: %v", alg, err)
		}
	}
	ed := parse(t, in, standardKeys()[keys.Ed25519])
	if _, err := ed.ECDH(x.PublicKey()); !errors.Is(err, keys.ErrUnsupported) {
		t.Errorf("an Ed25519 key agrees on a secret: %v", err)
	}
	if _, err := ed.Decrypter(); !errors.Is(err, keys.ErrUnsupported) {
		t.Errorf("an Ed25519 key is a Decrypter: %v", err)
	}
	if _, err := ed.Decrypt(nil, make([]byte, 256), nil); !errors.Is(err, keys.ErrUnsupported) {
		t.Errorf("an Ed25519 key decrypts: %v", err)
	}
	if _, err := parse(t, in, standardKeys()[keys.ECDSAP256]).Sign(nil, make([]byte, 31), crypto.SHA256); err == nil {
		t.Error("a digest of the wrong length was signed")
	}
}

func TestGeneratedKeysWork(t *testing.T) {
	t.Parallel()
	in := in(t)
	algorithms := []keys.Algorithm{keys.Ed25519, keys.X25519, keys.ECDSAP256, keys.ECDSAP384, keys.RSA2048}
	if !testing.Short() {
		algorithms = append(algorithms, keys.RSA3072)
	}
	var all []*keys.PrivateKey
	for _, alg := range algorithms {
		k, err := in.Generate(t.Context(), alg)
		if err != nil {
			t.Fatal(err)
		}
		if k.Algorithm() != alg {
			t.Errorf("%v: an %v key", alg, k.Algorithm())
		}
		if err := signs(k); err != nil {
			t.Errorf("%v: %v", alg, err)
		}
		for _, other := range all {
			if k.Equal(other) {
				t.Errorf("%v: the same key twice", alg)
			}
		}
		all = append(all, k)
	}
	if _, err := in.Generate(t.Context(), 0); !errors.Is(err, keys.ErrUnsupported) {
		t.Errorf("no algorithm: %v", err)
	}
	other, err := in.Generate(t.Context(), keys.Ed25519)
	if err != nil || slices.ContainsFunc(all, func(k *keys.PrivateKey) bool { return k.Equal(other) }) {
		t.Errorf("two generated keys are the same, or %v", err)
	}
}

// What a caller does to its public key does not reach the signature.
func TestChangedPublicKeyMakesNoWrongSignature(t *testing.T) {
	t.Parallel()
	private := standardKeys()[keys.Ed25519].(ed25519.PrivateKey)
	k := parse(t, in(t), private)
	k.Public().(ed25519.PublicKey)[3] ^= 1
	if s, err := k.Sign(nil, nil, crypto.Hash(0)); err != nil || !bytes.Equal(s, ed25519.Sign(private, nil)) {
		t.Errorf("another signature, or %v", err)
	}
}
