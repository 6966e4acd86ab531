package locked_test

import (
	"fmt"
	"testing"

	"github.com/memkeep/memkeep/locked"
)

var benchmarkSizes = []int{32, 256, 4096, 65536}

func benchmarkPool(b *testing.B) *locked.Pool {
	b.Helper()
	p, err := locked.NewPool(locked.Config{UseSlots: 4})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := p.Close(); err != nil {
			b.Error(err)
		}
	})
	return p
}

func nothing([]byte) error { return nil }

func BenchmarkUse(b *testing.B) {
	for _, size := range benchmarkSizes {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			p := benchmarkPool(b)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := p.Use(ctx, size, nothing, nothing); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkUseParallel(b *testing.B) {
	b.Run("32B", func(b *testing.B) {
		p := benchmarkPool(b)
		b.ReportAllocs()
		b.SetBytes(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := p.Use(ctx, 32, nothing, nothing); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func frozenAndDestroyed(p *locked.Pool, size int) error {
	buffer, err := p.NewFrozen(size, nothing)
	if err != nil {
		return err
	}
	return buffer.Destroy()
}

func BenchmarkNewFrozen(b *testing.B) {
	for _, size := range benchmarkSizes {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			p := benchmarkPool(b)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := frozenAndDestroyed(p, size); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNewFrozenParallel(b *testing.B) {
	b.Run("32B", func(b *testing.B) {
		p := benchmarkPool(b)
		b.ReportAllocs()
		b.SetBytes(32)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := frozenAndDestroyed(p, 32); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}
