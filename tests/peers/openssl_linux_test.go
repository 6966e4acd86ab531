package peers

import (
	"bytes"
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/enclave/keys"
)

// hashName returns openssl's name of a hash function.
func hashName(h crypto.Hash) string {
	return strings.ToLower(strings.ReplaceAll(h.String(), "-", ""))
}

// verify returns an error unless openssl finds the signature right. options are
// those of openssl dgst.
func verify(t *testing.T, dir folder, k *keys.PrivateKey, hash crypto.Hash, message, signature []byte, options ...string) error {
	t.Helper()
	public, file := dir.writePublic(t, "public.pem", k), dir.write(t, "signature", signature)
	args := []string{"pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", public, "-sigfile", file, "-in"}
	if hash != 0 {
		args = append([]string{"dgst", "-" + hashName(hash), "-verify", public, "-signature", file}, options...)
	}
	out, err := try(t, nil, "openssl", append(args, dir.write(t, "message", message))...)
	if err != nil {
		return fmt.Errorf("openssl says %w: %s", err, out)
	}
	return nil
}

func TestOpenSSLVerifiesSignatures(t *testing.T) {
	if !alone(t, "openssl") {
		return
	}
	dir := newFolder(t)
	pss := func(salt int, hash crypto.Hash) crypto.SignerOpts {
		return &rsa.PSSOptions{SaltLength: salt, Hash: hash}
	}
	type way struct {
		opts    crypto.SignerOpts
		options []string
	}
	ways := map[keys.Algorithm][]way{keys.Ed25519: {{crypto.Hash(0), nil}}}
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		for _, alg := range []keys.Algorithm{keys.ECDSAP256, keys.ECDSAP384, keys.RSA2048} {
			ways[alg] = append(ways[alg], way{hash, nil})
		}
		for _, salt := range []int{rsa.PSSSaltLengthEqualsHash, rsa.PSSSaltLengthAuto, 7} {
			want := map[int]string{rsa.PSSSaltLengthEqualsHash: "digest", rsa.PSSSaltLengthAuto: "max", 7: "7"}[salt]
			ways[keys.RSA2048] = append(ways[keys.RSA2048], way{pss(salt, hash),
				[]string{"-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:" + want}})
		}
	}
	for alg, ways := range ways {
		k := generate(t, alg)
		for i, w := range ways {
			message := bytes.Repeat([]byte("a message "), 1+7*i)
			signature, err := k.SignMessage(nil, message, w.opts)
			if err == nil {
				err = verify(t, dir, k, w.opts.HashFunc(), message, signature, w.options...)
			}
			if err != nil {
				t.Errorf("%v, %v, %v: %v", alg, w.opts.HashFunc(), w.options, err)
			}
			if verify(t, dir, k, w.opts.HashFunc(), append(message, 'x'), signature, w.options...) == nil {
				t.Errorf("%v, %v, %v: right for another message", alg, w.opts.HashFunc(), w.options)
			}
		}
	}
	checkLimit(t)
}

func TestOpenSSLComputesTheSameMACs(t *testing.T) {
	if !alone(t, "openssl") {
		return
	}
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		for _, size := range []int{1, 64, 129} {
			key := make([]byte, size)
			_, _ = rand.Read(key) // never fails
			message := bytes.Repeat([]byte("message "), size)
			out := run(t, message, "openssl", "mac", "-digest", hashName(hash), "-macopt", "hexkey:"+hex.EncodeToString(key), "HMAC")
			want, err := hex.DecodeString(strings.TrimSpace(out))
			if err != nil {
				t.Fatal(err)
			}
			m, err := keys.NewMAC(hash, key)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := m.Sum(message); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%v, a key of %d bytes: %x, %v, openssl has %x", hash, size, got, err, want)
			}
			if err := m.Verify(message, want); err != nil {
				t.Errorf("%v, a key of %d bytes: %v", hash, size, err)
			}
		}
	}
	checkLimit(t)
}

