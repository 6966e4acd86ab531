package rsa

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha3"
	"errors"
	"math/big"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

var signingHashes = []crypto.Hash{
	crypto.SHA1, crypto.SHA224, crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA512_224, crypto.SHA512_256,
	crypto.SHA3_224, crypto.SHA3_256, crypto.SHA3_384, crypto.SHA3_512,
}

// digestsOf are random ones and those at the edges.
func digestsOf(hash crypto.Hash) [][]byte {
	digest := make([]byte, hash.Size())
	rand.Read(digest)
	return [][]byte{digest, make([]byte, len(digest)), bytes.Repeat([]byte{0xff}, len(digest))}
}

func TestPKCS1v15SignaturesAreTheStandardLibrarys(t *testing.T) {
	each(t, func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch) {
		next := testenv.Sampled(5)
		check := func(hash crypto.Hash, digest []byte) {
			t.Helper()
			if !next() {
				return
			}
			got, err := SignPKCS1v15([]byte("prefix"), encoding, hash, digest, s)
			if err != nil {
				t.Fatal(err)
			}
			want, err := rsa.SignPKCS1v15(nil, key, hash, digest)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, append([]byte("prefix"), want...)) {
				t.Fatalf("%v of %x: %x, want %x", hash, digest, got, want)
			}
		}
		for _, hash := range signingHashes {
			for _, digest := range digestsOf(hash) {
				check(hash, digest)
			}
		}
		check(crypto.MD5SHA1, make([]byte, 36))
		for _, size := range []int{0, 1, 100, len(encoding)/7*2 - 11} {
			check(0, bytes.Repeat([]byte{0xff}, size))
		}
	})
}

func TestPSSSignaturesVerify(t *testing.T) {
	each(t, func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch) {
		next := testenv.Sampled(5)
		for _, hash := range signingHashes {
			for i, digest := range digestsOf(hash) {
				if !next() {
					continue
				}
				option := []int{rsa.PSSSaltLengthAuto, rsa.PSSSaltLengthEqualsHash, 1}[i]
				size, err := SaltSize(encoding, hash, option)
				if err != nil {
					t.Fatal(err)
				}
				salt := make([]byte, size)
				rand.Read(salt)
				signature, err := SignPSS(nil, encoding, hash, digest, salt, s)
				if err != nil {
					t.Fatal(err)
				}
				options := &rsa.PSSOptions{SaltLength: size}
				if err := rsa.VerifyPSS(&key.PublicKey, hash, digest, signature, options); err != nil {
					t.Fatalf("%v, salt of %d bytes: %v", hash, size, err)
				}
			}
		}
		// Without a salt it is deterministic, and so the same as anyone else's.
		signature, err := SignPSS(nil, encoding, crypto.SHA256, make([]byte, 32), nil, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := rsa.VerifyPSS(&key.PublicKey, crypto.SHA256, make([]byte, 32), signature, nil); err != nil {
			t.Error(err)
		}
	})
}

func TestSigningRefuses(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	encoding := flat(t, testKey(t, 2048), s)
	sign := func(hash crypto.Hash, size int) error {
		_, err := SignPKCS1v15(nil, encoding, hash, make([]byte, size), s)
		return err
	}
	pss := func(hash crypto.Hash, size, salt int) error {
		_, err := SignPSS(nil, encoding, hash, make([]byte, size), make([]byte, salt), s)
		return err
	}
	salt := func(hash crypto.Hash, option int) error {
		_, err := SaltSize(encoding, hash, option)
		return err
	}
	for name, c := range map[string]struct{ err, want error }{
		"short digest":          {sign(crypto.SHA256, 31), ErrHash},
		"long digest":           {sign(crypto.SHA256, 33), ErrHash},
		"no digest":             {sign(crypto.SHA256, 0), ErrHash},
		"MD5":                   {sign(crypto.MD5, 16), ErrHash},
		"BLAKE2":                {sign(crypto.BLAKE2b_256, 32), ErrHash},
		"unknown hash":          {sign(999, 32), ErrHash},
		"long message":          {sign(0, 256-10), ErrMessage},
		"PSS short digest":      {pss(crypto.SHA256, 31, 32), ErrHash},
		"PSS hash not linked":   {pss(crypto.BLAKE2b_256, 32, 32), ErrHash},
		"PSS without hash":      {pss(0, 0, 32), ErrHash},
		"PSS long salt":         {pss(crypto.SHA256, 32, 256-32-1), ErrMessage},
		"PSS longest salt":      {pss(crypto.SHA256, 32, 256-32-2), nil},
		"salt option negative":  {salt(crypto.SHA256, -2), ErrMessage},
		"salt option too large": {salt(crypto.SHA256, 256-32-1), ErrMessage},
		"salt without hash":     {salt(0, 0), ErrHash},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %v", name, c.err, c.want)
		}
	}
}

var oaepHashes = []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512}

