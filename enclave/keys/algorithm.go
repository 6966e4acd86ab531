package keys

import (
	"fmt"
)

// An Algorithm says what kind a private key is. The zero value is no algorithm.
type Algorithm uint8

// The algorithms of private keys.
const (
	Ed25519   Algorithm = 1 + iota // signs
	X25519                         // agrees on secrets
	ECDSAP256                      // signs, and agrees on secrets
	ECDSAP384                      // signs
	RSA2048                        // signs and decrypts
	RSA3072                        // signs and decrypts
	RSA4096                        // signs and decrypts
)

var algorithmNames = [...]string{
	Ed25519:   "Ed25519",
	X25519:    "X25519",
	ECDSAP256: "ECDSA P-256",
	ECDSAP384: "ECDSA P-384",
	RSA2048:   "RSA 2048",
	RSA3072:   "RSA 3072",
	RSA4096:   "RSA 4096",
}

// String returns the algorithm's name, such as "ECDSA P-256".
func (a Algorithm) String() string {
	if int(a) < len(algorithmNames) && a != 0 {
		return algorithmNames[a]
	}
	return fmt.Sprintf("Algorithm(%d)", uint8(a))
}

// MarshalText returns the algorithm's name.
func (a Algorithm) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// Bits returns the size of the algorithm's keys in bits, as certificates and
// ssh-keygen count it.
func (a Algorithm) Bits() int {
	switch a {
	case Ed25519, X25519, ECDSAP256:
		return 256
	case ECDSAP384:
		return 384
	case RSA2048:
		return 2048
	case RSA3072:
		return 3072
	case RSA4096:
		return 4096
	}
	return 0
}

// isRSA reports whether the keys are RSA keys.
func (a Algorithm) isRSA() bool { return a >= RSA2048 && a <= RSA4096 }
