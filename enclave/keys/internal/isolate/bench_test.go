package isolate

import "testing"

func nothing() error { return nil }

func BenchmarkDo(b *testing.B) {
	for name, kind := range map[string]Kind{"Brief": Brief, "Small": Small, "Large": Large} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_ = Do(kind, nothing)
			}
		})
	}
}
