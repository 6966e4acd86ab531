// Package jwt shows how golang-jwt and go-jose sign with keys of package keys. It is
// to be copied: so neither library is a requirement of the keys.
package jwt

import (
	"crypto"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/memkeep/memkeep/enclave/keys"
)

// A Method is a golang-jwt SigningMethod that takes a *keys.PrivateKey, or for HS256
// and its like a *keys.MAC. golang-jwt's own take neither.
//
//	token := jwt.NewWithClaims(memkeepjwt.ES256, claims)
//	text, err := token.SignedString(key)
//
// Public keys verify with golang-jwt's own methods of the same name.
type Method struct{ jwt.SigningMethod }

// The methods there are.
var (
	EdDSA = Method{jwt.SigningMethodEdDSA}
	ES256 = Method{jwt.SigningMethodES256}
	ES384 = Method{jwt.SigningMethodES384}
	RS256 = Method{jwt.SigningMethodRS256}
	RS384 = Method{jwt.SigningMethodRS384}
	RS512 = Method{jwt.SigningMethodRS512}
	PS256 = Method{jwt.SigningMethodPS256}
	PS384 = Method{jwt.SigningMethodPS384}
	PS512 = Method{jwt.SigningMethodPS512}
	HS256 = Method{jwt.SigningMethodHS256}
	HS384 = Method{jwt.SigningMethodHS384}
	HS512 = Method{jwt.SigningMethodHS512}
)

// Sign signs with a *keys.PrivateKey or *keys.MAC.
func (m Method) Sign(text string, key any) ([]byte, error) {
	switch k := key.(type) {
	case *keys.PrivateKey:
		return sign(k, m.Alg(), []byte(text))
	case *keys.MAC:
		if m.Alg() != macName(k) {
			return nil, fmt.Errorf("%w: %v does not make %s", jwt.ErrInvalidKeyType, k, m.Alg())
		}
		return k.Sum([]byte(text))
	}
	return nil, jwt.ErrInvalidKeyType
}

// Verify verifies with a *keys.MAC, or a public key.
func (m Method) Verify(text string, signature []byte, key any) error {
	k, ok := key.(*keys.MAC)
	if !ok {
		return m.SigningMethod.Verify(text, signature, key)
	}
	if m.Alg() != macName(k) {
		return jwt.ErrInvalidKeyType
	}
	if err := k.Verify([]byte(text), signature); err != nil {
		return errors.Join(jwt.ErrSignatureInvalid, err)
	}
	return nil
}

// macName returns the algorithm of a MAC: its size tells.
func macName(k *keys.MAC) string { return fmt.Sprintf("HS%d", 8*k.Size()) }

// sign signs as JSON Web Algorithms have it (RFC 7518, RFC 8037).
func sign(k *keys.PrivateKey, alg string, message []byte) ([]byte, error) {
	hashes := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512, "DSA": 0}
	hash, ok := hashes[alg[2:]]
	if !ok || !fits(k.Algorithm(), alg) {
		return nil, fmt.Errorf("%w: an %v key does not make %s", jwt.ErrInvalidKeyType, k.Algorithm(), alg)
	}
	var opts crypto.SignerOpts = hash
	if alg[:2] == "PS" {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
	}
	signature, err := k.SignMessage(nil, message, opts)
	if err != nil || alg[:2] != "ES" {
		return signature, err
	}
	// From ASN.1 to two numbers of full length.
	var s struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(signature, &s); err != nil {
		return nil, err
	}
	size := k.Algorithm().Bits() / 8
	out := make([]byte, 2*size)
	s.R.FillBytes(out[:size])
	s.S.FillBytes(out[size:])
	return out, nil
}

// fits reports whether a key of the algorithm makes signatures of that name.
func fits(a keys.Algorithm, alg string) bool {
	switch a {
	case keys.Ed25519:
		return alg == "EdDSA"
	case keys.ECDSAP256:
		return alg == "ES256"
	case keys.ECDSAP384:
		return alg == "ES384"
	case keys.RSA2048, keys.RSA3072, keys.RSA4096:
		return alg[:2] == "RS" || alg[:2] == "PS"
	}
	return false
}

// Opaque is a key as go-jose's OpaqueSigner.
type Opaque struct{ Key *keys.PrivateKey }

// Public returns the public key.
func (o Opaque) Public() *jose.JSONWebKey {
	return &jose.JSONWebKey{Key: o.Key.Public(), KeyID: o.Key.Fingerprint()}
}

// Algs returns what the key signs.
func (o Opaque) Algs() []jose.SignatureAlgorithm {
	var algs []jose.SignatureAlgorithm
	for _, alg := range []jose.SignatureAlgorithm{
		jose.EdDSA, jose.ES256, jose.ES384, jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	} {
		if fits(o.Key.Algorithm(), string(alg)) {
			algs = append(algs, alg)
		}
	}
	return algs
}

// SignPayload signs.
func (o Opaque) SignPayload(payload []byte, alg jose.SignatureAlgorithm) ([]byte, error) {
	return sign(o.Key, string(alg), payload)
}

var (
	_ jwt.SigningMethod = Method{}
	_ jose.OpaqueSigner = Opaque{}
)
