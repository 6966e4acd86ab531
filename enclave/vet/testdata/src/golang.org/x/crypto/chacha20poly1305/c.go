// Package chacha20poly1305 has the signatures of the real one.
package chacha20poly1305

import "crypto/cipher"

func New(key []byte) (cipher.AEAD, error) { return nil, nil }

func NewX(key []byte) (cipher.AEAD, error) { return nil, nil }
