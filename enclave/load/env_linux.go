package load

import (
	"bytes"
	"os"
	"strconv"
	"unsafe"
)

// wipeEnvironment zeroes the values of the variable in the environment that the
// kernel laid on the process's stack, which /proc/PID/environ shows. If the
// kernel does not tell where that is, it does nothing.
func wipeEnvironment(name string) {
	block := environmentBlock()
	prefix := []byte(name + "=")
	for len(block) > 0 {
		entry := block
		if end := indexByte(block, 0); end >= 0 {
			entry, block = block[:end], block[end+1:]
		} else {
			block = nil
		}
		if bytes.HasPrefix(entry, prefix) {
			clear(entry[len(prefix):])
		}
	}
}

// environmentBlock returns the memory from env_start to env_end of
// proc_pid_stat(5): strings that end with a zero, one behind the other.
func environmentBlock() []byte {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return nil
	}
	// The second field is the program's name in parentheses, and may hold any.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const third, envStart, envEnd = 3, 50, 51 // the manual counts from 1
	if len(fields) <= envEnd-third {
		return nil
	}
	start, err1 := strconv.ParseUint(string(fields[envStart-third]), 10, strconv.IntSize)
	end, err2 := strconv.ParseUint(string(fields[envEnd-third]), 10, strconv.IntSize)
	// Zero, where the kernel or an emulator does not tell.
	if err1 != nil || err2 != nil || start == 0 || end <= start {
		return nil
	}
	// The memory belongs to the main thread's stack, which the kernel made and
	// which stays, writable, as long as the process: not Go's, so the collector
	// has no business with the pointer.
	at := uintptr(start)
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&at)), int(end-start))
}