func TestKeysDecryptWhatOpenSSLEncrypts(t *testing.T) {
	if !alone(t, "openssl") {
		return
	}
	dir := newFolder(t)
	k := generate(t, keys.RSA2048)
	public := dir.writePublic(t, "public.pem", k)
	encrypt := func(plaintext []byte, options ...string) []byte {
		args := []string{"pkeyutl", "-encrypt", "-pubin", "-inkey", public, "-in", dir.write(t, "plaintext", plaintext), "-out", dir.path("ciphertext")}
		for _, o := range options {
			args = append(args, "-pkeyopt", o)
		}
		run(t, nil, "openssl", args...)
		return dir.read(t, "ciphertext")
	}
	const oaep, label = "rsa_padding_mode:oaep", "a label"
	for _, c := range []struct {
		what     string
		overhead int
		opts     crypto.DecrypterOpts
		options  []string
	}{
		{"PKCS #1 v1.5", 11, nil, []string{"rsa_padding_mode:pkcs1"}},
		{"OAEP, SHA-1", 42, &rsa.OAEPOptions{Hash: crypto.SHA1}, []string{oaep}},
		{"OAEP, SHA-256", 66, &rsa.OAEPOptions{Hash: crypto.SHA256}, []string{oaep, "rsa_oaep_md:sha256"}},
		{"OAEP, SHA-512 with a label", 130, &rsa.OAEPOptions{Hash: crypto.SHA512, Label: []byte(label)},
			[]string{oaep, "rsa_oaep_md:sha512", "rsa_oaep_label:" + hex.EncodeToString([]byte(label))}},
		{"OAEP, SHA-256 with SHA-1 as mask", 66, &rsa.OAEPOptions{Hash: crypto.SHA256, MGFHash: crypto.SHA1},
			[]string{oaep, "rsa_oaep_md:sha256", "rsa_mgf1_md:sha1"}},
	} {
		for _, size := range []int{0, 1, 32, 256 - c.overhead} {
			plaintext := make([]byte, size)
			_, _ = rand.Read(plaintext) // never fails
			ciphertext := encrypt(plaintext, c.options...)
			if got, err := k.Decrypt(nil, ciphertext, c.opts); err != nil || !bytes.Equal(got, plaintext) {
				t.Errorf("%s, %d bytes: %x, %v, want %x", c.what, size, got, err, plaintext)
			}
			if c.opts == nil {
				continue // once in some 85,000 times it would be valid
			}
			ciphertext[100] ^= 1
			if got, err := k.Decrypt(nil, ciphertext, c.opts); !errors.Is(err, rsa.ErrDecryption) {
				t.Errorf("%s, %d bytes, changed: %x, %v", c.what, size, got, err)
			}
		}
	}
	checkSessionKeys(t, k, encrypt)
	checkLimit(t)
}

// checkSessionKeys decrypts as protocols with PKCS #1 v1.5 have to: what is wrong is
// a random key, and no error.
func checkSessionKeys(t *testing.T, k *keys.PrivateKey, encrypt func([]byte, ...string) []byte) {
	t.Helper()
	//lint:ignore SA1019 old protocols need it, and keys decrypt for them
	opts := &rsa.PKCS1v15DecryptOptions{SessionKeyLen: 48}
	for _, size := range []int{48, 47} {
		plaintext := bytes.Repeat([]byte{7}, size)
		got, err := k.Decrypt(nil, encrypt(plaintext, "rsa_padding_mode:pkcs1"), opts)
		if same := bytes.Equal(got, plaintext); err != nil || len(got) != 48 || same != (size == 48) {
			t.Errorf("a session key of %d bytes: %x, %v", size, got, err)
		}
	}
}

func TestOpenSSLAgreesOnTheSameSecret(t *testing.T) {
	if !alone(t, "openssl") {
		return
	}
	dir := newFolder(t)
	for alg, options := range map[keys.Algorithm][]string{
		keys.X25519:    {"-algorithm", "x25519"},
		keys.ECDSAP256: {"-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"},
	} {
		for range scaled(20, 3, 2) {
			private := dir.path("private.pem")
			run(t, nil, "openssl", append([]string{"genpkey", "-out", private}, options...)...)
			remote := remoteKey(t, run(t, nil, "openssl", "pkey", "-in", private, "-pubout"))
			k := generate(t, alg)
			run(t, nil, "openssl", "pkeyutl", "-derive", "-inkey", private, "-peerkey", dir.writePublic(t, "public.pem", k), "-out", dir.path("secret"))

			e, err := k.ECDH(remote)
			if err != nil {
				t.Fatal(err)
			}
			if same, err := e.Equal(dir.read(t, "secret")); err != nil || !same {
				t.Errorf("%v: another secret than openssl's: %v", alg, err)
			}
		}
	}
	checkLimit(t)
}

// remoteKey parses a public key that openssl wrote.
func remoteKey(t *testing.T, text string) *ecdh.PublicKey {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no PEM: %s", text)
	}
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	switch public := public.(type) {
	case *ecdh.PublicKey:
		return public
	case *ecdsa.PublicKey:
		remote, err := public.ECDH()
		if err != nil {
			t.Fatal(err)
		}
		return remote
	}
	t.Fatalf("a %T", public)
	return nil
}
