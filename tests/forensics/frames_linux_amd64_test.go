package forensics

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
)

// A signal's frame on amd64, as the kernel's arch/x86/include/asm/sigframe.h
// has it:
//
//	uc_stack: ss_sp 8 | ss_flags 8 | ss_size 8
//	sigcontext: r8 … rip at 128 … fpstate at 184
//
// and, higher up, what fpstate points to: XSAVE's area, with a magic number in
// its software bytes.
const (
	stackSize   = 16
	context     = 24
	contextRIP  = context + 128
	contextFP   = context + 184
	fpMagicAt   = 464
	fpMagic     = 0x46505853
	largestArea = 64 << 10
)

// inSignalFrame reports whether addr lies on a signal stack, in or below the
// frame of a signal that came while the thread was inside of assembly that
// works on secrets: the library's, or the vDSO's that draws random bytes. It
// tells where the thread was, if addr lies in any frame.
func inSignalFrame(m memory, addr uint64, slide uint64) (inside bool, where string) {
	c, ok := m.at(addr)
	if !ok {
		return false, ""
	}
	from := max(c.start, addr-min(addr, largestArea)) &^ 7
	to := min(c.start+uint64(len(c.bytes)), addr+largestArea)
	word := func(at uint64) uint64 {
		if at < c.start || at+8 > c.start+uint64(len(c.bytes)) {
			return 0
		}
		return binary.LittleEndian.Uint64(c.bytes[at-c.start:])
	}
	for at := from; at+contextFP+8 <= to; at += 8 {
		low, size, fp := word(at), word(at+stackSize), word(at+contextFP)
		high := low + size
		if low == 0 || size > largestArea || addr < low || addr >= high || at < low || at >= high || fp <= at || fp >= high {
			continue
		}
		if uint32(word(fp+fpMagicAt)) != fpMagic {
			continue
		}
		pc := word(at + contextRIP)
		inside, name := worksOnSecrets(m, pc, slide)
		where += fmt.Sprintf(", frame at %x of a signal in %s", at, name)
		if inside {
			return true, where
		}
	}
	return false, where
}

func worksOnSecrets(m memory, pc, slide uint64) (bool, string) {
	if c, ok := m.at(pc); ok && c.of.path == "[vdso]" {
		return true, c.of.path
	}
	f := runtime.FuncForPC(uintptr(pc - slide))
	if f == nil {
		return false, fmt.Sprintf("%x", pc)
	}
	file, line := f.FileLine(uintptr(pc - slide))
	return strings.Contains(f.Name(), "memkeep/internal/xchacha.") && strings.HasSuffix(file, ".s"),
		fmt.Sprintf("%s (%s:%d)", f.Name(), filepath.Base(file), line)
}
