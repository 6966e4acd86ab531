package keys_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"encoding/pem"
	"math/big"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"
)

// refusedNeedles are those of keys that come as damaged files.
func refusedNeedles(t *testing.T, name string) (secret []byte, list []needle) {
	t.Helper()
	var files []refusedFile
	if name == "RSA refused" {
		files, list = refusedRSA(t)
	} else {
		files, list = refusedEC(t)
		edFiles, edList := refusedEd25519(t)
		files, list = append(files, edFiles...), append(list, edList...)
	}
	for _, f := range files {
		secret = f.append(secret)
		if f.want == foreign {
			// The first line of base64 is nearly the same in all keys.
			lines := bytes.SplitAfterN(f.content, []byte("\n"), 3)
			text, _, _ := bytes.Cut(lines[2], []byte("\n-----END"))
			list = append(list, needle{what: "base64", bytes: text})
		}
	}
	return secret, list
}

// refusedEC are files of a P-256 key, in the order in which they are found out.
func refusedEC(t *testing.T) ([]refusedFile, []needle) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := k.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	scalar := scalarOf(t, k)
	der := pkcs8(t, k)
	text := pemOf("PRIVATE KEY", der)
	atLast := bytes.Index(text, []byte("\n-----END")) - 4
	tooLarge := append(bytes.Repeat([]byte{0xff}, 8), scalar[8:]...)
	return []refusedFile{
		{malformed, text[:atLast]},
		{malformed, der[1:]},
		{encrypted, bytes.Replace(text, []byte("-----\n"), []byte("-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n"), 1)},
		{unsupported, bytes.ReplaceAll(text, []byte("PRIVATE"), []byte("DSA PRIVATE"))},
		{malformed, replaceAt(text, atLast, '!')},
		{malformed, text[:len(text)-2]},
		{malformed, der[:len(der)-1]},
		{malformed, append(slices.Clone(der), 0)},
		{unsupported, replaced(t, der, []byte{42, 134, 72, 206, 61, 2, 1}, []byte{42, 134, 72, 206, 61, 2, 2})},
		{malformed, bytes.ReplaceAll(text, []byte("PRIVATE"), []byte("EC PRIVATE"))},
		{unsupported, replaced(t, der, []byte{42, 134, 72, 206, 61, 3, 1, 7}, []byte{42, 134, 72, 206, 61, 3, 1, 1})},
		{malformed, ecKey(t, scalar[1:], nil)},
		{malformed, ecKey(t, scalar, public[:33])},
		{malformed, ecKey(t, tooLarge, nil)},
		{mismatched, replaced(t, der, public, replaceAt(public, 64, public[64]^1))},
		{foreign, text},
	}, number("scalar", scalar)
}

// refusedEd25519 are files of an Ed25519 key.
func refusedEd25519(t *testing.T) ([]refusedFile, []needle) {
	t.Helper()
	seed := randomBytes(t, ed25519.SeedSize)
	seed[0] |= 0x80 // it is no SEQUENCE
	k := ed25519.NewKeyFromSeed(seed)
	public := k[ed25519.SeedSize:]
	foreignPublic := replaceAt(public, 0, public[0]^1)
	block, err := ssh.MarshalPrivateKey(k, "a comment")
	if err != nil {
		t.Fatal(err)
	}
	file := block.Bytes
	atPublic := bytes.Index(file, public)
	return []refusedFile{
		{malformed, seed[:31]},
		{malformed, edPKCS8(t, seed, 0, public)},
		{mismatched, edPKCS8(t, seed, 1, foreignPublic)},
		{malformed, file[:len(file)-8]},
		{malformed, pemOf(block.Type, replaceAt(file, len(file)-1, 0xff))},
		{malformed, replaceAt(file, atPublic, public[0]^1)},
		{unsupported, bytes.ReplaceAll(file, []byte("ssh-ed25519"), []byte("ssh-ed25520"))},
		{unsupported, longerType(file, seed)},
		{mismatched, pemOf(block.Type, bytes.ReplaceAll(file, public, foreignPublic))},
		{foreign, pemOf(block.Type, file)},
	}, ed25519Needles(t, seed)
}

// longerType returns the file with the type of the private key that reaches up to the
// end of the seed.
func longerType(file, seed []byte) []byte {
	name := []byte("ssh-ed25519")
	size := bytes.LastIndex(file, name) - 4
	file = slices.Clone(file)
	binary.BigEndian.PutUint32(file[size:], uint32(bytes.Index(file, seed)+len(seed)-size-4))
	return file
}

// refusedRSA are files of an RSA key, in the order in which they are found out.
func refusedRSA(t *testing.T) ([]refusedFile, []needle) {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	type pkcs1 struct {
		Version                     int
		N, E, D, P, Q, DP, DQ, QInv *big.Int
	}
	p := k.Precomputed
	sound := pkcs1{0, k.N, big.NewInt(int64(k.E)), k.D, k.Primes[0], k.Primes[1], p.Dp, p.Dq, p.Qinv}
	damaged := func(damage func(*pkcs1)) []byte {
		key := sound
		damage(&key)
		return marshal(t, key)
	}
	more := func(n *big.Int, by int64) *big.Int { return new(big.Int).Add(n, big.NewInt(by)) }
	der := marshal(t, sound)
	text := pemOf("RSA PRIVATE KEY", der)
	files := []refusedFile{
		{malformed, replaceAt(text, bytes.Index(text, []byte("\n-----END"))-4, '!')},
		{malformed, der[:len(der)-1]},
		{malformed, append(slices.Clone(der), 0)},
		{unsupported, damaged(func(k *pkcs1) { k.Version = 1 })},
		{malformed, damaged(func(k *pkcs1) { k.QInv = new(big.Int).Neg(k.QInv) })},
		{unsupported, damaged(func(k *pkcs1) { k.N = new(big.Int).Rsh(k.N, 8) })},
		{unsupported, damaged(func(k *pkcs1) { k.E = big.NewInt(3) })},
		{malformed, damaged(func(k *pkcs1) { k.Q = more(k.Q, 1) })},
		{malformed, damaged(func(k *pkcs1) { k.P = more(k.P, -2) })}, // no factor
		{malformed, damaged(func(k *pkcs1) { k.D = more(k.D, -2) })},
		{malformed, damaged(func(k *pkcs1) { k.DP = more(k.DP, -2) })},
		{malformed, damaged(func(k *pkcs1) { k.QInv = more(k.QInv, -1) })},
		{foreign, text},
	}
	var list []needle
	for what, n := range map[string]*big.Int{"d": k.D, "p": sound.P, "q": sound.Q, "dP": p.Dp, "dQ": p.Dq, "qInv": p.Qinv} {
		list = append(list, number(what, n.Bytes())...)
	}
	return files, list
}

func pemOf(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// replaceAt returns b with another byte in one place.
func replaceAt(b []byte, at int, by byte) []byte {
	b = slices.Clone(b)
	b[at] = by
	return b
}

// replaced returns b with one part replaced.
func replaced(t *testing.T, b, part, by []byte) []byte {
	t.Helper()
	if bytes.Count(b, part) != 1 {
		t.Fatalf("%x is not once in the key", part)
	}
	return bytes.Replace(b, part, by, 1)
}
