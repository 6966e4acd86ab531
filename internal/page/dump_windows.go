package page

import (
	"errors"
	"fmt"
	"math"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// What keeps memory out of the reports of Windows Error Reporting, with which
// Windows answers a crash. It is there since Windows 10, version 1703.
var (
	kernel32   = windows.NewLazySystemDLL("kernel32.dll")
	werExclude = kernel32.NewProc("WerRegisterExcludedMemoryBlock")
	werInclude = kernel32.NewProc("WerUnregisterExcludedMemoryBlock")
)

// hresult is an error of Windows Error Reporting.
type hresult uint32

// The answers that are no fault of ours, of those that the documentation of
// WerRegisterExcludedMemoryBlock and of its opposite names.
const (
	werOutOfMemory  hresult = 0x8007000E // E_OUTOFMEMORY
	werTooMany      hresult = 0x8007007A // beyond WER_MAX_REGISTERED_ENTRIES, 512 of all kinds in a process
	werInvalidState hresult = 0x8007139F // WER_E_INVALID_STATE, "the process is in application recovery mode"
	werNotFound     hresult = 0x80070490 // WER_E_NOT_FOUND
)

func (h hresult) Error() string {
	return fmt.Sprintf("HRESULT 0x%08X: %v", uint32(h), syscall.Errno(h))
}

// Is says which refusals leave a run that is good but for a crash report.
func (h hresult) Is(target error) bool {
	return target == errNotExcluded && (h == werOutOfMemory || h == werTooMany || h == werInvalidState)
}

// exclude keeps the pages out of crash reports: "Marks a memory block (that is
// normally included by default in error reports) to be excluded". A child process
// has no part in a process's private memory.
func (s single) exclude(b []byte) error {
	if err := s.hook.before("exclude"); err != nil {
		return err
	}
	return s.system.exclude(b)
}

// include takes back exclude, before the address is somebody else's.
func (s single) include(r *Run) error {
	if !r.excluded {
		return nil
	}
	err := s.hook.before("include")
	if err == nil {
		err = s.system.include(r.View)
	}
	// In recovery mode the process is about to end.
	if err != nil && !errors.Is(err, werNotFound) && !errors.Is(err, werInvalidState) {
		return fmt.Errorf("include in crash reports: %w", err)
	}
	r.excluded = false
	return nil
}

// Advised returns what this Windows protects mappings by. A run may be one too
// many for it, and is [Run.Dumpable] then.
func Advised() Protection {
	if werExclude.Find() != nil {
		return Protection{}
	}
	return Protection{Dump: "WerRegisterExcludedMemoryBlock"}
}

func excludeFromReports(b []byte) error {
	if err := werExclude.Find(); err != nil {
		return fmt.Errorf("%w: %w", errNotExcluded, err)
	}
	// The size is a DWORD.
	if uint64(len(b)) > math.MaxUint32 {
		return fmt.Errorf("%w: %d bytes are more than one block may have", errNotExcluded, len(b))
	}
	return hresultOf(werExclude.Call(address(b), uintptr(len(b))))
}

func includeInReports(b []byte) error { return hresultOf(werInclude.Call(address(b))) }

// hresultOf takes what a call returns, whose last error means nothing here.
func hresultOf(code, _ uintptr, _ error) error {
	if int32(code) >= 0 {
		return nil
	}
	return hresult(code)
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