func TestOAEPDecryptsWhatTheStandardLibraryEncrypts(t *testing.T) {
	each(t, func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch) {
		k := len(encoding) / 7 * 2
		dst := make([]byte, k)
		next := testenv.Sampled(5)
		for i, hash := range oaepHashes {
			mgf := oaepHashes[(i+len(encoding))%4]
			label := make([]byte, 100*i)
			for _, size := range []int{0, 1, 32, k - 2*hash.Size() - 2} {
				if !next() {
					continue
				}
				message := make([]byte, size)
				rand.Read(message)
				options := &rsa.OAEPOptions{Hash: hash, MGFHash: mgf, Label: label}
				ciphertext, err := rsa.EncryptOAEPWithOptions(rand.Reader, &key.PublicKey, message, options)
				if err != nil {
					t.Fatal(err)
				}
				n, err := DecryptOAEP(dst, encoding, hash, mgf, ciphertext, label, s)
				if err != nil || !bytes.Equal(dst[:n], message) {
					t.Fatalf("%v with %v: %x, %v, want %x", hash, mgf, dst[:n], err, message)
				}
				for what, fn := range map[string]func() (int, error){
					"label": func() (int, error) {
						return DecryptOAEP(dst, encoding, hash, mgf, ciphertext, append(label, 1), s)
					},
					"hash": func() (int, error) {
						return DecryptOAEP(dst, encoding, oaepHashes[(i+1)%4], mgf, ciphertext, label, s)
					},
					"mask": func() (int, error) {
						return DecryptOAEP(dst, encoding, hash, oaepHashes[(i+len(encoding)+1)%4], ciphertext, label, s)
					},
					"byte": func() (int, error) {
						changed := bytes.Clone(ciphertext)
						changed[k-1] ^= 1
						return DecryptOAEP(dst, encoding, hash, mgf, changed, label, s)
					},
				} {
					if _, err := fn(); err != ErrDecryption {
						t.Fatalf("wrong %s: %v", what, err)
					}
				}
			}
		}
		ciphertext, err := rsa.EncryptOAEP(crypto.SHA256.New(), rand.Reader, &key.PublicKey, []byte("message"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := DecryptOAEP(dst, encoding, crypto.SHA256, 0, ciphertext, nil, s); err != nil || string(dst[:n]) != "message" {
			t.Errorf("no hash for MGF1: %q, %v", dst[:n], err)
		}
		// The first byte must be zero, whatever follows.
		em := new(big.Int).Exp(new(big.Int).SetBytes(ciphertext), key.D, key.N).FillBytes(make([]byte, k))
		em[0] = 1
		if _, err := DecryptOAEP(dst, encoding, crypto.SHA256, 0, encrypt(&key.PublicKey, em), nil, s); err != ErrDecryption {
			t.Errorf("first byte one: %v", err)
		}
		if _, err := DecryptOAEP(dst[:6], encoding, crypto.SHA256, 0, ciphertext, nil, s); !errors.Is(err, ErrMessage) {
			t.Errorf("no room: %v", err)
		}
		for _, hash := range []crypto.Hash{0, crypto.SHA224, crypto.SHA3_256, 999} {
			if _, err := DecryptOAEP(dst, encoding, hash, crypto.SHA256, ciphertext, nil, s); !errors.Is(err, ErrHash) {
				t.Errorf("%v: %v", hash, err)
			}
		}
		if _, err := DecryptOAEP(dst, encoding, crypto.SHA256, crypto.SHA224, ciphertext, nil, s); !errors.Is(err, ErrHash) {
			t.Errorf("MGF1 with SHA-224: %v", err)
		}
	})
}

// encrypt is the bare public key operation.
func encrypt(key *rsa.PublicKey, message []byte) []byte {
	m := new(big.Int).SetBytes(message)
	return m.Exp(m, big.NewInt(int64(key.E)), key.N).FillBytes(make([]byte, key.Size()))
}

// encodings are PKCS #1 v1.5 encryption blocks, and the plaintext of each, or nil
// if it is not valid.
func encodings(k int) map[string][2][]byte {
	block := func(padding int, message []byte) []byte {
		em := bytes.Repeat([]byte{0x55}, k)
		em[0], em[1] = 0, 2
		em[2+padding] = 0
		copy(em[2+padding+1:], message)
		return em
	}
	long := bytes.Repeat([]byte{7}, k-11)
	list := map[string][2][]byte{
		"longest":       {block(8, long), long},
		"padding short": {block(7, long), nil},
		"empty":         {block(k-3, nil), {}},
		"one":           {block(k-4, []byte{9}), {9}},
		"zeros":         {block(k-7, make([]byte, 4)), make([]byte, 4)},
		"no padding":    {block(0, long), nil},
		"session":       {block(k-3-16, long[:16]), long[:16]},
	}
	none := bytes.Repeat([]byte{0x55}, k)
	none[0], none[1] = 0, 2
	list["no end of padding"] = [2][]byte{none, nil}
	for name, head := range map[string][2]byte{"first byte": {1, 2}, "type one": {0, 1}, "type zero": {0, 0}, "type 0x12": {0, 0x12}} {
		em := block(8, long)
		em[0], em[1] = head[0], head[1]
		list[name] = [2][]byte{em, nil}
	}
	return list
}

func TestPKCS1v15Decrypts(t *testing.T) {
	each(t, func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch) {
		size, err := MaxPlaintext(encoding)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, size)
		next := testenv.Sampled(3)
		for name, c := range encodings(key.Size()) {
			if !next() {
				continue
			}
			ciphertext := encrypt(&key.PublicKey, c[0])
			n, err := DecryptPKCS1v15(dst, encoding, ciphertext, s)
			if c[1] == nil {
				if err != ErrDecryption {
					t.Errorf("%s: %v", name, err)
				}
			} else if err != nil || !bytes.Equal(dst[:n], c[1]) {
				t.Errorf("%s: %x, %v, want %x", name, dst[:n], err, c[1])
			}
			//lint:ignore SA1019 the reference for what is still decrypted
			want, wantErr := rsa.DecryptPKCS1v15(nil, key, ciphertext)
			if (wantErr == nil) != (err == nil) || !bytes.Equal(dst[:n], want) {
				t.Errorf("%s: %x, %v; the standard library: %x, %v", name, dst[:n], err, want, wantErr)
			}
		}
	})
}

