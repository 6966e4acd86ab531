// Package curve25519 has the signatures of the real one.
package curve25519

func X25519(scalar, point []byte) ([]byte, error) { return nil, nil }
