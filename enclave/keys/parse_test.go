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
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/internal/testenv"
)

// A file is a private key of the standard library, encoded.
type file struct {
	name    string
	content []byte
	key     interface{ Public() crypto.PublicKey }
}

// standardKeys are one key of each algorithm. Making RSA's takes long, so they
// are made once.
var standardKeys = sync.OnceValue(func() map[keys.Algorithm]interface{ Public() crypto.PublicKey } {
	all := map[keys.Algorithm]interface{ Public() crypto.PublicKey }{}
	all[keys.Ed25519] = ed25519.NewKeyFromSeed(sequence(7, 32))
	must := func(k interface{ Public() crypto.PublicKey }, err error) interface{ Public() crypto.PublicKey } {
		if err != nil {
			panic(err)
		}
		return k
	}
	all[keys.X25519] = must(ecdh.X25519().GenerateKey(rand.Reader))
	all[keys.ECDSAP256] = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	all[keys.ECDSAP384] = must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	all[keys.RSA2048] = must(rsa.GenerateKey(rand.Reader, 2048))
	all[keys.RSA3072] = must(rsa.GenerateKey(rand.Reader, 3072))
	return all
})

// files are the standard keys in all formats.
func files(t testing.TB) []file {
	t.Helper()
	var all []file
	add := func(key interface{ Public() crypto.PublicKey }, format, label string, der []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("%T, %s", key, format)
		text := pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
		windows := bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))
		all = append(all,
			file{name + ", DER", der, key},
			file{name + ", PEM", text, key},
			file{name + ", PEM with Windows line ends", windows, key},
			file{name + ", PEM without a line end", bytes.TrimSpace(text), key},
			file{name + ", PEM in one line", oneLine(text), key},
			file{name + ", PEM with text around", slices.Concat([]byte("a comment\n"), text, []byte("another\n")), key},
			file{name + ", PEM behind a certificate", slices.Concat([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), text), key},
		)
	}
	for alg, key := range standardKeys() {
		der, err := x509.MarshalPKCS8PrivateKey(key)
		add(key, "PKCS #8", "PRIVATE KEY", der, err)
		switch k := key.(type) {
		case *ecdsa.PrivateKey:
			der, err := x509.MarshalECPrivateKey(k)
			add(key, "SEC 1", "EC PRIVATE KEY", der, err)
		case *rsa.PrivateKey:
			add(key, "PKCS #1", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(k), nil)
		}
		if alg != keys.X25519 {
			block, err := ssh.MarshalPrivateKey(key, "a comment")
			if err != nil {
				t.Fatal(err)
			}
			add(key, "OpenSSH", block.Type, block.Bytes, nil)
		}
	}
	return all
}

// oneLine returns a PEM block whose base64 is in one line.
func oneLine(text []byte) []byte {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	last := len(lines) - 1
	return []byte(lines[0] + "\n" + strings.Join(lines[1:last], "") + "\n" + lines[last] + "\n")
}

func TestParseReadsEveryFormat(t *testing.T) {
	t.Parallel()
	in := in(t)
	next := testenv.Sampled(3)
	for _, f := range files(t) {
		if !next() {
			continue
		}
		input := slices.Clone(f.content)
		k, err := in.Parse(input)
		if err != nil {
			t.Errorf("%s: %v", f.name, err)
			continue
		}
		if !wiped(input) {
			t.Errorf("%s: the input was not wiped", f.name)
		}
		if !k.Equal(f.key) {
			t.Errorf("%s: another public key", f.name)
		}
	}
}

func TestFromEnclaveReadsWhatParseReads(t *testing.T) {
	t.Parallel()
	s := newSession(t)
	next := testenv.Sampled(3)
	for _, f := range files(t) {
		if !next() {
			continue
		}
		e, err := s.New(slices.Clone(f.content))
		if err != nil {
			t.Fatal(err)
		}
		k, err := keys.In(s).FromEnclave(e)
		if err != nil {
			t.Errorf("%s: %v", f.name, err)
			continue
		}
		// The two live and end apart.
		e.Destroy()
		if !k.Equal(f.key) {
			t.Errorf("%s: another public key", f.name)
		}
		if _, err := keys.In(s).FromEnclave(e); err == nil {
			t.Errorf("%s: a destroyed enclave was read", f.name)
		}
	}
}

// Whatever is cut off, Parse returns an error and wipes what it got.
func TestParseRefusesEveryTruncation(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, f := range files(t) {
		// Where only the last line end is missing nothing is.
		size := len(bytes.TrimRight(f.content, "\r\n"))
		if bytes.HasSuffix(f.content, []byte("another\n")) {
			continue
		}
		step := 1
		if testing.Short() || size > 500 {
			step = 1 + size/50
		}
		for n := 0; n < size; n += step {
			input := slices.Clone(f.content[:n])
			if k, err := in.Parse(input); err == nil {
				t.Errorf("%s: the first %d of %d bytes are a key: %v", f.name, n, size, k)
			}
			if !wiped(input) {
				t.Fatalf("%s: the first %d of %d bytes were not wiped", f.name, n, size)
			}
		}
	}
}

