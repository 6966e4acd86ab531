//go:build !purego

package xchacha

// Tests call the kernels through record, which Go code can't be: between a
// kernel's return and the recording no other instruction may touch a register.
// Nothing else refers to it, so it is in no other program.

// A recording is the registers, and the stack right below the caller's frame,
// as they are set before a call and as they are left after it.
type recording struct {
	general [14]uint64 // AX, BX, CX, DX, SI, DI, R8 to R15
	vector  [32][64]byte
	stack   [256]byte
}

// Which vector registers a recording has.
const (
	recordX uint64 = iota // the low 16 bytes of 0 to 15
	recordY               // the low 32 bytes of 0 to 15
	recordZ               // all
)

// record fills the registers and the stack from r, calls the assembly function
// at entry with args as its arguments and result, and fills r from them.
func record(entry uintptr, args *[8]uintptr, r *recording, vectors uint64)

// entry is where an assembly function begins: of kernel k, seal, open,
// hChaCha or xor, or differ, copyN, copyBackN or absorbAdditional.
func entry(k kernel, function uint64) uintptr
