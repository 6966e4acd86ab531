package memguard_test

import (
	"fmt"
	"testing"

	"github.com/memkeep/memkeep/enclave/memguard"
)

var benchmarkSizes = []int{32, 256, 4096, 65536}

func openAndDestroy(e *memguard.Enclave) error {
	b, err := e.Open()
	if err != nil {
		return err
	}
	b.Destroy()
	return nil
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range benchmarkSizes {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			e := memguard.NewEnclaveRandom(size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := openAndDestroy(e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpenParallel(b *testing.B) {
	b.Run("32B", func(b *testing.B) {
		e := memguard.NewEnclaveRandom(32)
		b.ReportAllocs()
		b.SetBytes(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := openAndDestroy(e); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func BenchmarkNewEnclave(b *testing.B) {
	for _, size := range benchmarkSizes {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			secret := make([]byte, size)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				memguard.NewEnclave(secret)
			}
		})
	}
}