func TestParseRefusesTrailingBytes(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, f := range files(t) {
		if !strings.HasSuffix(f.name, ", DER") {
			continue
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: append(slices.Clone(f.content), 0)})
		for _, input := range [][]byte{append(slices.Clone(f.content), 0), text} {
			if _, err := in.Parse(input); !errors.Is(err, keys.ErrFormat) {
				t.Errorf("%s: %v", f.name, err)
			}
		}
	}
}

// With one byte changed, a key is an error or, where nothing says which key it
// should be, another key. It never signs wrongly for the key that it says it is.
func TestParseOfChangedKeysNeverMismatches(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, f := range files(t) {
		if !strings.HasSuffix(f.name, ", DER") {
			continue
		}
		step := 1
		if _, ok := f.key.(*rsa.PrivateKey); ok || testing.Short() {
			step = 29
		}
		next := testenv.Sampled(5)
		for i := 0; i < len(f.content); i += step {
			if !next() {
				continue
			}
			input := slices.Clone(f.content)
			input[i] ^= 0x15
			k, err := in.Parse(input)
			if !wiped(input) {
				t.Fatalf("%s: not wiped", f.name)
			}
			if err != nil {
				continue
			}
			if err := signs(k); err != nil {
				t.Errorf("%s: byte %d changed: %v", f.name, i, err)
			}
		}
	}
}

// signs signs with the key, if it can, and verifies the signature.
func signs(k *keys.PrivateKey) error {
	digest := sequence(3, 32)
	switch public := k.Public().(type) {
	case ed25519.PublicKey:
		s, err := k.Sign(nil, digest, crypto.Hash(0))
		if err == nil && !ed25519.Verify(public, digest, s) {
			err = errors.New("a wrong signature")
		}
		return err
	case *ecdsa.PublicKey:
		s, err := k.Sign(nil, digest, crypto.SHA256)
		if err == nil && !ecdsa.VerifyASN1(public, digest, s) {
			err = errors.New("a wrong signature")
		}
		return err
	case *rsa.PublicKey:
		s, err := k.Sign(nil, digest, crypto.SHA256)
		if err == nil {
			err = rsa.VerifyPKCS1v15(public, crypto.SHA256, digest, s)
		}
		return err
	}
	return nil
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	in := in(t)
	p256 := standardKeys()[keys.ECDSAP256].(*ecdsa.PrivateKey)
	ed := standardKeys()[keys.Ed25519].(ed25519.PrivateKey)
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encrypted, err := ssh.MarshalPrivateKeyWithPassphrase(ed, "", []byte("passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	edDER, err := x509.MarshalPKCS8PrivateKey(ed)
	if err != nil {
		t.Fatal(err)
	}
	edText := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: edDER}))
	scalar, err := p256.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	public, err := p256.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	foreign := slices.Clone(public)
	foreign[len(foreign)-1] ^= 1
	order := elliptic.P256().Params().N
	for _, c := range []struct {
		what  string
		input []byte
		want  error
	}{
		{"nothing", nil, keys.ErrFormat},
		{"text", []byte("hunter2"), keys.ErrFormat},
		{"a certificate", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), keys.ErrFormat},
		{"a public key", []byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"), keys.ErrFormat},
		{"a DSA key", []byte("-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n"), keys.ErrUnsupported},
		{"encrypted PKCS #8", []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), keys.ErrEncrypted},
		{"encrypted PEM", []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"), keys.ErrEncrypted},
		{"encrypted PEM with Windows line ends", []byte("-----BEGIN RSA PRIVATE KEY-----\r\nProc-Type: 4,ENCRYPTED\r\nDEK-Info: AES-256-CBC,00\r\n\r\nAAAA\r\n-----END RSA PRIVATE KEY-----\r\n"), keys.ErrEncrypted},
		{"encrypted OpenSSH", pem.EncodeToMemory(encrypted), keys.ErrEncrypted},
		{"encrypted PKCS #8 in DER", sec1(t, asn1.RawValue{FullBytes: []byte{0x30, 0}}, []byte{1}), keys.ErrEncrypted},
		{"P-521", pkcs8(t, p521), keys.ErrUnsupported},
		{"P-224", pkcs8(t, p224), keys.ErrUnsupported},
		{"a curve by its parameters", sec1(t, 1, scalar, asn1.RawValue{FullBytes: []byte{0x30, 0}}), keys.ErrUnsupported},
		{"RSA with an exponent of 3", rsaWithExponent(3), keys.ErrUnsupported},
		{"RSA with an exponent of 33 bits", rsaWithExponent(1<<32 + 1), keys.ErrUnsupported},
		{"RSA with an even exponent", rsaWithExponent(65536), keys.ErrFormat},
		{"RSA with an exponent of 1", rsaWithExponent(1), keys.ErrFormat},
		{"base64 with a stray byte", []byte(strings.Replace(edText, "MC4", "M!C4", 1)), keys.ErrFormat},
		{"base64 with a byte too many", []byte(strings.Replace(edText, "MC4", "MMC4", 1)), keys.ErrFormat},
		{"base64 without padding", []byte(strings.ReplaceAll("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", "=", "")), keys.ErrFormat},
		{"base64 with bits left over", []byte("-----BEGIN PRIVATE KEY-----\nMAB=\n-----END PRIVATE KEY-----\n"), keys.ErrFormat},
		{"another label at the end", []byte(strings.Replace(edText, "END PRIVATE", "END EC PRIVATE", 1)), keys.ErrFormat},
		{"SEC 1 labelled PKCS #8", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: ecKey(t, scalar, public)}), keys.ErrFormat},
		{"a foreign public key", ecKey(t, scalar, foreign), keys.ErrMismatch},
		{"half a public key", ecKey(t, scalar, public[:33]), keys.ErrFormat},
		{"a scalar of zero", ecKey(t, make([]byte, 32), nil), keys.ErrFormat},
		{"a scalar that is the order", ecKey(t, order.FillBytes(make([]byte, 32)), nil), keys.ErrFormat},
		{"a short scalar", ecKey(t, scalar[1:], nil), keys.ErrFormat},
		{"a long scalar", ecKey(t, append([]byte{0}, scalar...), nil), keys.ErrFormat},
		{"a length in more bytes than it takes", append([]byte{0x30, 0x81, edDER[1]}, edDER[2:]...), keys.ErrFormat},
		{"an indefinite length", append(append([]byte{0x30, 0x80}, edDER[2:]...), 0, 0), keys.ErrFormat},
		{"a seed of 31 bytes", edPKCS8(t, make([]byte, 31), 0, nil), keys.ErrFormat},
		{"a foreign Ed25519 public key", edPKCS8(t, ed.Seed(), 1, make([]byte, 32)), keys.ErrMismatch},
		{"a public key in version 0", edPKCS8(t, ed.Seed(), 0, ed[32:]), keys.ErrFormat},
		{"17 KiB", bytes.Repeat([]byte{0x30}, 17<<10), keys.ErrFormat},
	} {
		input := slices.Clone(c.input)
		if k, err := in.Parse(input); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.what, k, err, c.want)
		}
		if !wiped(input) {
			t.Errorf("%s: the input was not wiped", c.what)
		}
	}
	short := append([]byte{2 + public[64]&1}, public[1:33]...)
	if k, err := in.Parse(ecKey(t, scalar, short)); err != nil {
		t.Errorf("a compressed public key: %v, %v", k, err)
	}
	short[0] ^= 1
	if k, err := in.Parse(ecKey(t, scalar, short)); !errors.Is(err, keys.ErrMismatch) {
		t.Errorf("the other point's compressed public key: %v, %v", k, err)
	}
	if k, err := in.Parse(edPKCS8(t, ed.Seed(), 1, ed[32:])); err != nil || !k.Equal(ed) {
		t.Errorf("PKCS #8 with the right public key: %v", err)
	}
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// ecKey is a P-256 key in SEC 1, with a public key unless it is nil.
func ecKey(t *testing.T, scalar, public []byte) []byte {
	t.Helper()
	curve := asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	if public == nil {
		return sec1(t, 1, scalar, struct {
			Curve asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
		}{curve}.Curve)
	}
	return marshal(t, struct {
		Version int
		Scalar  []byte
		Curve   asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
		Public  asn1.BitString        `asn1:"explicit,tag:1"`
	}{1, scalar, curve, asn1.BitString{Bytes: public, BitLength: 8 * len(public)}})
}

