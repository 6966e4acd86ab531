// Package jwt has the signatures of the real one.
package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
)

type Token struct{}

func (t *Token) SignedString(key any) (string, error) { return "", nil }

func ParseRSAPrivateKeyFromPEM(key []byte) (*rsa.PrivateKey, error) { return nil, nil }

func ParseECPrivateKeyFromPEM(key []byte) (*ecdsa.PrivateKey, error) { return nil, nil }

func ParseEdPrivateKeyFromPEM(key []byte) (crypto.PrivateKey, error) { return nil, nil }
