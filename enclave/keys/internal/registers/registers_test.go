//go:build amd64 || arm64

package registers

import (
	"bytes"
	"testing"
)

func TestClearLeavesNothing(t *testing.T) {
	t.Parallel()
	// A copy of so many bytes goes through registers that little else uses.
	src, dst := bytes.Repeat([]byte{0xa5}, 64), make([]byte, 64)
	pattern := src[:8]
	var with, without [Size]byte
	n := 48 + len(t.Name())%2 // not known to the compiler
	copy(dst[:n], src)
	Record(&with)
	copy(dst[:n], src)
	Clear()
	Record(&without)
	if !bytes.Contains(with[:], pattern) {
		t.Fatal("a copy leaves nothing in registers: nothing is tested")
	}
	if bytes.Contains(without[:], pattern) {
		t.Error("something is left")
	}
}