// sec1 is a SEQUENCE of the values. The third one, if any, is in an explicit tag 0.
func sec1(t *testing.T, values ...any) []byte {
	t.Helper()
	var content []byte
	for i, v := range values {
		der := marshal(t, v)
		if i == 2 {
			der = marshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 0, IsCompound: true, Bytes: der})
		}
		content = append(content, der...)
	}
	return marshal(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: content})
}

// edPKCS8 is an Ed25519 key in PKCS #8, with a public key unless it is nil.
func edPKCS8(t *testing.T, seed []byte, version int, public []byte) []byte {
	t.Helper()
	content := slices.Concat(
		marshal(t, version),
		marshal(t, struct{ OID asn1.ObjectIdentifier }{asn1.ObjectIdentifier{1, 3, 101, 112}}),
		marshal(t, marshal(t, seed)))
	if public != nil {
		content = append(content, marshal(t, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: 1, Bytes: append([]byte{0}, public...)})...)
	}
	return marshal(t, asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: content})
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// rsaWithExponent is an RSA key with another public exponent.
func rsaWithExponent(e int64) []byte {
	k := standardKeys()[keys.RSA2048].(*rsa.PrivateKey)
	p := k.Precomputed
	der, err := asn1.Marshal(struct {
		Version                     int
		N, E, D, P, Q, DP, DQ, QInv *big.Int
	}{0, k.N, big.NewInt(e), k.D, k.Primes[0], k.Primes[1], p.Dp, p.Dq, p.Qinv})
	if err != nil {
		panic(err)
	}
	return der
}
