//go:build amd64 || arm64

package forensics

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"unsafe"
)

const (
	secrets    = 24
	largest    = 4104 // bytes of the largest secret
	workers    = 8
	recent     = 16  // operations that a worker's part of the board remembers
	snapshots  = 128 // of the shares that the board remembers
	maskOfWord = 0x9d3f5c1ae6b27048
)

// sizes of the secrets, in turn.
var sizes = []int{32, 16, 64, 100, 33, 256, 1000, largest}

// A board is the file that both processes have mapped. It has no pointers.
// Fields named masked are XORed with maskOfWord, word by word.
type board struct {
	// The examiner fills these in before the child starts.
	maskedControl [4]uint64 // to lie in ordinary memory
	maskedKey     [4]uint64 // another one: it opens controlSealed
	controlSealed [64]byte  // nonce 24, ciphertext, tag
	maskedSecrets [secrets][largest / 8]uint64
	maskedNewX    [4]uint64 // key for chacha20poly1305.NewX
	stop          uint64    // set while the child works, to make it stop

	// The child reports these.
	anchor    uint64 // where function anchor lies
	counts    [kinds]uint64
	sealed    [secrets]uint64 // the counters of the enclaves that are now
	recent    [workers][recent]uint64
	recentAll [workers]uint64 // how many there were
	shares    [snapshots]snapshot
	sharesAll uint64
	peer      [secrets][64 + 32]byte // sealed bytes of the peers, nonce first
	mapsSize  uint64
	maps      [1 << 17]byte // what the child itself sees of its mappings
}

// A snapshot is the shares after one change of them.
type snapshot struct {
	maskedLeft, maskedRight [4]uint64
	prefix                  [16]byte
}

// What the child counts.
const (
	kindNew = iota
	kindSeal
	kindUse
	kindUseAll
	kindOpen
	kindEqual
	kindRekey
	kindPurge
	kindGC
	kinds
)

var kindNames = [kinds]string{"New", "Seal", "Use", "UseAll", "Open", "Equal and Copy", "Refresh", "Purge", "GC"}

func mapBoard(path string) (*board, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mem, err := syscall.Mmap(int(f.Fd()), 0, int(unsafe.Sizeof(board{})), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	return (*board)(unsafe.Pointer(&mem[0])), nil
}

// newBoard returns a board with fresh secrets, and its file.
func newBoard(t *testing.T) (*board, string) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "board")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(unsafe.Sizeof(board{}))); err != nil {
		t.Fatal(err)
	}
	b, err := mapBoard(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		mem := unsafe.Slice((*byte)(unsafe.Pointer(b)), unsafe.Sizeof(*b))
		if err := syscall.Munmap(mem); err != nil {
			t.Error(err)
		}
	})
	random := func(words []uint64) {
		for i := range words {
			words[i] = rand.Uint64()
		}
	}
	random(b.maskedControl[:])
	random(b.maskedKey[:])
	random(b.maskedNewX[:])
	for i := range b.maskedSecrets {
		random(b.maskedSecrets[i][:])
	}
	copy(b.controlSealed[:], sealControl(unmask(b.maskedKey[:])))
	return b, f.Name()
}

// unmask returns the bytes that the words stand for. Only the examiner may.
func unmask(words []uint64) []byte {
	var out []byte
	for _, w := range words {
		out = binary.NativeEndian.AppendUint64(out, w^maskOfWord)
	}
	return out
}

// size of a secret.
func size(i int) int { return sizes[i%len(sizes)] }

func (b *board) secret(i int) []byte { return unmask(b.maskedSecrets[i][:])[:size(i)] }
