package page

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// mechanisms of Linux, best first.
var mechanisms = []mechanism{
	{MemfdSecret, openMemfdSecret},
	{Memfd, openMemfd},
	{Mlock, openMemcall},
}

// memfd maps the pages of an anonymous file. The file gives the pages a second
// address, which private memory can't have. Its descriptor is closed as soon as
// they are mapped, since another process could take it with pidfd_getfd(2).
type memfd struct {
	name   string
	kernel kernel
	create func(kernel) (fd int, err error)
	// lockedBirth: the file's pages never leave memory, and mlock(2) on its
	// mappings fails. Otherwise the window is locked with mlock, which holds the
	// pages themselves in memory at whatever address, and counts once.
	lockedBirth bool
	// countsTwice: each mapping of the file counts towards the limit.
	countsTwice bool
	// changing is held while a view's access changes. The system changes one
	// mapping of a process at a time in any case: those that wait for it in the
	// kernel cost four times what they cost here, where their processor may rest,
	// and need not be told of each change.
	changing sync.Mutex
}

// openMemfdSecret returns the backend over memfd_secret(2): pages that are
// taken out of the kernel's own mapping of memory, so that neither another
// process, root included, nor the kernel can read them by any of its calls.
func openMemfdSecret(hook Hook) (Backend, error) {
	return openMemfdBackend(&memfd{
		name:        MemfdSecret,
		kernel:      kernel{hook},
		create:      kernel.memfdSecret,
		lockedBirth: true,
	})
}

// openMemfd returns the backend over memfd_create(2) and mlock(2).
func openMemfd(hook Hook) (Backend, error) {
	return openMemfdBackend(&memfd{
		name:   Memfd,
		kernel: kernel{hook},
		create: kernel.memfdCreate,
	})
}

// openMemfdBackend tries the one call that may be missing, by ENOSYS of an old
// or emulated kernel or by a seccomp filter's answer.
func openMemfdBackend(m *memfd) (Backend, error) {
	fd, err := m.create(m.kernel)
	for _, missing := range []error{unix.ENOSYS, unix.EPERM, unix.EACCES, unix.EINVAL, unix.EOPNOTSUPP} {
		if errors.Is(err, missing) {
			return nil, fmt.Errorf("%w: %w", errMissing, err)
		}
	}
	if err != nil {
		return nil, refusal("opening "+m.name, 0, err)
	}
	m.countsTwice = m.lockedBirth && bornLocked(fd)
	if err := m.kernel.close(fd); err != nil {
		return nil, err
	}
	return m, nil
}

// bornLocked reports whether the running kernel counts the mappings of a file of
// memfd_secret as locked memory. Most do. Some, as 6.1.192, lose the flag that
// says so, and count a page once, where it is touched first; the pages stay in memory
// all the same, for the file is unevictable. It maps a page and asks for what locked
// memory refuses: madvise(2), "EINVAL advice is MADV_DONTNEED … and the specified address
// range includes locked … pages". Where it can't find out, they count.
func bornLocked(fd int) bool {
	if unix.Ftruncate(fd, int64(Size())) != nil {
		return true
	}
	b, err := unix.Mmap(fd, 0, Size(), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return true // by the limit itself, say
	}
	err = unix.Madvise(b, unix.MADV_DONTNEED)
	_ = unix.Munmap(b) // an empty page, at worst
	return err != nil
}

func (m *memfd) Name() string { return m.name }

func (m *memfd) Charge(size int, dual bool) int {
	if dual && m.countsTwice {
		return 2 * size
	}
	return size
}

func (m *memfd) Map(size int, dual bool) (*Run, error) {
	r, err := m.mapPages(size, dual)
	return r, refusal("mapping "+m.name, size, err)
}

func (m *memfd) mapPages(size int, dual bool) (*Run, error) {
	// The kernel would take memory for it until it ends a process for that.
	if memory, err := m.kernel.memory(); err != nil {
		return nil, err
	} else if uint64(size) > memory {
		return nil, &LockError{"mapping " + m.name, size, Memory, unix.ENOMEM}
	}
	const tries = 10
	for try := 1; ; try++ {
		r, err := m.reserve(size, dual)
		if err != nil {
			return nil, err
		}
		hole, err := m.fill(r, size)
		if err == nil {
			return r, nil
		}
		r.pieces = without(r.whole, hole)
		if unmapErr := m.Unmap(r); unmapErr != nil {
			return r, errors.Join(err, unmapErr)
		}
		if !errors.Is(err, unix.EEXIST) || try == tries {
			return nil, err
		}
	}
}

