package keys_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/hmac"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/internal/testenv"
)

var macHashes = []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA384, crypto.SHA512}

func TestHMACIsTheStandardLibrarys(t *testing.T) {
	t.Parallel()
	in := in(t)
	next := testenv.Sampled(5)
	for _, hash := range macHashes {
		for i, size := range messageSizes() {
			if !next() {
				continue
			}
			raw := sequence(uint64(i), 1+i)
			message := sequence(uint64(i)+1000, size)
			h := hmac.New(hash.New, raw)
			h.Write(message)
			want := h.Sum(nil)

			key := slices.Clone(raw)
			m, err := in.NewMAC(hash, key)
			if err != nil {
				t.Fatal(err)
			}
			if !wiped(key) {
				t.Fatal("NewMAC left the key")
			}
			if m.Size() != len(want) {
				t.Fatalf("Size is %d, want %d", m.Size(), len(want))
			}
			if got, err := m.Sum(message); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%v, a key of %d bytes, a message of %d: %x, %v, want %x", hash, len(raw), size, got, err, want)
			}
			if got, err := m.AppendSum([]byte("prefix"), message); err != nil || string(got) != "prefix"+string(want) {
				t.Fatalf("AppendSum: %x, %v", got, err)
			}
			checkVerify(t, m, message, want)
		}
	}
}

// checkVerify verifies a tag, and that its variations are not the message's.
func checkVerify(t *testing.T, m *keys.MAC, message, tag []byte) {
	t.Helper()
	if err := m.Verify(message, tag); err != nil {
		t.Fatalf("the right tag: %v", err)
	}
	changed := slices.Clone(tag)
	changed[len(changed)/2] ^= 1
	for what, wrong := range map[string][]byte{
		"one bit changed": changed,
		"one byte short":  tag[1:],
		"truncated":       tag[:len(tag)-1],
		"one byte long":   append(slices.Clone(tag), 0),
		"none":            nil,
	} {
		if err := m.Verify(message, wrong); !errors.Is(err, keys.ErrAuthentication) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if err := m.Verify(append(slices.Clone(message), 0), tag); !errors.Is(err, keys.ErrAuthentication) {
		t.Fatalf("another message: %v", err)
	}
}

// RFC 4231, section 4, but for the truncated one, and RFC 2202's first with SHA-1.
func TestHMACVectorsOfRFC4231(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, c := range hmacVectors {
		for hash, want := range map[crypto.Hash]string{crypto.SHA1: c.sha1, crypto.SHA256: c.sha256, crypto.SHA384: c.sha384, crypto.SHA512: c.sha512} {
			if want == "" {
				continue
			}
			m, err := in.NewMAC(hash, slices.Clone(c.key))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := m.Sum([]byte(c.data)); err != nil || fmt.Sprintf("%x", got) != want {
				t.Errorf("%v of %q: %x, %v, want %s", hash, c.data, got, err, want)
			}
		}
	}
}

var hmacVectors = []struct {
	key                          []byte
	data                         string
	sha1, sha256, sha384, sha512 string
}{
	{
		bytes.Repeat([]byte{0x0b}, 20), "Hi There",
		"b617318655057264e28bc0b6fb378c8ef146be00",
		"b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
		"afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
		"87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
	}, {
		[]byte("Jefe"), "what do ya want for nothing?",
		"effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
		"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
		"af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
		"164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
	}, {
		bytes.Repeat([]byte{0xaa}, 20), string(bytes.Repeat([]byte{0xdd}, 50)),
		"",
		"773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
		"88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27",
		"fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb",
	}, {
		bytes.Repeat([]byte{0xaa}, 131), "Test Using Larger Than Block-Size Key - Hash Key First",
		"",
		"60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
		"4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
		"80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
	},
}

func TestGeneratedMACsWork(t *testing.T) {
	t.Parallel()
	in := in(t)
	message := []byte("message")
	for _, hash := range macHashes {
		m, err := in.GenerateMAC(t.Context(), hash)
		if err != nil {
			t.Fatal(err)
		}
		tag, err := m.Sum(message)
		if err != nil || len(tag) != hash.Size() {
			t.Fatalf("%v: a tag of %d bytes, %v", hash, len(tag), err)
		}
		checkVerify(t, m, message, tag)
		other, err := in.GenerateMAC(t.Context(), hash)
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Verify(message, tag); !errors.Is(err, keys.ErrAuthentication) {
			t.Errorf("%v: another key verifies: %v", hash, err)
		}
	}
	if _, err := in.GenerateMAC(t.Context(), crypto.MD5); !errors.Is(err, keys.ErrUnsupported) {
		t.Errorf("MD5: %v", err)
	}
	ended, end := context.WithCancelCause(t.Context())
	end(errEnded)
	if _, err := in.GenerateMAC(ended, crypto.SHA256); !errors.Is(err, errEnded) {
		t.Errorf("a context that ended: %v", err)
	}
}

var errEnded = errors.New("the context has ended")

func TestMACRefuses(t *testing.T) {
	t.Parallel()
	in := in(t)
	for _, c := range []struct {
		hash crypto.Hash
		key  []byte
		want error
	}{
		{crypto.SHA256, nil, enclave.ErrEmpty},
		{crypto.MD5, sequence(1, 16), keys.ErrUnsupported},
		{crypto.SHA3_256, sequence(1, 16), keys.ErrUnsupported},
		{0, sequence(1, 16), keys.ErrUnsupported},
	} {
		if _, err := in.NewMAC(c.hash, c.key); !errors.Is(err, c.want) {
			t.Errorf("%v: %v, want %v", c.hash, err, c.want)
		}
		if !wiped(c.key) {
			t.Errorf("%v: a refused key was not wiped", c.hash)
		}
	}
}
