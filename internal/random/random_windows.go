package random

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/windows"
)

var processPrng = windows.NewLazySystemDLL("bcryptprimitives.dll").NewProc("ProcessPrng")

// read is ProcessPrng, which fills a buffer of any size from a generator that
// Windows keeps in each process, and never fails once it is loaded. Go's runtime
// and crypto/rand use it too, so it is on every system on which Go runs.
func read(b []byte) error {
	if err := processPrng.Find(); err != nil {
		return err
	}
	ok, _, _ := processPrng.Call(uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	if ok == 0 {
		return errors.New("ProcessPrng failed")
	}
	return nil
}
