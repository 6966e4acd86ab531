package coffer_test

import (
	"fmt"
	"testing"

	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/internal/bridge"
	"github.com/memkeep/memkeep/locked"
)

var benchmarkSizes = []int{32, 256, 4096, 65536}

// benchmarkCoffer returns a coffer, and locked memory for a secret.
func benchmarkCoffer(b *testing.B, size int) (*coffer.Coffer, bridge.Region) {
	b.Helper()
	pool, err := locked.NewPool(locked.Config{})
	if err != nil {
		b.Fatal(err)
	}
	r, err := bridge.NewRegion(pool, size)
	if err != nil {
		b.Fatal(err)
	}
	c, err := coffer.New(pool, coffer.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		for _, end := range []func() error{c.Close, r.Free, pool.Close} {
			if err := end(); err != nil {
				b.Error(err)
			}
		}
	})
	return c, r
}

func BenchmarkSeal(b *testing.B) {
	for _, size := range benchmarkSizes {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			c, r := benchmarkCoffer(b, size)
			sealed := make([]byte, size+coffer.Overhead)
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := c.Seal(sealed, r.Bytes()[:size]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range benchmarkSizes {
		b.Run(fmt.Sprintf("%dB", size), func(b *testing.B) {
			c, r := benchmarkCoffer(b, size)
			sealed := make([]byte, size+coffer.Overhead)
			if err := c.Seal(sealed, make([]byte, size)); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := c.Open(r.Bytes()[:size], sealed); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpenParallel(b *testing.B) {
	b.Run("32B", func(b *testing.B) {
		c, _ := benchmarkCoffer(b, 32)
		sealed := make([]byte, 32+coffer.Overhead)
		if err := c.Seal(sealed, make([]byte, 32)); err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		b.SetBytes(32)
		b.RunParallel(func(pb *testing.PB) {
			opened := make([]byte, 32) // nothing secret, so no locked memory for each goroutine
			for pb.Next() {
				if err := c.Open(opened, sealed); err != nil {
					b.Error(err)
					return
				}
			}
		})
	})
}

func BenchmarkRekey(b *testing.B) {
	c, _ := benchmarkCoffer(b, 32)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Refresh(); err != nil {
			b.Fatal(err)
		}
	}
}
