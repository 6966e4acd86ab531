package enclave_test

import (
	"fmt"
	"testing"

	"github.com/memkeep/memkeep/enclave"
)

// Names are stable, for benchstat. Beside peers, and with what else counts, the
// library is measured by go run ./benchmarks.

var benchmarkSizes = []int{32, 256, 4096, 65536}

func benchmarkSecret(b *testing.B, size int) *enclave.Enclave {
	b.Helper()
	s, err := enclave.NewSession(enclave.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	e, err := s.NewRandom(size)
	if err != nil {
		b.Fatal(err)
	}
	return e
}

// benchmarkSerial and benchmarkParallel run op as a benchmark of each size.
func benchmarkSerial(b *testing.B, op func(*enclave.Enclave) error) {
	for _, size := range benchmarkSizes {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			e := benchmarkSecret(b, size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := op(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchmarkParallel(b *testing.B, op func(*enclave.Enclave) error) {
	for _, size := range benchmarkSizes {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			e := benchmarkSecret(b, size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := op(e); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

func use(e *enclave.Enclave) error { return e.Use(func([]byte) error { return nil }) }

func openAndDestroy(e *enclave.Enclave) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	return b.Destroy()
}

func BenchmarkUse(b *testing.B)          { benchmarkSerial(b, use) }
func BenchmarkUseParallel(b *testing.B)  { benchmarkParallel(b, use) }
func BenchmarkOpen(b *testing.B)         { benchmarkSerial(b, openAndDestroy) }
func BenchmarkOpenParallel(b *testing.B) { benchmarkParallel(b, openAndDestroy) }

func BenchmarkNew(b *testing.B) {
	for _, size := range benchmarkSizes {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			secret := make([]byte, size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if _, err := enclave.New(secret); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNewParallel(b *testing.B) {
	b.Run("32B", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(32)
		b.RunParallel(func(pb *testing.PB) {
			secret := make([]byte, 32)
			for pb.Next() {
				if _, err := enclave.New(secret); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