// without returns the pieces of a reservation around a hole, if there is one.
func without(whole, hole []byte) [][]byte {
	if hole == nil {
		return [][]byte{whole}
	}
	at := int(uintptr(unsafe.Pointer(&hole[0])) - uintptr(unsafe.Pointer(&whole[0])))
	return [][]byte{whole[:at], whole[at+len(hole):]}
}

// reserve returns a run of address space alone, guards included, in one
// mapping of its own, so that one munmap releases it whole.
func (m *memfd) reserve(size int, dual bool) (*Run, error) {
	guard := Size()
	length := guard + size + guard
	if dual {
		length += size + guard
	}
	whole, err := m.kernel.reserve(length)
	if err != nil {
		return nil, err
	}
	view := whole[guard : guard+size : guard+size]
	r := &Run{Window: view, View: view, Dual: dual, whole: whole}
	if dual {
		at := guard + size + guard
		r.Window = whole[at : at+size : at+size]
	}
	return r, nil
}

// fill puts the pages of a new file behind the reservation. After an error there may
// be a hole in that, which is no longer the run's.
func (m *memfd) fill(r *Run, size int) (hole []byte, err error) {
	fd, err := m.create(m.kernel)
	if err != nil {
		return nil, err
	}
	err = m.kernel.truncate(fd, size)
	if err == nil {
		hole, err = m.mapFile(r, fd)
	}
	return hole, errors.Join(err, m.kernel.close(fd))
}

func (m *memfd) mapFile(r *Run, fd int) (hole []byte, err error) {
	if hole, err := m.mapAt(r.Window, fd, ReadWrite); err != nil {
		return hole, err
	}
	switch {
	case !m.lockedBirth:
		err = m.kernel.lock(r.Window)
	case !m.countsTwice: // not as it is mapped, but as it is touched
		err = m.kernel.touch(r.Window)
	}
	if err != nil {
		return nil, &LockError{"locking " + m.name, len(r.Window), LockedMemory, err}
	}
	if !r.Dual {
		return nil, nil
	}
	return m.mapAt(r.View, fd, None)
}

// mapAt maps the file in the place of the reserved bytes b. With MAP_FIXED the kernel
// may take the reservation away and then refuse the file, as past a limit: by the time
// the run is unmapped, another thread may have mapped something there. So b is given up
// first, and belongs to whoever maps it next.
func (m *memfd) mapAt(b []byte, fd int, a Access) (hole []byte, err error) {
	if err = m.kernel.unmap(b); err == nil {
		if err = m.kernel.mapFile(b, fd, a); err == nil {
			return nil, m.kernel.exclude(b)
		}
		hole = b
	}
	switch {
	// memfd_secret answers EAGAIN past RLIMIT_MEMLOCK.
	case m.lockedBirth && errors.Is(err, unix.EAGAIN):
		err = &LockError{"mmap of " + m.name, len(b), LockedMemory, err}
	// The addresses were reserved: what is short is mappings, which this one cuts in
	// parts.
	case errors.Is(err, unix.ENOMEM):
		err = &LockError{"mmap of " + m.name, len(b), Mappings, err}
	}
	return hole, err
}

func (m *memfd) Protect(r *Run, a Access) error {
	m.changing.Lock()
	defer m.changing.Unlock()
	if err := m.kernel.protect(r.View, a); err != nil {
		return refusal("making "+a.String(), len(r.View), err)
	}
	return nil
}

func (m *memfd) Unmap(r *Run) error {
	// munmap also unlocks: mlock(2), "memory locks are automatically removed
	// if the address range is unmapped via munmap(2)".
	if r.pieces == nil {
		return m.kernel.unmap(r.whole)
	}
	var errs []error
	r.pieces = slices.DeleteFunc(r.pieces, func(piece []byte) bool {
		err := m.kernel.unmap(piece)
		errs = append(errs, err)
		return err == nil
	})
	return errors.Join(errs...)
}
