package testenv

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// TakeAccess makes whole pages fault, as a caller of the library may do behind
// its back, and reports whether that can be done here.
func TakeAccess(t testing.TB, pages []byte) bool {
	t.Helper()
	var before uint32
	if err := windows.VirtualProtect(uintptr(unsafe.Pointer(&pages[0])), uintptr(len(pages)), windows.PAGE_NOACCESS, &before); err != nil {
		t.Fatal(err)
	}
	return true
}
