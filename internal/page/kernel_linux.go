package page

import (
	"errors"
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/internal/random"
)

// kernel is the Linux system calls of the memfd backends, each behind the hook.
type kernel struct{ hook Hook }

// call runs f after the hook and names the call in its error.
func (k kernel) call(name string, f func() error) error {
	err := k.hook.before(name)
	if err == nil {
		err = f()
	}
	if err != nil {
		return &callError{name, err}
	}
	return nil
}

// memfdSecret: memfd_secret(2), "creates an anonymous RAM-based file … the
// memory areas backing the file are visible only to the processes that have
// access to the file descriptor".
func (k kernel) memfdSecret() (fd int, err error) {
	err = k.call("memfd_secret", func() (err error) {
		fd, err = memfdSecret(unix.O_CLOEXEC)
		return err
	})
	return fd, err
}

// memfdCreate: memfd_create(2). MFD_NOEXEC_SEAL is left out: kernels before 6.3
// refuse it, and the mappings are never executable.
func (k kernel) memfdCreate() (fd int, err error) {
	err = k.call("memfd_create", func() (err error) {
		fd, err = unix.MemfdCreate("memkeep", unix.MFD_CLOEXEC)
		return err
	})
	return fd, err
}

// memory is how much there is in the machine: sysinfo(2), "total usable main
// memory size".
func (k kernel) memory() (total uint64, err error) {
	err = k.call("sysinfo", func() error {
		var info unix.Sysinfo_t
		if err := unix.Sysinfo(&info); err != nil {
			return err
		}
		total = uint64(info.Totalram) * uint64(info.Unit)
		return nil
	})
	return total, err
}

func (k kernel) truncate(fd, size int) error {
	return k.call("ftruncate", func() error { return unix.Ftruncate(fd, int64(size)) })
}

// close reports an injected failure after closing: close(2), "Linux … always
// releases the file descriptor early", whatever it then returns.
func (k kernel) close(fd int) error {
	err := unix.Close(fd)
	if injected := k.hook.before("close"); injected != nil {
		err = injected
	}
	if err != nil {
		return fmt.Errorf("close: %w", err)
	}
	return nil
}

// reserve takes address space that nothing is behind and nothing may touch.
func (k kernel) reserve(size int) (b []byte, err error) {
	err = k.call("mmap", func() error {
		p, err := unix.MmapPtr(-1, 0, nil, uintptr(size), unix.PROT_NONE,
			unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE)
		if err == nil {
			// The mapping is size bytes long, outside the Go heap, and lives
			// until unmap.
			b = unsafe.Slice((*byte)(p), size)
		}
		return err
	})
	return b, err
}

// mapFile maps the file at b, where nothing is mapped: mmap(2), MAP_FIXED_NOREPLACE,
// "if the requested range would collide with an existing mapping, then this call fails
// with the error EEXIST". Kernels before 4.17 map it elsewhere then. MAP_SHARED gives
// both mappings of a run the same pages, and memfd_secret takes nothing else.
func (k kernel) mapFile(b []byte, fd int, a Access) error {
	return k.call("mmap", func() error {
		p, err := unix.MmapPtr(fd, 0, unsafe.Pointer(&b[0]), uintptr(len(b)), a.prot(),
			unix.MAP_SHARED|unix.MAP_FIXED_NOREPLACE)
		if err == nil && p != unsafe.Pointer(&b[0]) {
			return errors.Join(unix.EEXIST, unix.MunmapPtr(p, uintptr(len(b))))
		}
		return err
	})
}

func (k kernel) unmap(b []byte) error {
	return k.call("munmap", func() error {
		return unix.MunmapPtr(unsafe.Pointer(&b[0]), uintptr(len(b)))
	})
}

// protect is on the way of every buffer. The scheduler is not told of the call:
// mprotect(2) of a few pages waits for nothing but others that change mappings.
func (k kernel) protect(b []byte, a Access) error {
	return k.call("mprotect", func() error {
		_, _, errno := syscall.RawSyscall(syscall.SYS_MPROTECT, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), uintptr(a.prot()))
		if errno != 0 {
			return errno
		}
		return nil
	})
}

func (k kernel) lock(b []byte) error {
	return k.call("mlock", func() error { return unix.Mlock(b) })
}

// touch has the kernel find a page for each of b's, which counts it where memfd_secret
// counts pages as they are first touched. One past the limit is a SIGBUS to whoever
// touches it, but EFAULT to a system call that writes there. madvise(2) with
// MADV_POPULATE_WRITE refuses such pages. getrandom(2) does not, and no filter of system
// calls keeps it from the library. b stays zero.
func (k kernel) touch(b []byte) error {
	return k.call("getrandom", func() error {
		for at := 0; at < len(b); at += Size() {
			if err := random.Try(b[at : at+1]); err != nil {
				return err
			}
			b[at] = 0
		}
		return nil
	})
}

// exclude keeps b out of core dumps and out of child processes: madvise(2),
// MADV_DONTDUMP "exclude from a core dump those pages in the range", and
// MADV_DONTFORK "do not make the pages in this range available to the child
// after a fork(2)". A page without access is still dumped.
func (k kernel) exclude(b []byte) error {
	return k.call("madvise", func() error {
		if err := unix.Madvise(b, unix.MADV_DONTDUMP); err != nil {
			return err
		}
		return unix.Madvise(b, unix.MADV_DONTFORK)
	})
}

// prot returns a as mmap(2) and mprotect(2) spell it.
func (a Access) prot() int {
	switch a {
	case Read:
		return unix.PROT_READ
	case ReadWrite:
		return unix.PROT_READ | unix.PROT_WRITE
	default:
		return unix.PROT_NONE
	}
}
