package tracetest

import (
	"crypto"
	"crypto/rsa"
	"fmt"
	"math/big"
	"slices"
)

// A Needle is what a scan of memory looks for.
type Needle struct {
	What  string
	Bytes []byte
}

// Number returns the forms that a number below a modulus takes in memory, with
// the given size in bytes: big-endian, in limbs, and in limbs times R, which is
// bigmod's and nistec's Montgomery form. The limbs are little-endian.
func Number(what string, x, modulus *big.Int, size int) []Needle {
	montgomery := new(big.Int).Lsh(x, uint(8*size))
	montgomery.Mod(montgomery, modulus)
	return []Needle{
		{what, x.FillBytes(make([]byte, size))},
		{what + ", limbs", limbs(x, size)},
		{what + ", Montgomery form", limbs(montgomery, size)},
	}
}

func limbs(x *big.Int, size int) []byte {
	b := x.FillBytes(make([]byte, size))
	slices.Reverse(b)
	return b
}

// RSA returns the forms of a private key's numbers, and those of the numbers
// between its PKCS #1 v1.5 signature of a digest and the key: the input and the
// result modulo each prime, the input's powers, of which exponentiation makes a
// table, and what the halves are put together with. Each of them gives a prime
// away to who knows the signature.
func RSA(key *rsa.PrivateKey, hash crypto.Hash, digest []byte) ([]Needle, error) {
	signature, err := rsa.SignPKCS1v15(nil, key, hash, digest)
	if err != nil {
		return nil, err
	}
	size := key.Size() / 2
	output := new(big.Int).SetBytes(signature)
	input := new(big.Int).Exp(output, big.NewInt(int64(key.E)), key.N)
	list := []Needle{{"d", key.D.FillBytes(make([]byte, 2*size))}, {"d, limbs", limbs(key.D, 2*size)}}
	p, q := key.Primes[0], key.Primes[1]
	for name, prime := range map[string]*big.Int{"p": p, "q": q} {
		number := func(what string, x *big.Int) {
			list = append(list, Number(what+" mod "+name, new(big.Int).Mod(x, prime), prime, size)...)
		}
		list = append(list, Needle{name, prime.FillBytes(make([]byte, size))}, Needle{name + ", limbs", limbs(prime, size)})
		exponent := new(big.Int).Mod(key.D, new(big.Int).Sub(prime, big.NewInt(1)))
		list = append(list, Number("d"+name, exponent, prime, size)...)
		number("R", new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
		number("signature", output)
		power := big.NewInt(1)
		for i := 1; i < 16; i++ {
			power = new(big.Int).Mul(power, input)
			power.Mod(power, prime)
			number(fmt.Sprintf("input to the power of %d", i), power)
		}
	}
	list = append(list, Number("qInv", new(big.Int).ModInverse(q, p), p, size)...)
	return append(list, Number("signature divided by q", new(big.Int).Div(output, q), p, size)...), nil
}
