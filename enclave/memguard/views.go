package memguard

import "unsafe"

// view returns the data as a slice of whole values, nil if it holds none. The
// data ends at a page's end, so that values are aligned if its size is a multiple
// of theirs.
func view[T any](b *LockedBuffer) []T {
	b.RLock()
	defer b.RUnlock()
	data := b.Bytes()
	var value T
	n := len(data) / int(unsafe.Sizeof(value))
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(data))), n)
}

// array returns the data's start as an array, nil if it is shorter.
func array[T any](b *LockedBuffer) *T {
	all := view[T](b)
	if all == nil {
		return nil
	}
	return &all[0]
}

// Uint16 returns the data itself as 16-bit unsigned integers in the machine's byte
// order, without an incomplete last one; nil if there are none.
func (b *LockedBuffer) Uint16() []uint16 { return view[uint16](b) }

// Uint32 is Uint16 for 32 bits.
func (b *LockedBuffer) Uint32() []uint32 { return view[uint32](b) }

// Uint64 is Uint16 for 64 bits.
func (b *LockedBuffer) Uint64() []uint64 { return view[uint64](b) }

// Int8 returns the data itself as 8-bit signed integers, nil if there are none.
func (b *LockedBuffer) Int8() []int8 { return view[int8](b) }

// Int16 is Uint16 for signed integers.
func (b *LockedBuffer) Int16() []int16 { return view[int16](b) }

// Int32 is Int16 for 32 bits.
func (b *LockedBuffer) Int32() []int32 { return view[int32](b) }

// Int64 is Int16 for 64 bits.
func (b *LockedBuffer) Int64() []int64 { return view[int64](b) }

// ByteArray8 returns the first 8 bytes of the data itself as an array, nil if
// there are fewer.
func (b *LockedBuffer) ByteArray8() *[8]byte { return array[[8]byte](b) }

// ByteArray16 is ByteArray8 for 16 bytes.
func (b *LockedBuffer) ByteArray16() *[16]byte { return array[[16]byte](b) }

// ByteArray32 is ByteArray8 for 32 bytes.
func (b *LockedBuffer) ByteArray32() *[32]byte { return array[[32]byte](b) }

// ByteArray64 is ByteArray8 for 64 bytes.
func (b *LockedBuffer) ByteArray64() *[64]byte { return array[[64]byte](b) }
