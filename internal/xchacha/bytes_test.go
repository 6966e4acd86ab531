package xchacha

import (
	"bytes"
	"testing"
)

// Sizes around a word, a pair of words, and the part that one call takes.
var byteSizes = []int{0, 1, 7, 8, 9, 15, 16, 17, 31, 32, 100, 4096, partSize - 1, partSize, partSize + 1, 3*partSize + 5}

func TestCopyCopiesWhatTheShorterHolds(t *testing.T) {
	t.Parallel()
	random := newSource(20)
	for _, n := range byteSizes {
		for _, room := range []int{n, n + 3, n / 2} {
			src := random.bytes(n)
			dst := bytes.Repeat([]byte{0xa5}, room+2)
			if got := Copy(dst[1:1+room], src); got != min(n, room) {
				t.Fatalf("%d bytes of %d into %d", got, n, room)
			}
			want := bytes.Repeat([]byte{0xa5}, room+2)
			copy(want[1:1+room], src)
			if !bytes.Equal(dst, want) {
				t.Errorf("%d bytes into %d: not a copy", n, room)
			}
		}
	}
}

func TestCopyWithinItself(t *testing.T) {
	t.Parallel()
	random := newSource(23)
	for _, n := range byteSizes {
		for _, by := range []int{0, 1, 2, 7, 8, 15, 16, 17, n / 2, n} {
			mem := random.bytes(n + by + 1)
			up, down := bytes.Clone(mem), bytes.Clone(mem)
			copy(up[by:], mem[:n])
			copy(down[:n], mem[by:])
			got := bytes.Clone(mem)
			if Copy(got[by:by+n], got[:n]); !bytes.Equal(got, up) {
				t.Errorf("%d bytes up by %d: not a copy", n, by)
			}
			got = bytes.Clone(mem)
			if Copy(got[:n], got[by:by+n]); !bytes.Equal(got, down) {
				t.Errorf("%d bytes down by %d: not a copy", n, by)
			}
		}
	}
}

func TestEqualSeesEveryBit(t *testing.T) {
	t.Parallel()
	random := newSource(21)
	for _, n := range byteSizes {
		a := random.bytes(n)
		b := bytes.Clone(a)
		if !Equal(a, b) {
			t.Fatalf("%d bytes do not equal their copy", n)
		}
		if Equal(a, append(b, 0)) || n > 0 && Equal(a, b[1:]) {
			t.Errorf("%d bytes equal a different number", n)
		}
		for _, at := range []int{0, n / 3, n - 9, n - 2, n - 1} {
			if at < 0 || at >= n {
				continue
			}
			for bit := range 8 {
				b[at] ^= 1 << bit
				if Equal(a, b) || Equal(b, a) {
					t.Errorf("%d bytes: bit %d of byte %d is not seen", n, bit, at)
				}
				b[at] ^= 1 << bit
			}
		}
	}
}
