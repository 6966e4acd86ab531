//go:build linux || darwin || freebsd || netbsd || openbsd

package dropin

import (
	"syscall"
	"testing"
)

// takeAccess makes the pages fault, as a caller may.
func takeAccess(t *testing.T, pages []byte) bool {
	t.Helper()
	if err := syscall.Mprotect(pages, syscall.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return true
}
