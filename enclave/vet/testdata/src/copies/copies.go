package copies

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

func copies(e *enclave.Enclave, b *locked.Buffer) error {
	out := []byte{}
	heap := make([]byte, 32)
	return e.Use(func(secret []byte) error {
		out = append(out[:0], secret...)           // want `append copies the secret to the heap, where it is not locked`
		out = append([]byte(nil), secret...)       // want `append copies the secret to the heap`
		out = bytes.Clone(secret)                  // want `bytes.Clone copies the secret to the heap`
		copy(bytes.Clone(heap), secret)            // want `copy copies the secret to the heap`
		copy(heap, secret)                         // want `copy copies the secret to the heap`
		_ = hex.EncodeToString(secret)             // want `hex.EncodeToString copies the secret to the heap`
		array := [32]byte(secret)                  // want `the array is a copy of the secret outside of locked memory: use a pointer to an array`
		_, _ = io.ReadAll(bytes.NewReader(secret)) // want `io.ReadAll copies the secret to the heap`
		new(bytes.Buffer).Write(secret)            // want `bytes.Buffer.Write copies the secret`
		new(strings.Builder).Write(secret)         // want `strings.Builder.Write copies the secret`
		hex.Encode(make([]byte, 64), secret)       // want `hex.Encode copies the secret to the heap, where it is not locked: use a locked buffer for the copy`
		base64.StdEncoding.Decode(heap, secret)    // want `base64.Encoding.Decode copies the secret`
		json.NewEncoder(io.Discard).Encode(secret) // want `json.Encoder.Encode copies the secret`
		use(array)
		text := string(bytes.TrimSpace(secret)) // want `the conversion copies the secret to the heap, where it is not locked and can't be wiped`
		consume(text)
		copy(b.Bytes(), secret)
		hex.Encode(b.Bytes(), secret)
		bytes.NewBuffer(secret).Write(heap)
		copy(secret[1:], secret)
		return nil
	})
}

func consume(string) {}

func use([32]byte) {}

func prints(t testing.TB, e *enclave.Enclave) error {
	return e.Use(func(secret []byte) error {
		fmt.Println(secret)              // want `fmt.Println prints the secret`
		log.Printf("%x", secret)         // want `log.Printf prints the secret`
		slog.Info("read", "key", secret) // want `slog.Info prints the secret`
		t.Logf("%q", secret[:4])         // want `Logf prints the secret`
		println(secret)                  // want `println prints the secret`
		if len(secret) == 1 {
			panic(secret) // want `panic prints the secret`
		}
		if len(secret) == 0 {
			return errors.New(string(secret)) // want `the conversion copies the secret`
		}
		return fmt.Errorf("bad key %x", secret) // want `fmt.Errorf prints the secret`
	})
}

// The compiler makes no copy for these, and lengths are no secret.
func clean(e *enclave.Enclave, known map[string]bool, dst []byte, b *locked.Buffer) error {
	chosen := make([]byte, 0)
	func() { chosen = b.Bytes() }()
	return e.Use(func(secret []byte) error {
		if string(secret) == "none" || known[string(secret)] {
			return errors.New("no secret")
		}
		fmt.Println(len(secret), e)
		copy(dst, secret)
		copy(chosen, secret)
		if pin := (*[4]byte)(secret); *pin == [4]byte{} || pin[0] == pin[1] {
			return errors.New("weak")
		}
		return nil
	})
}
