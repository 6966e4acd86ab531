//go:build darwin || freebsd || netbsd || openbsd

package page

import (
	"encoding/binary"
	"runtime"

	"golang.org/x/sys/unix"
)

// machineMemory is how much memory the machine has, in bytes; 0 if that is not known:
// sysctl(3), "HW_MEMSIZE" on macOS, "HW_PHYSMEM" and "HW_PHYSMEM64" elsewhere.
func machineMemory() uint64 {
	name := "hw.physmem"
	switch runtime.GOOS {
	case "darwin", "ios":
		name = "hw.memsize"
	case "netbsd":
		name = "hw.physmem64"
	}
	raw, err := unix.SysctlRaw(name)
	switch {
	case err != nil:
		return 0
	case len(raw) == 4:
		return uint64(binary.NativeEndian.Uint32(raw))
	case len(raw) == 8:
		return binary.NativeEndian.Uint64(raw)
	}
	return 0
}
