//go:build linux || darwin || freebsd || netbsd || openbsd

package testenv

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// ReadOnlyPage returns writable memory of so many pages, of which the nth may only
// be read.
func ReadOnlyPage(t testing.TB, pages, nth int) []byte {
	t.Helper()
	page := os.Getpagesize()
	b, err := unix.Mmap(-1, 0, pages*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(b); err != nil {
			t.Error(err)
		}
	})
	if err := unix.Mprotect(b[nth*page:(nth+1)*page], unix.PROT_READ); err != nil {
		t.Fatal(err)
	}
	return b
}