func TestSessionKeyIsReplacedOnlyIfValid(t *testing.T) {
	each(t, func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch) {
		next := testenv.Sampled(8)
		for name, c := range encodings(key.Size()) {
			for _, size := range []int{0, 1, 16, key.Size() - 11} {
				if !next() {
					continue
				}
				session := bytes.Repeat([]byte{0xee}, size)
				want := bytes.Clone(session)
				if c[1] != nil && len(c[1]) == size {
					want = c[1]
				}
				if err := DecryptPKCS1v15SessionKey(session, encoding, encrypt(&key.PublicKey, c[0]), s); err != nil {
					t.Fatalf("%s, %d bytes: %v", name, size, err)
				}
				if !bytes.Equal(session, want) {
					t.Errorf("%s, %d bytes: %x, want %x", name, size, session, want)
				}
			}
		}
		if err := DecryptPKCS1v15SessionKey(make([]byte, key.Size()-10), encoding, make([]byte, key.Size()), s); err != ErrDecryption {
			t.Errorf("long session key: %v", err)
		}
	})
}

func TestCiphertextsThatAreNotBelowNAreRefused(t *testing.T) {
	each(t, func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch) {
		k := key.Size()
		dst := make([]byte, k)
		for name, c := range map[string][]byte{
			"none":     nil,
			"short":    make([]byte, k-1),
			"long":     make([]byte, k+1),
			"n":        key.N.Bytes(),
			"n + 1":    new(big.Int).Add(key.N, big.NewInt(1)).Bytes(),
			"all ones": bytes.Repeat([]byte{0xff}, k),
		} {
			_, oaep := DecryptOAEP(dst, encoding, crypto.SHA256, 0, c, nil, s)
			_, plain := DecryptPKCS1v15(dst, encoding, c, s)
			for what, err := range map[string]error{
				"OAEP": oaep, "PKCS1v15": plain,
				"session": DecryptPKCS1v15SessionKey(dst[:16], encoding, c, s),
			} {
				if err != ErrDecryption {
					t.Errorf("%s, %s: %v", name, what, err)
				}
			}
		}
	})
}

// The bare operation on numbers at the edges, whose halves reduce to zero, one,
// and the primes.
func TestPrivateOperationIsMathBigs(t *testing.T) {
	each(t, func(t *testing.T, key *rsa.PrivateKey, encoding []byte, s *Scratch) {
		k, err := split(encoding)
		if err != nil {
			t.Fatal(err)
		}
		one := big.NewInt(1)
		p, q := key.Primes[0], key.Primes[1]
		ones := new(big.Int).Sub(new(big.Int).Lsh(one, uint(8*k.prime())), one)
		for _, input := range []*big.Int{
			new(big.Int), one, new(big.Int).Sub(key.N, one), p, q, ones,
			new(big.Int).Sub(key.N, p), new(big.Int).Sub(key.N, q), new(big.Int).Lsh(one, uint(8*k.prime())),
		} {
			if err := s.private(&k, input.FillBytes(make([]byte, k.size()))); err != nil {
				t.Fatalf("%x: %v", input, err)
			}
			want := new(big.Int).Exp(input, key.D, key.N)
			if got := new(big.Int).SetBytes(s.em[:k.size()]); got.Cmp(want) != 0 {
				t.Errorf("%x: %x, want %x", input, got, want)
			}
		}
	})
}
