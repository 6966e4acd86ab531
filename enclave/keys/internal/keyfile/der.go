package keyfile

import (
	"bytes"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	der "golang.org/x/crypto/cryptobyte/asn1"
)

// A Type is the kind of key that was read.
type Type int

// The types of keys.
const (
	Ed25519 Type = 1 + iota
	X25519
	P256
	P384
	RSA
)

// A Key is what was read. All its parts lie in what was given to Parse.
type Key struct {
	Type   Type
	Secret []byte // the seed of Ed25519, the scalar of X25519 and of the curves, which OpenSSH writes without leading zeros
	Public []byte // what the key came with: 32 bytes, or a point; nil for none

	// RSA's integers, big-endian, without leading zeros. OpenSSH's format
	// has no DP and DQ.
	N, E, D, P, Q, DP, DQ, QInv []byte
}

// Object identifiers, encoded as they stand in a file: to decode those of a damaged file
// could put parts of its key on the heap.
const (
	oidRSA     = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" // 1.2.840.113549.1.1.1
	oidEC      = "\x2a\x86\x48\xce\x3d\x02\x01"         // 1.2.840.10045.2.1
	oidP256    = "\x2a\x86\x48\xce\x3d\x03\x01\x07"     // 1.2.840.10045.3.1.7
	oidP384    = "\x2b\x81\x04\x00\x22"                 // 1.3.132.0.34
	oidX25519  = "\x2b\x65\x6e"                         // 1.3.101.110
	oidEd25519 = "\x2b\x65\x70"                         // 1.3.101.112
)

// others are what keys are found to be of that this package can't read.
var others = map[string]string{
	"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a": "RSASSA-PSS",      // 1.2.840.113549.1.1.10
	"\x2a\x86\x48\xce\x38\x04\x01":         "DSA",             // 1.2.840.10040.4.1
	"\x2b\x65\x6f":                         "X448",            // 1.3.101.111
	"\x2b\x65\x71":                         "Ed448",           // 1.3.101.113
	"\x2b\x81\x04\x00\x21":                 "P-224",           // 1.3.132.0.33
	"\x2b\x81\x04\x00\x23":                 "P-521",           // 1.3.132.0.35
	"\x2b\x81\x04\x00\x0a":                 "secp256k1",       // 1.3.132.0.10
	"\x2b\x24\x03\x03\x02\x08\x01\x01\x07": "brainpoolP256r1", // 1.3.36.3.3.2.8.1.1.7
}

// other is the error of a key of another algorithm, or on another curve.
func other(oid []byte) error {
	name, ok := others[string(oid)]
	if !ok {
		name = "unknown algorithm or curve"
	}
	return fmt.Errorf("%w: %s", ErrUnsupported, name)
}

// Parse reads the key that data is, to the last byte.
func Parse(format Format, data []byte) (Key, error) {
	switch format {
	case PKCS8:
		return parsePKCS8(data)
	case SEC1:
		return parseSEC1(data, nil)
	case PKCS1:
		return parsePKCS1(data)
	case OpenSSH:
		return parseOpenSSH(data)
	}
	return parseAny(data)
}

// parseAny tells the formats apart by what follows the version.
func parseAny(data []byte) (Key, error) {
	input := cryptobyte.String(data)
	var seq cryptobyte.String
	var version byte
	if !input.ReadASN1(&seq, der.SEQUENCE) || !input.Empty() {
		return Key{}, malformed("DER")
	}
	if seq.PeekASN1Tag(der.SEQUENCE) {
		return Key{}, ErrEncrypted // EncryptedPrivateKeyInfo begins with an algorithm
	}
	if !readVersion(&seq, &version) {
		return Key{}, malformed("DER")
	}
	switch {
	case seq.PeekASN1Tag(der.SEQUENCE):
		return parsePKCS8(data)
	case seq.PeekASN1Tag(der.OCTET_STRING):
		return parseSEC1(data, nil)
	}
	return parsePKCS1(data)
}

// parsePKCS8 reads RFC 5958's OneAsymmetricKey.
func parsePKCS8(data []byte) (Key, error) {
	input := cryptobyte.String(data)
	var seq, algorithm, private, public cryptobyte.String
	var oid cryptobyte.String
	var version byte
	var hasPublic bool
	publicTag := der.Tag(1).ContextSpecific()
	if !input.ReadASN1(&seq, der.SEQUENCE) || !input.Empty() ||
		!readVersion(&seq, &version) || version > 1 ||
		!seq.ReadASN1(&algorithm, der.SEQUENCE) ||
		!algorithm.ReadASN1(&oid, der.OBJECT_IDENTIFIER) ||
		!seq.ReadASN1(&private, der.OCTET_STRING) ||
		!seq.SkipOptionalASN1(der.Tag(0).ContextSpecific().Constructed()) ||
		!seq.ReadOptionalASN1(&public, &hasPublic, publicTag) || !seq.Empty() ||
		hasPublic && version == 0 {
		return Key{}, malformed("PKCS #8")
	}
	k, err := parsePrivate(oid, algorithm, private)
	if err != nil || !hasPublic {
		return k, err
	}
	// An implicitly tagged BIT STRING begins with how many bits are unused.
	if len(public) < 2 || public[0] != 0 || k.Type == RSA {
		return Key{}, malformed("PKCS #8's public key")
	}
	if k.Public != nil && string(k.Public) != string(public[1:]) {
		return Key{}, malformed("PKCS #8: two public keys")
	}
	k.Public = public[1:]
	return k, k.check()
}

