//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package testenv

import "testing"

// ReadOnlyPage skips the test: it can't be done here.
func ReadOnlyPage(t testing.TB, _, _ int) []byte {
	t.Helper()
	t.Skip("SKIPPED: no mprotect here")
	return nil
}
