package platform

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Read reads the facts of this system and process.
func Read() Facts {
	f := FromLinux(os.DirFS("/"))
	f.Core.Limit, f.Core.Limited = coreLimit()
	// prctl(2): PR_GET_DUMPABLE returns the current state of the calling
	// process's dumpable attribute. proc_sys_fs(5), suid_dumpable: with 2 "any
	// binary which normally would not be dumped … is dumped readable by root
	// only".
	if state, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err == nil {
		f.Tracing.Dumpable, f.Core.ForRoot = answer(state == 1), state == 2
	}
	return f
}

// Outside reports whether another process with the rights to do so could read
// b: the kernel lets nobody read secret memory, this process included, by
// proc_pid_mem(5).
func Outside(b []byte) (readable Answer, why error) {
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		return Unknown, err
	}
	defer mem.Close()
	_, err = mem.ReadAt(make([]byte, len(b)), int64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))))
	switch {
	case err == nil:
		return Yes, nil
	case errors.Is(err, unix.EIO), errors.Is(err, unix.EFAULT):
		return No, nil
	case errors.Is(err, fs.ErrPermission):
		return Unknown, err
	}
	return Unknown, fmt.Errorf("reading /proc/self/mem: %w", err)
}
