// Package random draws random bytes for secrets from the operating system.
//
// It does not use crypto/rand, whose Read may leave a copy in ordinary memory:
//
//   - With another Reader than its own, it fills a buffer on the heap and copies
//     from there. Any package of the program may set one.
//   - testing/cryptotest.SetGlobalRand has the same effect in tests.
//   - On Linux it draws through the vDSO, which computes ChaCha20 in the calling
//     thread's registers: a signal saves those in ordinary memory.
//   - In FIPS 140-3 mode the bytes are computed in the process, by a generator
//     whose state is on the heap.
//
// Here the kernel writes to the caller's memory. The exceptions are macOS,
// OpenBSD and Windows, where a library of the system computes the bytes in the
// process, straight to the caller's memory. Where no memory can be locked (js, wasip1, plan9), no secret
// is kept either, and crypto/rand does the work.
package random

import (
	"fmt"
	"os"
)

// Bytes fills b with random bytes that an attacker can't predict. It ends the
// program if the system has none to give, as crypto/rand.Read does: no caller
// could go on. It may be called from several goroutines at once.
func Bytes(b []byte) {
	if len(b) == 0 {
		return
	}
	if err := read(b); err != nil {
		// No panic: something would recover from it, with zeros for a key.
		fmt.Fprintln(os.Stderr, "memkeep: fatal: reading random bytes:", err)
		os.Exit(2)
	}
}

// Try is Bytes, but returns the system's error. It tells whether the system can write to
// b: if not, the error on Linux is EFAULT, where touching b would raise a signal.
func Try(b []byte) error { return read(b) }
