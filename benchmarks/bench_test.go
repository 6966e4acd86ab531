package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/benchmarks/contenders"
)

// The contenders of the program, one measurement at a time, for benchstat:
//
//	go test -bench Open/32B -count 10 ./benchmarks | tee new.txt && benchstat -col /impl new.txt
//
// All run in one process here, so they share its heap and its limit on locked
// memory: what is published comes from the program.

// sizes of secrets, in bytes.
var sizes = []int{32, 256, 4096, 65536}

// stored starts the contender and returns one of its workers.
func stored(b *testing.B, c *contenders.Contender, size int) (contenders.Store, contenders.Worker) {
	b.Helper()
	if c.Skipped != "" {
		b.Skip("SKIPPED: " + c.Skipped)
	}
	store, err := c.Start()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	})
	if err := contenders.Check(c, store, size); err != nil {
		b.Fatal(err)
	}
	return store, worker(b, store, size)
}

func worker(b *testing.B, store contenders.Store, size int) contenders.Worker {
	b.Helper()
	w, err := store.Worker(size)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.Close(); err != nil {
			b.Error(err)
		}
	})
	return w
}

// sealed returns a secret that is freed when the benchmark ends.
func sealed(b *testing.B, w contenders.Worker, size int) contenders.Secret {
	b.Helper()
	s, err := w.Seal(make([]byte, size))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := w.Free(s); err != nil {
			b.Error(err)
		}
	})
	return s
}

// name is a line's label without blanks, for benchstat.
func name(l contenders.Line) string { return strings.ReplaceAll(l.Label(), " ", ".") }

func nothing([]byte) error { return nil }

// BenchmarkOpen is one secret opened, looked at and closed.
func BenchmarkOpen(b *testing.B) {
	for _, size := range sizes {
		for _, l := range contenders.Lines() {
			b.Run(fmt.Sprintf("%dB/impl=%s", size, name(l)), func(b *testing.B) {
				_, w := stored(b, l.Contender, size)
				s := sealed(b, w, size)
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					if err := contenders.Do(w, l.Way, s, nothing); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkOpenParallel is the same from every processor at once, each with a
// secret of its own.
func BenchmarkOpenParallel(b *testing.B) {
	for _, l := range contenders.Lines() {
		b.Run("32B/impl="+name(l), func(b *testing.B) {
			store, first := stored(b, l.Contender, 32)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				w := worker(b, store, 32)
				s := sealed(b, first, 32)
				for pb.Next() {
					if err := contenders.Do(w, l.Way, s, nothing); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkSeal is one secret sealed, its source wiped where the contender
// wipes it, and freed where it has to be.
func BenchmarkSeal(b *testing.B) {
	for _, size := range sizes {
		for _, c := range contenders.All() {
			b.Run(fmt.Sprintf("%dB/impl=%s", size, c.Name), func(b *testing.B) {
				_, w := stored(b, c, size)
				secret := make([]byte, size)
				b.ReportAllocs()
				b.SetBytes(int64(size))
				for b.Loop() {
					s, err := w.Seal(secret)
					if err != nil {
						b.Fatal(err)
					}
					if err := w.Free(s); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
