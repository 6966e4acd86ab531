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
	l := field(v, "left").Elem().Interface().(*[coffer.KeySize]byte)
	r := field(v, "right").Elem().Interface().([2]*[coffer.KeySize]byte)
	turn := field(v, "turn").Elem().Interface().(int)
	return (*[4]uint64)(unsafe.Pointer(l)), (*[4]uint64)(unsafe.Pointer(r[turn])),
		field(v, "prefix").Elem().Interface().([16]byte)
}

// sealedBytes returns the enclave's ciphertext.
func sealedBytes(e *enclave.Enclave) []byte {
	first := load(reflect.ValueOf(e), "sealed").Interface().(*byte)
	if first == nil {
		return nil
	}
	return unsafe.Slice(first, e.Size()+coffer.Overhead)
}
