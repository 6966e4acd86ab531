// Package benchmarks compares memkeep with its peers in one run, on the same
// secrets. Absolute times mean little on a shared machine: compare the lines of
// one run with each other, or two runs with benchstat.
//
//	go test -bench . -count 10 ./benchmarks | tee new.txt && benchstat new.txt
package benchmarks

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/awnumar/memguard"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/memkeep/memkeep/enclave"
)

// sizes of secrets, in bytes.
var sizes = []int{32, 256, 4096, 65536}

func secretOf(size int) []byte {
	secret := make([]byte, size)
	rand.Read(secret)
	return secret
}

// A contender opens one secret once, hands it to check, and closes it again.
type contender struct {
	name  string
	setup func(b *testing.B, secret []byte) (open func(check func([]byte) error) error)
}

var contenders = []contender{
	{"memkeep.Use", func(b *testing.B, secret []byte) func(func([]byte) error) error {
		e := newEnclave(b, secret)
		return func(check func([]byte) error) error { return e.Use(check) }
	}},
	{"memkeep.Open", func(b *testing.B, secret []byte) func(func([]byte) error) error {
		e := newEnclave(b, secret)
		return func(check func([]byte) error) error {
			buffer, err := e.Open()
			if err != nil {
				return err
			}
			if err := check(buffer.Bytes()); err != nil {
				return err
			}
			return buffer.Destroy()
		}
	}},
	{"memguard.Open", func(b *testing.B, secret []byte) func(func([]byte) error) error {
		e := memguard.NewEnclave(bytes.Clone(secret))
		return func(check func([]byte) error) error {
			buffer, err := e.Open()
			if err != nil {
				return err
			}
			defer buffer.Destroy()
			return check(buffer.Bytes())
		}
	}},
	// The floor: the cipher alone, its key and plaintext in ordinary memory.
	{"bare", func(b *testing.B, secret []byte) func(func([]byte) error) error {
		aead, err := chacha20poly1305.NewX(secretOf(chacha20poly1305.KeySize))
		if err != nil {
			b.Fatal(err)
		}
		nonce := secretOf(chacha20poly1305.NonceSizeX)
		sealed := aead.Seal(nil, nonce, secret, nil)
		plaintext := make([]byte, 0, len(secret))
		return func(check func([]byte) error) error {
			opened, err := aead.Open(plaintext, nonce, sealed, nil)
			if err != nil {
				return err
			}
			return check(opened)
		}
	}},
}

func newEnclave(b *testing.B, secret []byte) *enclave.Enclave {
	b.Helper()
	e, err := enclave.New(bytes.Clone(secret))
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// BenchmarkOpen is one secret opened, looked at and closed.
func BenchmarkOpen(b *testing.B) {
	for _, size := range sizes {
		for _, c := range contenders {
			b.Run(fmt.Sprintf("size=%d/impl=%s", size, c.name), func(b *testing.B) {
				open := start(b, c, size)
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					if err := open(nothing); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkOpenParallel is the same from every processor at once.
func BenchmarkOpenParallel(b *testing.B) {
	for _, c := range contenders {
		// The bare cipher's plaintext belongs to one goroutine.
		if c.name == "bare" {
			continue
		}
		b.Run("size=32/impl="+c.name, func(b *testing.B) {
			open := start(b, c, 32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := open(nothing); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// start sets a contender up and checks that it gives the right secret: a fast
// wrong answer wins nothing.
func start(b *testing.B, c contender, size int) func(func([]byte) error) error {
	b.Helper()
	secret := secretOf(size)
	open := c.setup(b, secret)
	err := open(func(got []byte) error {
		if !bytes.Equal(got, secret) {
			return fmt.Errorf("%s opened another secret", c.name)
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return open
}

func nothing([]byte) error { return nil }

// BenchmarkSeal is one secret sealed, its source wiped, the enclave dropped.
func BenchmarkSeal(b *testing.B) {
	for _, size := range sizes {
		source := secretOf(size)
		b.Run(fmt.Sprintf("size=%d/impl=memkeep", size), func(b *testing.B) {
			secret := make([]byte, size)
			b.ReportAllocs()
			for b.Loop() {
				copy(secret, source)
				if _, err := enclave.New(secret); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("size=%d/impl=memguard", size), func(b *testing.B) {
			secret := make([]byte, size)
			b.ReportAllocs()
			for b.Loop() {
				copy(secret, source)
				memguard.NewEnclave(secret)
			}
		})
	}
}

// Every contender passes start, whether or not the benchmarks are run.
func TestContendersOpenTheSecretTheyWereGiven(t *testing.T) {
	for _, c := range contenders {
		if r := testing.Benchmark(func(b *testing.B) { start(b, c, 64) }); r.N == 0 {
			t.Errorf("%s failed", c.name)
		}
	}
}
