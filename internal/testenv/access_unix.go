//go:build linux || darwin || freebsd || netbsd || openbsd

package testenv

import (
	"testing"

	"golang.org/x/sys/unix"
)

// TakeAccess makes whole pages fault, as a caller of the library may do behind
// its back, and reports whether that can be done here.
func TakeAccess(t testing.TB, pages []byte) bool {
	t.Helper()
	if err := unix.Mprotect(pages, unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return true
}
