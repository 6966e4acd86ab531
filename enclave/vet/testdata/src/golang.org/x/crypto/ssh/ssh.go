// Package ssh has the signatures of the real one.
package ssh

type Signer interface{ PublicKey() any }

func ParsePrivateKey(pemBytes []byte) (Signer, error) { return nil, nil }

func ParseRawPrivateKey(pemBytes []byte) (any, error) { return nil, nil }
