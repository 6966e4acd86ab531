//go:build linux && (amd64 || arm64 || riscv64)

package contenders

import (
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"os"
	"unsafe"

	"golang.org/x/crypto/chacha20poly1305"
	"golang.org/x/sys/unix"
)

const floorSkipped = ""

type floorStore struct{ *bareStore }

func newFloorStore() (Store, error) {
	s, err := newBareStore(true)
	return floorStore{s}, err
}

// A floorWorker has pages that are mapped twice, as memkeep's are: the view is what
// is opened and closed, the window stays writable.
type floorWorker struct {
	store        *bareStore
	aead         cipher.AEAD
	nonce        [chacha20poly1305.NonceSizeX]byte
	view, window []byte
}

// What is at rest is one allocation: the length of the sealed bytes, then the
// counter and the ciphertext.
const floorHeader = 4

func (s floorStore) Worker(maxSize int) (Worker, error) {
	w := &floorWorker{store: s.bareStore, aead: s.kept}
	copy(w.nonce[bareCounter:], s.prefix[:])
	// Pages of the kind that memkeep gets, or of the next best one.
	fd, err := unix.MemfdSecret(unix.FD_CLOEXEC)
	if err != nil {
		fd, err = unix.MemfdCreate("floor", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	defer unix.Close(fd)
	pageSize := os.Getpagesize()
	size := (maxSize + chacha20poly1305.Overhead + pageSize - 1) / pageSize * pageSize
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		return nil, os.NewSyscallError("ftruncate", err)
	}
	if w.window, err = unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	if w.view, err = unix.Mmap(fd, 0, size, unix.PROT_NONE, unix.MAP_SHARED); err != nil {
		return nil, errors.Join(os.NewSyscallError("mmap", err), w.Close())
	}
	return w, nil
}

func (w *floorWorker) Close() error {
	var errs []error
	for _, m := range [][]byte{w.view, w.window} {
		if m != nil {
			errs = append(errs, os.NewSyscallError("munmap", unix.Munmap(m)))
		}
	}
	return errors.Join(errs...)
}

func (w *floorWorker) Seal(secret []byte) (Secret, error) {
	binary.LittleEndian.PutUint64(w.nonce[:], w.store.counter.Add(1))
	size := bareOverhead + len(secret)
	b := make([]byte, floorHeader, floorHeader+size)
	binary.LittleEndian.PutUint32(b, uint32(size))
	b = append(b, w.nonce[:bareCounter]...)
	b = w.aead.Seal(b, w.nonce[:], secret, nil)
	clear(secret)
	return unsafe.SliceData(b), nil
}

func (w *floorWorker) Free(Secret) error { return nil }

// Ciphertext returns what lies behind the header.
func (s floorStore) Ciphertext(secret Secret) []byte {
	b := secret.(*byte)
	size := binary.LittleEndian.Uint32(unsafe.Slice(b, floorHeader))
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(b), floorHeader)), size)
}

func (w *floorWorker) Use(s Secret, fn func([]byte) error) error { return w.Open(s, fn) }

func (w *floorWorker) Open(s Secret, fn func([]byte) error) error {
	sealed := floorStore{w.store}.Ciphertext(s)
	copy(w.nonce[:bareCounter], sealed)
	opened, err := w.aead.Open(w.window[:0], w.nonce[:], sealed[bareCounter:], nil)
	if err != nil {
		return err
	}
	pages := w.view[:(len(opened)+os.Getpagesize()-1)/os.Getpagesize()*os.Getpagesize()]
	if err := unix.Mprotect(pages, unix.PROT_READ); err != nil {
		return os.NewSyscallError("mprotect", err)
	}
	err = fn(w.view[:len(opened)])
	return errors.Join(err, os.NewSyscallError("mprotect", unix.Mprotect(pages, unix.PROT_NONE)))
}