// parsePrivate reads the private key of an algorithm and its parameters.
func parsePrivate(oid, parameters, private cryptobyte.String) (Key, error) {
	switch string(oid) {
	case oidRSA:
		var null cryptobyte.String
		if !parameters.ReadASN1(&null, der.NULL) || !null.Empty() || !parameters.Empty() {
			return Key{}, malformed("parameters")
		}
		return parsePKCS1(private)
	case oidEC:
		var curve cryptobyte.String
		if parameters.PeekASN1Tag(der.SEQUENCE) {
			return Key{}, errExplicit
		}
		if !parameters.ReadASN1(&curve, der.OBJECT_IDENTIFIER) || !parameters.Empty() {
			return Key{}, malformed("parameters: no named curve")
		}
		return parseSEC1(private, curve)
	case oidEd25519, oidX25519:
		var secret cryptobyte.String
		if !parameters.Empty() || !private.ReadASN1(&secret, der.OCTET_STRING) || !private.Empty() {
			return Key{}, malformed("private key")
		}
		k := Key{Type: Ed25519, Secret: secret}
		if string(oid) == oidX25519 {
			k.Type = X25519
		}
		return k, k.check()
	}
	return Key{}, other(oid)
}

// errExplicit is the error of a key that spells its curve out, as RFC 5480 forbids:
// it may be any curve.
var errExplicit = fmt.Errorf("%w: a curve by its parameters; name it, with openssl ec -param_enc named_curve", ErrUnsupported)

// parseSEC1 reads RFC 5915's ECPrivateKey. If the curve is nil it must name one.
func parseSEC1(data []byte, curve cryptobyte.String) (Key, error) {
	input := cryptobyte.String(data)
	var seq, secret, parameters, public cryptobyte.String
	var version byte
	var hasCurve, hasPublic bool
	if !input.ReadASN1(&seq, der.SEQUENCE) || !input.Empty() ||
		!readVersion(&seq, &version) || version != 1 ||
		!seq.ReadASN1(&secret, der.OCTET_STRING) ||
		!seq.ReadOptionalASN1(&parameters, &hasCurve, der.Tag(0).ContextSpecific().Constructed()) ||
		!seq.ReadOptionalASN1(&public, &hasPublic, der.Tag(1).ContextSpecific().Constructed()) ||
		!seq.Empty() {
		return Key{}, malformed("SEC 1")
	}
	if hasCurve {
		var named cryptobyte.String
		if parameters.PeekASN1Tag(der.SEQUENCE) {
			return Key{}, errExplicit
		}
		if !parameters.ReadASN1(&named, der.OBJECT_IDENTIFIER) || !parameters.Empty() || curve != nil && !bytes.Equal(curve, named) {
			return Key{}, malformed("SEC 1: the curve")
		}
		curve = named
	}
	if curve == nil {
		return Key{}, malformed("SEC 1: no curve")
	}
	k := Key{Secret: secret}
	switch string(curve) {
	case oidP256:
		k.Type = P256
	case oidP384:
		k.Type = P384
	default:
		return Key{}, other(curve)
	}
	if hasPublic {
		var point []byte
		if !public.ReadASN1BitStringAsBytes(&point) || !public.Empty() {
			return Key{}, malformed("SEC 1: the public key")
		}
		k.Public = point
	}
	return k, k.check()
}

// parsePKCS1 reads RFC 8017's RSAPrivateKey of two primes.
func parsePKCS1(data []byte) (Key, error) {
	input := cryptobyte.String(data)
	var seq cryptobyte.String
	var version byte
	k := Key{Type: RSA}
	if !input.ReadASN1(&seq, der.SEQUENCE) || !input.Empty() || !readVersion(&seq, &version) {
		return Key{}, malformed("PKCS #1")
	}
	if version == 1 {
		return Key{}, fmt.Errorf("%w: an RSA key of more than two primes", ErrUnsupported)
	}
	for _, part := range []*[]byte{&k.N, &k.E, &k.D, &k.P, &k.Q, &k.DP, &k.DQ, &k.QInv} {
		var number cryptobyte.String
		if !seq.ReadASN1(&number, der.INTEGER) || !positive(number, part) {
			return Key{}, malformed("PKCS #1: an integer")
		}
	}
	if version != 0 || !seq.Empty() {
		return Key{}, malformed("PKCS #1")
	}
	return k, nil
}

// readVersion reads the version of a format. cryptobyte's integers go through the heap.
func readVersion(s *cryptobyte.String, version *byte) bool {
	var number cryptobyte.String
	if !s.ReadASN1(&number, der.INTEGER) || len(number) != 1 || number[0] >= 0x80 {
		return false
	}
	*version = number[0]
	return true
}

// positive sets part to a positive two's complement number in the fewest bytes,
// without its leading zero.
func positive(number []byte, part *[]byte) bool {
	if len(number) == 0 || number[0] >= 0x80 {
		return false
	}
	if number[0] == 0 {
		number = number[1:]
		if len(number) == 0 || number[0] < 0x80 {
			return false
		}
	}
	*part = number
	return true
}

// check returns an error if a part has the wrong length.
func (k *Key) check() error {
	size, public := 32, 32
	compressed := false
	switch k.Type {
	case P384:
		size = 48
		fallthrough
	case P256:
		public = 1 + 2*size
		compressed = len(k.Public) == 1+size && (k.Public[0] == 2 || k.Public[0] == 3)
	}
	if len(k.Secret) != size || k.Public != nil && len(k.Public) != public && !compressed {
		return malformed("a part of the wrong length")
	}
	return nil
}

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrFormat, what) }
