package copies

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

func copies(e *enclave.Enclave, b *locked.Buffer) error {
	out := []byte{}
	heap := make([]byte, 32)
	return e.Use(func(secret []byte) error {
		out = append(out[:0], secret...)        // want `append copies the secret to the heap, where it is not locked`
		out = append([]byte(nil), secret...)    // want `append copies the secret to the heap`
		out = bytes.Clone(secret)               // want `bytes.Clone copies the secret to the heap`
		copy(heap, secret)                      // want `copy copies the secret to the heap`
		_ = hex.EncodeToString(secret)          // want `hex.EncodeToString copies the secret to the heap`
		text := string(bytes.TrimSpace(secret)) // want `the conversion copies the secret to the heap, where it is not locked and can't be wiped`
		consume(text)
		copy(b.Bytes(), secret)
		copy(secret[1:], secret)
		return nil
	})
}

func consume(string) {}

func prints(t testing.TB, e *enclave.Enclave) error {
	return e.Use(func(secret []byte) error {
		fmt.Println(secret)              // want `fmt.Println prints the secret`
		log.Printf("%x", secret)         // want `log.Printf prints the secret`
		slog.Info("read", "key", secret) // want `slog.Info prints the secret`
		t.Logf("%q", secret[:4])         // want `Logf prints the secret`
		if len(secret) == 0 {
			return errors.New(string(secret)) // want `the conversion copies the secret`
		}
		return fmt.Errorf("bad key %x", secret) // want `fmt.Errorf prints the secret`
	})
}

// The compiler makes no copy for these, and lengths are no secret.
func clean(e *enclave.Enclave, known map[string]bool, dst []byte) error {
	return e.Use(func(secret []byte) error {
		if string(secret) == "none" || known[string(secret)] {
			return errors.New("no secret")
		}
		fmt.Println(len(secret), e)
		copy(dst, secret)
		return nil
	})
}
