//go:build amd64 || arm64

package forensics

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// piece is the length of what is searched for: half of a key, one register.
const piece = 16

// patterns are the pieces to find. A filter of bits over their first words
// makes the search as fast as reading.
type patterns struct {
	kind   map[[piece]byte]int
	filter []uint64
}

const filterBits = 21

func newPatterns() *patterns {
	return &patterns{make(map[[piece]byte]int), make([]uint64, 1<<filterBits/64)}
}

func bit(word uint64) uint64 { return word * 0x9e3779b97f4a7c15 >> (64 - filterBits) }

// add adds a quantity's pieces: every 16 bytes, and the last 16.
func (s *patterns) add(kind int, quantity []byte) {
	for at := 0; at < len(quantity); at += piece {
		p := [piece]byte(quantity[min(at, len(quantity)-piece):])
		s.kind[p] = kind
		h := bit(binary.NativeEndian.Uint64(p[:]))
		s.filter[h/64] |= 1 << (h % 64)
	}
}

// A hit is a piece that was found at an offset.
type hit struct {
	at   int
	kind int
}

// find returns the pieces that are in mem, at whatever alignment.
func (s *patterns) find(mem []byte) []hit {
	var hits []hit
	for i := 0; i+piece <= len(mem); i++ {
		word := binary.NativeEndian.Uint64(mem[i:])
		if word == 0 { // the first word of no piece
			for i+8+piece <= len(mem) && binary.NativeEndian.Uint64(mem[i+8:]) == 0 {
				i += 8
			}
			continue
		}
		h := bit(word)
		if s.filter[h/64]&(1<<(h%64)) == 0 {
			continue
		}
		if kind, ok := s.kind[[piece]byte(mem[i:])]; ok {
			hits = append(hits, hit{i, kind})
		}
	}
	return hits
}

func TestSearchFindsPiecesAtEveryOffset(t *testing.T) {
	t.Parallel()
	secret := make([]byte, 40)
	for i := range secret {
		secret[i] = byte(rand.Uint32()) | 1
	}
	s := newPatterns()
	s.add(ofPlaintext, secret)
	for at := range 64 {
		for _, part := range []struct{ from, to, want int }{
			{0, 40, 3}, {0, 16, 1}, {16, 32, 1}, {24, 40, 1}, {0, 32, 2}, {1, 16, 0}, {0, 15, 0}, {8, 24, 0},
		} {
			mem := make([]byte, 256)
			copy(mem[at:], secret[part.from:part.to])
			if got := len(s.find(mem)); got != part.want {
				t.Errorf("bytes %d to %d at %d: found %d pieces, want %d", part.from, part.to, at, got, part.want)
			}
			if got := len(s.find(mem[:at+part.to-part.from])); got != part.want {
				t.Errorf("bytes %d to %d at the end: found %d pieces, want %d", part.from, part.to, got, part.want)
			}
		}
	}
}
