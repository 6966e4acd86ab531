//go:build !purego

package xchacha

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// callAssembly runs one assembly function between two recordings. pattern is
// what the registers and the stack hold before it.
func callAssembly(k kernel, function uint64, pattern byte, args [8]uintptr) (*recording, bool) {
	vectors := recordX
	if cpu.X86.HasAVX {
		vectors = recordY
	}
	if cpu.X86.HasAVX512F {
		vectors = recordZ
	}
	r := new(recording)
	all := unsafe.Slice((*byte)(unsafe.Pointer(r)), unsafe.Sizeof(*r))
	for i := range all {
		all[i] = pattern
	}
	if k == avx512Paced {
		k = avx512
		switch function {
		case functionSeal, functionOpen:
			args[6] |= uintptr(paced)
		case functionHChaCha:
			args[4] |= uintptr(paced)
		}
	}
	record(entry(k, function), &args, r, vectors)
	return r, byte(args[7]) != 0
}
