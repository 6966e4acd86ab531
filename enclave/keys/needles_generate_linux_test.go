package keys_test

import (
	"crypto/ed25519"
	"crypto/sha512"
	"testing"

	"filippo.io/edwards25519"

	"github.com/memkeep/memkeep/internal/testenv"
)

// generatedNeedles are those of keys that the child made and told, and a search for
// what they were made of.
func generatedNeedles(t *testing.T, name string, told [][]byte) (list []needle, search func(*testenv.Memory) int) {
	t.Helper()
	if len(told) == 0 {
		t.Fatalf("%s: no keys", name)
	}
	prefixes := make(map[[32]byte]bool)
	for _, secret := range told {
		for i := range secret {
			secret[i] = ^secret[i]
		}
		switch {
		case name == "RSA 2048 generate":
			for i, what := range []string{"p", "q", "dP", "dQ", "qInv"} {
				list = append(list, number(what, secret[i*128:(i+1)*128])...)
			}
		case name == "ECDSA P-256 generate":
			list = append(list, number("scalar", secret)...)
		case len(secret) == 32: // the standard library's seed
			list = append(list, ed25519Needles(t, secret)...)
			sum := sha512.Sum512(secret)
			prefixes[[32]byte(sum[32:])] = true
		default:
			scalar, err := new(edwards25519.Scalar).SetCanonicalBytes(secret[:32])
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, needle{"scalar", secret[:32]}, needle{"prefix", secret[32:64]},
				needle{"scalar, as Go holds it", montgomery25519(t, scalar)}, needle{"scalar, as digits", radix16(scalar)},
				needle{"prefix, hash state", words64(secret[32:64])})
			prefixes[[32]byte(secret[32:64])] = true
		}
	}
	if len(prefixes) == 0 || testing.Short() {
		return list, func(*testenv.Memory) int { return 0 }
	}
	// Each aligned piece of memory may be a seed, as an attacker can try.
	return list, func(memory *testenv.Memory) (found int) {
		for piece := range memory.Aligned(ed25519.SeedSize) {
			if sum := sha512.Sum512(piece); prefixes[[32]byte(sum[32:])] {
				found++
			}
		}
		return found
	}
}
