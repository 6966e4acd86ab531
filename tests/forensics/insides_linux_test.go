//go:build amd64 || arm64

package forensics

import (
	"reflect"
	"unsafe"

	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/enclave"
)

// The library has no door to its shares, not even for its tests. The child gets
// at them as a debugger does, by the names of the fields.

// field returns a pointer to a field of the struct that p points to.
func field(p reflect.Value, name string) reflect.Value {
	f := p.Elem().FieldByName(name)
	if !f.IsValid() {
		panic(p.Type().String() + " has no field " + name + " any more: adapt the forensics")
	}
	return reflect.NewAt(f.Type(), unsafe.Pointer(f.UnsafeAddr()))
}

// load is Load of an atomic.Pointer field.
func load(p reflect.Value, name string) reflect.Value {
	return field(p, name).MethodByName("Load").Call(nil)[0]
}

// cofferOf returns the session's coffer.
func cofferOf(s *enclave.Session) *coffer.Coffer {
	return field(load(reflect.ValueOf(s), "core"), "coffer").Elem().Interface().(*coffer.Coffer)
}

// sharesOf returns where the shares lie now, and the prefix of nonces. Nothing
// may change them meanwhile.
func sharesOf(c *coffer.Coffer) (left, right *[4]uint64, prefix [16]byte) {
	v := reflect.ValueOf(c)
	key := field(v, "key").Elem()
	l := field(key, "Left").Elem().Interface().(*[coffer.KeySize]byte)
	r := field(key, "Right").Elem().Interface().(*[coffer.KeySize]byte)
	return (*[4]uint64)(unsafe.Pointer(l)), (*[4]uint64)(unsafe.Pointer(r)),
		field(v, "prefix").Elem().Interface().([16]byte)
}

// sealedBytes returns the enclave's ciphertext, which follows its struct.
func sealedBytes(e *enclave.Enclave) []byte {
	size := e.Size()
	if size == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Add(unsafe.Pointer(e), unsafe.Sizeof(*e))), size+coffer.Overhead)
}
