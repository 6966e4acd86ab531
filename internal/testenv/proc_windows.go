package testenv

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// LockedBytes returns how many bytes the kernel has locked for this process: the
// pages that QueryWorkingSetEx reports as locked; under wine, which doesn't, those
// that Linux does.
func LockedBytes(t testing.TB) int {
	t.Helper()
	if isWine() {
		locked := 0
		for _, m := range wineMappings(t) {
			if m.Flags["lo"] {
				locked += int(m.End - m.Start)
			}
		}
		return locked
	}
	locked := 0
	var region windows.MemoryBasicInformation
	for at := uintptr(0); windows.VirtualQuery(at, &region, unsafe.Sizeof(region)) == nil; at = region.BaseAddress + region.RegionSize {
		if region.State == windows.MEM_COMMIT {
			locked += lockedPages(t, region.BaseAddress, region.RegionSize) * os.Getpagesize()
		}
	}
	return locked
}

// Locked reports whether the kernel has all of b locked.
func Locked(t testing.TB, b []byte) bool {
	t.Helper()
	start := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	if isWine() {
		m, ok := within(wineMappings(t), uint64(start))
		return ok && m.Flags["lo"] && m.End >= uint64(start)+uint64(len(b))
	}
	return lockedPages(t, start, uintptr(len(b)))*os.Getpagesize() == len(b)
}

// lockedPages counts the locked pages among those from start on.
func lockedPages(t testing.TB, start, size uintptr) int {
	t.Helper()
	// PSAPI_WORKING_SET_EX_INFORMATION: an address, and flags of which bit 22
	// says "If this bit is 1, the virtual page is locked in physical memory."
	type entry struct{ address, flags uintptr }
	const valid, isLocked = 1, 1 << 22
	entries := make([]entry, size/uintptr(os.Getpagesize()))
	if len(entries) == 0 {
		return 0
	}
	for i := range entries {
		entries[i].address = start + uintptr(i*os.Getpagesize())
	}
	err := windows.QueryWorkingSetEx(windows.CurrentProcess(), uintptr(unsafe.Pointer(&entries[0])),
		uint32(uintptr(len(entries))*unsafe.Sizeof(entries[0])))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if e.flags&(valid|isLocked) == valid|isLocked {
			n++
		}
	}
	return n
}

// SecretFiles returns the anonymous files that this process has handles of. No
// backend here has any.
func SecretFiles(testing.TB) []string { return nil }

// isWine: wine says so itself.
func isWine() bool {
	return windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil
}

// wineMappings returns the mappings that the kernel below wine has of this
// process.
func wineMappings(t testing.TB) []Mapping {
	t.Helper()
	dir, err := wineProcess()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "smaps"))
	if err != nil {
		t.Fatal(err)
	}
	maps, err := parseMappings(raw)
	if err != nil {
		t.Fatal(err)
	}
	return maps
}

// wineProcess finds this process in the /proc of the kernel below wine, where
// it has another number: by a file that it alone has mapped.
var wineProcess = sync.OnceValues(func() (string, error) {
	f, err := os.CreateTemp("", "memkeep-mapped-")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := f.Truncate(1); err != nil {
		return "", err
	}
	section, err := windows.CreateFileMapping(windows.Handle(f.Fd()), nil, windows.PAGE_READONLY, 0, 0, nil)
	if err != nil {
		return "", err
	}
	defer windows.CloseHandle(section)
	view, err := windows.MapViewOfFile(section, windows.FILE_MAP_READ, 0, 0, 0)
	if err != nil {
		return "", err
	}
	defer windows.UnmapViewOfFile(view)
	processes, err := filepath.Glob(`Z:\proc\[0-9]*`)
	if err != nil {
		return "", err
	}
	for _, dir := range processes {
		// Others may end, or be somebody else's.
		maps, err := os.ReadFile(filepath.Join(dir, "maps"))
		if err == nil && bytes.Contains(maps, []byte(filepath.Base(f.Name()))) {
			runtime.KeepAlive(f)
			return dir, nil
		}
	}
	return "", os.ErrNotExist
})
