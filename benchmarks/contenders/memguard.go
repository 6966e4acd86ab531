package contenders

import (
	"reflect"
	"unsafe"

	"github.com/awnumar/memguard"
)

func memguardPeer() *Contender {
	return &Contender{
		Name:     Memguard,
		About:    "NewEnclave, Enclave.Open with LockedBuffer.Destroy; it has no settings",
		Module:   "github.com/awnumar/memguard",
		Ways:     []Way{Open},
		Promises: Promises{Encrypted: true, ReadOnly: true, After: map[Way]AfterClose{Open: Faults}},
		Start:    func() (Store, error) { return memguardStore{}, nil },
	}
}

// memguard has one session for the process.
type memguardStore struct{}

func (memguardStore) Worker(int) (Worker, error) { return memguardWorker{}, nil }
func (memguardStore) Purge() error               { memguard.Purge(); return nil }
func (memguardStore) Close() error               { memguard.Purge(); return nil }

// Ciphertext reaches the field of core.Enclave that has no door.
func (memguardStore) Ciphertext(s Secret) []byte {
	f := reflect.ValueOf(s.(*memguard.Enclave).Enclave).Elem().FieldByName("ciphertext")
	return *(*[]byte)(unsafe.Pointer(f.UnsafeAddr()))
}

type memguardWorker struct{}

func (memguardWorker) Seal(secret []byte) (Secret, error) { return memguard.NewEnclave(secret), nil }
func (memguardWorker) Free(Secret) error                  { return nil }

func (w memguardWorker) Use(s Secret, fn func([]byte) error) error { return w.Open(s, fn) }

func (memguardWorker) Open(s Secret, fn func([]byte) error) error {
	b, err := s.(*memguard.Enclave).Open()
	if err != nil {
		return err
	}
	err = fn(b.Bytes())
	b.Destroy()
	return err
}

func (memguardWorker) Close() error { return nil }
