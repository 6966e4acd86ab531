//go:build libsodium && cgo

package contenders

/*
#cgo pkg-config: libsodium
#include <errno.h>
#include <string.h>
#include <sodium.h>

// One call from Go for each half of an operation, since crossing costs some
// 40 ns and is no part of what libsodium does.

static int guarded_new(void **out, const unsigned char *secret, size_t size) {
	void *p = sodium_malloc(size);
	if (p == NULL) return errno ? errno : ENOMEM;
	memcpy(p, secret, size);
	*out = p;
	return sodium_mprotect_noaccess(p) == 0 ? 0 : errno;
}

static int open_sealed(unsigned char *buf, const unsigned char *key, const unsigned char *nonce, const unsigned char *sealed, size_t size) {
	if (sodium_mprotect_readwrite(buf) != 0) return errno;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(buf, NULL, NULL, sealed, size, NULL, 0, nonce, key) != 0) {
		sodium_mprotect_noaccess(buf);
		return -1;
	}
	return sodium_mprotect_readonly(buf) == 0 ? 0 : errno;
}

static int close_opened(unsigned char *buf, size_t size) {
	if (sodium_mprotect_readwrite(buf) != 0) return errno;
	sodium_memzero(buf, size);
	return sodium_mprotect_noaccess(buf) == 0 ? 0 : errno;
}
*/
import "C"

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"unsafe"
)

func libsodium() []*Contender {
	list := libsodiumContenders()
	list[0].Start = newSodiumStore
	list[1].Start = func() (Store, error) { return guardedStore{}, sodiumInit() }
	for _, c := range list {
		c.About += "; libsodium " + C.GoString(C.sodium_version_string())
	}
	return list
}

func sodiumInit() error {
	if C.sodium_init() < 0 {
		return errors.New("sodium_init failed")
	}
	return nil
}

// sodiumError turns what the C functions above return into an error.
func sodiumError(what string, code C.int) error {
	switch {
	case code == 0:
		return nil
	case code < 0:
		return fmt.Errorf("%s: the ciphertext does not open", what)
	}
	return fmt.Errorf("%s: %w", what, syscall.Errno(code))
}

// A sodiumStore keeps ciphertexts, with nonces made as memkeep makes them.
type sodiumStore struct {
	key     *C.uchar // locked, read-only
	prefix  [16]byte
	counter atomic.Uint64
}

func newSodiumStore() (Store, error) {
	if err := sodiumInit(); err != nil {
		return nil, err
	}
	key := (*C.uchar)(C.sodium_malloc(C.crypto_aead_xchacha20poly1305_ietf_KEYBYTES))
	if key == nil {
		return nil, errors.New("sodium_malloc of the key failed")
	}
	C.crypto_aead_xchacha20poly1305_ietf_keygen(key)
	C.sodium_mprotect_readonly(unsafe.Pointer(key))
	s := &sodiumStore{key: key}
	// crypto/rand.Read fills its argument or ends the program.
	_, _ = rand.Read(s.prefix[:])
	return s, nil
}

func (s *sodiumStore) Ciphertext(secret Secret) []byte { return secret.(*bareSecret).sealed }

func (s *sodiumStore) Close() error { C.sodium_free(unsafe.Pointer(s.key)); return nil }

func (s *sodiumStore) Worker(maxSize int) (Worker, error) {
	buffer := (*C.uchar)(C.sodium_malloc(C.size_t(maxSize)))
	if buffer == nil {
		return nil, fmt.Errorf("sodium_malloc of %d bytes failed", maxSize)
	}
	w := &sodiumWorker{store: s, buffer: buffer, size: maxSize}
	copy(w.nonce[bareCounter:], s.prefix[:])
	return w, nil
}

type sodiumWorker struct {
	store  *sodiumStore
	buffer *C.uchar // of size bytes
	size   int
	nonce  [24]byte
}

func (w *sodiumWorker) Seal(secret []byte) (Secret, error) {
	binary.LittleEndian.PutUint64(w.nonce[:], w.store.counter.Add(1))
	sealed := make([]byte, bareOverhead+len(secret))
	copy(sealed, w.nonce[:bareCounter])
	C.crypto_aead_xchacha20poly1305_ietf_encrypt(first(sealed[bareCounter:]), nil, first(secret), C.ulonglong(len(secret)),
		nil, 0, nil, first(w.nonce[:]), w.store.key)
	C.sodium_memzero(unsafe.Pointer(first(secret)), C.size_t(len(secret)))
	return &bareSecret{sealed}, nil
}

func (w *sodiumWorker) Free(Secret) error { return nil }

// Use decrypts to the start of the buffer, and shows the secret there.
func (w *sodiumWorker) Use(s Secret, fn func([]byte) error) error {
	sealed := s.(*bareSecret).sealed
	copy(w.nonce[:bareCounter], sealed)
	sealed = sealed[bareCounter:]
	if err := sodiumError("open", C.open_sealed(w.buffer, w.store.key, first(w.nonce[:]), first(sealed), C.size_t(len(sealed)))); err != nil {
		return err
	}
	size := len(sealed) - C.crypto_aead_xchacha20poly1305_ietf_ABYTES
	errFn := fn(unsafe.Slice((*byte)(unsafe.Pointer(w.buffer)), size))
	if err := sodiumError("close", C.close_opened(w.buffer, C.size_t(size))); err != nil {
		return err
	}
	return errFn
}

func (w *sodiumWorker) Open(s Secret, fn func([]byte) error) error { return w.Use(s, fn) }

func (w *sodiumWorker) Close() error { C.sodium_free(unsafe.Pointer(w.buffer)); return nil }

func first(b []byte) *C.uchar { return (*C.uchar)(unsafe.Pointer(unsafe.SliceData(b))) }

// A guardedStore keeps each secret in an allocation of its own.
type guardedStore struct{}

type guardedSecret struct {
	at   unsafe.Pointer
	size int
}

func (guardedStore) Worker(int) (Worker, error) { return guardedWorker{}, nil }
func (guardedStore) Close() error               { return nil }

type guardedWorker struct{}

func (guardedWorker) Seal(secret []byte) (Secret, error) {
	s := &guardedSecret{size: len(secret)}
	var at unsafe.Pointer
	if err := sodiumError("sodium_malloc", C.guarded_new(&at, first(secret), C.size_t(len(secret)))); err != nil {
		return nil, err
	}
	s.at = at
	C.sodium_memzero(unsafe.Pointer(first(secret)), C.size_t(len(secret)))
	return s, nil
}

func (guardedWorker) Free(s Secret) error { C.sodium_free(s.(*guardedSecret).at); return nil }

func (guardedWorker) Use(s Secret, fn func([]byte) error) error {
	g := s.(*guardedSecret)
	if C.sodium_mprotect_readonly(g.at) != 0 {
		return errors.New("sodium_mprotect_readonly failed")
	}
	errFn := fn(unsafe.Slice((*byte)(g.at), g.size))
	if C.sodium_mprotect_noaccess(g.at) != 0 {
		return errors.New("sodium_mprotect_noaccess failed")
	}
	return errFn
}

func (w guardedWorker) Open(s Secret, fn func([]byte) error) error { return w.Use(s, fn) }
func (guardedWorker) Close() error                                 { return nil }
