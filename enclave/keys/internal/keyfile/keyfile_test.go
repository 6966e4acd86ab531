package keyfile

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/enclave/keys/internal/registers"
)

// Base64 is read as encoding/base64 reads it when it is strict, but for white
// space, which may be anywhere.
func TestBase64IsTheStandardLibrarys(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewChaCha8([32]byte{1}))
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_!\x00\xff"
	for range 200_000 {
		text := make([]byte, r.IntN(14))
		for i := range text {
			// Mostly what is valid.
			text[i] = alphabet[r.IntN(64)]
			if r.IntN(12) == 0 {
				text[i] = alphabet[r.IntN(len(alphabet))]
			}
		}
		want, wantErr := base64.StdEncoding.Strict().DecodeString(string(text))
		spaced := bytes.ReplaceAll(text, []byte("A"), []byte(" A\r\n\t"))
		dst := make([]byte, len(spaced))
		n, err := decodeBase64(dst, spaced)
		if (err == nil) != (wantErr == nil) || err == nil && !bytes.Equal(dst[:n], want) {
			t.Fatalf("%q: %x, %v, want %x, %v", text, dst[:n], err, want, wantErr)
		}
	}
}

func TestEveryByteHasItsSextet(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for c := range 256 {
		if got, want := sextet(byte(c)), strings.IndexByte(alphabet, byte(c)); got != want {
			t.Errorf("%q has %d, want %d", byte(c), got, want)
		}
	}
}

func TestFindsTheFirstPrivateKey(t *testing.T) {
	t.Parallel()
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("certificate")}))
	params := string(pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte("parameters")}))
	key := string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: []byte("the key")}))
	other := string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("another")}))
	for _, text := range []string{key, cert + key, params + key + cert, "text\n" + params + key + other, "\n\n" + key, strings.ReplaceAll(cert+key, "\n", "\r\n")} {
		block, err := Find([]byte(text))
		if err != nil || block.Format != SEC1 {
			t.Errorf("%q: format %d, %v", text, block.Format, err)
			continue
		}
		der, err := block.Decode(make([]byte, len(block.Body)))
		if err != nil || string(der) != "the key" {
			t.Errorf("%q: %q, %v", text, der, err)
		}
	}
	for _, text := range []string{
		cert, "", "-----BEGIN", "-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n", "x" + key,
		"-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY", "-----BEGIN PRIVATE KEY----\nAAAA\n-----END PRIVATE KEY----\n",
	} {
		if _, err := Find([]byte(text)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCertificatesAreTheStandardLibrarys(t *testing.T) {
	t.Parallel()
	var text []byte
	for _, b := range []pem.Block{{Type: "CERTIFICATE", Bytes: []byte("one")}, {Type: "PRIVATE KEY", Bytes: []byte("key")}, {Type: "CERTIFICATE", Bytes: []byte("two")}} {
		text = append(text, pem.EncodeToMemory(&b)...)
	}
	got, err := Certificates(text)
	if err != nil || !slices.EqualFunc(got, []string{"one", "two"}, func(b []byte, s string) bool { return string(b) == s }) {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Certificates([]byte("text")); !errors.Is(err, ErrFormat) {
		t.Errorf("no certificates: %v", err)
	}
}

// Errors say nothing of what was read, which may be a secret in the wrong place.
func TestErrorsRepeatNothing(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"hunter2", "-----BEGIN hunter2 PRIVATE KEY-----\nhunter2\n-----END hunter2 PRIVATE KEY-----\n", "-----BEGIN PRIVATE KEY-----\nhunter2!\n-----END PRIVATE KEY-----\n"} {
		block, err := Find([]byte(text))
		if err == nil {
			_, err = block.Decode(make([]byte, len(text)))
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzKeyfile(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte{0x30, 0x03, 0x02, 0x01, 0x00})
	f.Add([]byte(opensshMagic + "\x00\x00\x00\x04none\x00\x00\x00\x04none\x00\x00\x00\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := slices.Clone(data)
		block, err := Find(data)
		if err == nil {
			memory := make([]byte, len(block.Body))
			var der []byte
			if der, err = block.Decode(memory); err == nil {
				_, err = Parse(block.Format, der)
			}
		}
		if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrEncrypted) && !errors.Is(err, ErrUnsupported) {
			t.Errorf("an error of no kind: %v", err)
		}
		if !bytes.Equal(before, data) {
			t.Error("the input was changed")
		}
	})
}

// Find runs where the goroutine may be preempted, which saves all registers to memory
// that nobody wipes. So it leaves nothing of the key in them.
func TestFindLeavesNothingInRegisters(t *testing.T) {
	t.Parallel()
	// On another thread's registers the goroutine would find what it left there before.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	secret := make([]byte, 32)
	for i := range secret {
		secret[i] = byte(0xa1 + i)
	}
	der := append([]byte{0x30, 46, 2, 1, 0, 0x30, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32}, secret...)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	base64 := text[bytes.IndexByte(text, '\n')+1:][24:64] // what the secret alone decides
	for what, c := range map[string]struct{ input, secret []byte }{"DER": {der, secret}, "PEM": {text, base64}} {
		// What is loaded at once depends on the address.
		for shift := range 64 {
			input := append(make([]byte, shift, shift+len(c.input)), c.input...)[shift:]
			var left [registers.Size]byte
			registers.Clear()
			_, err := Find(input)
			registers.Record(&left)
			if err != nil {
				t.Fatal(err)
			}
			for piece := range slices.Chunk(c.secret, 8) {
				if bytes.Contains(left[:], piece) {
					t.Errorf("%s, shifted by %d: %q is left in registers", what, shift, piece)
				}
			}
		}
	}
}
