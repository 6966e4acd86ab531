package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/enclave/keys"
)

func TestEd25519SignsAsTheStandardLibraryDoes(t *testing.T) {
	t.Parallel()
	in := in(t)
	for i, size := range messageSizes() {
		private := ed25519.NewKeyFromSeed(sequence(uint64(i), ed25519.SeedSize))
		message := sequence(uint64(i)+1000, size)
		seed := slices.Clone(private.Seed())
		k, err := in.ParseSeed(seed)
		if err != nil {
			t.Fatal(err)
		}
		if !wiped(seed) {
			t.Fatal("ParseSeed left the seed")
		}
		if !private.Public().(ed25519.PublicKey).Equal(k.Public()) {
			t.Fatalf("the public key of key %d differs", i)
		}
		digest := sha512.Sum512(message)
		for _, c := range []struct {
			message []byte
			opts    crypto.SignerOpts
		}{
			{message, crypto.Hash(0)},
			{message, &ed25519.Options{}},
			{message, &ed25519.Options{Context: strings.Repeat("c", i%256)}},
			{digest[:], crypto.SHA512},
			{digest[:], &ed25519.Options{Hash: crypto.SHA512, Context: strings.Repeat("c", i%256)}},
		} {
			want, err := private.Sign(nil, c.message, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			got, err := k.Sign(nil, c.message, c.opts)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Fatalf("a message of %d bytes, %#v: signature %x, want %x", size, c.opts, got, want)
			}
		}
		got, err := k.SignMessage(nil, message, crypto.SHA512)
		want, _ := private.Sign(nil, digest[:], crypto.SHA512)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("SignMessage with SHA-512: %x, %v, want %x", got, err, want)
		}
	}
}

func TestEd25519RefusesWhatTheStandardLibraryRefuses(t *testing.T) {
	t.Parallel()
	k, err := in(t).ParseSeed(sequence(1, ed25519.SeedSize))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what   string
		digest []byte
		opts   crypto.SignerOpts
	}{
		{"SHA-256", make([]byte, 32), crypto.SHA256},
		{"SHA-512 of the wrong length", make([]byte, 32), crypto.SHA512},
		{"a long context", nil, &ed25519.Options{Context: strings.Repeat("c", 256)}},
	} {
		if s, err := k.Sign(nil, c.digest, c.opts); err == nil {
			t.Errorf("%s: signed: %x", c.what, s)
		}
	}
}

// RFC 8032, section 7.1, tests 1 to 3 and the one of SHA(abc), and 7.3.
func TestEd25519VectorsOfRFC8032(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, c := range []struct{ seed, public, message, signature string }{
		{
			"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
			"",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
		}, {
			"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
			"72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		}, {
			"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
			"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
			"af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
		}, {
			"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
			"ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
			"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
			"dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
		},
	} {
		k, err := in.ParseSeed(unhex(t, c.seed))
		if err != nil {
			t.Fatal(err)
		}
		if got := k.Public().(ed25519.PublicKey); !bytes.Equal(got, unhex(t, c.public)) {
			t.Errorf("public key %x, want %s", got, c.public)
		}
		got, err := k.Sign(nil, unhex(t, c.message), crypto.Hash(0))
		if err != nil || !bytes.Equal(got, unhex(t, c.signature)) {
			t.Errorf("signature %x, %v, want %s", got, err, c.signature)
		}
	}

	k, err := in.ParseSeed(unhex(t, "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42"))
	if err != nil {
		t.Fatal(err)
	}
	want := "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
	if got, err := k.SignMessage(nil, []byte("abc"), crypto.SHA512); err != nil || !bytes.Equal(got, unhex(t, want)) {
		t.Errorf("Ed25519ph: %x, %v, want %s", got, err, want)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSeedOfWrongLengthIsRefusedAndWiped(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, size := range []int{0, 31, 33, 64} {
		seed := sequence(1, size)
		if _, err := in.ParseSeed(seed); !errors.Is(err, keys.ErrFormat) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if !wiped(seed) {
			t.Errorf("%d bytes were not wiped", size)
		}
	}
}
