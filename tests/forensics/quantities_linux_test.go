//go:build amd64 || arm64

package forensics

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"golang.org/x/crypto/chacha20"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/memkeep/memkeep/internal/testenv"
)

// The kinds of secret quantities.
const (
	ofKey = iota
	ofShare
	ofSubkey
	ofPoly1305
	ofKeystream
	ofPlaintext
	ofControl
	ofBroadcast // see addBroadcast
	ofOpen      // what a buffer holds that is open
	quantities
)

var quantityNames = [quantities]string{
	"session key", "key share", "subkey", "Poly1305 key", "keystream", "plaintext", "control", "words of a subkey", "open buffer",
}

// must is for what fails only on wrong lengths.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// sessionKey puts the shares together, as the package coffer's doc says.
func sessionKey(left, right []byte) []byte {
	key := testenv.HChaCha(8, right, []byte("memkeep share v1"))
	for i := range key {
		key[i] ^= left[i]
	}
	return key
}

// nonceOf is the nonce of the package coffer.
func nonceOf(counter uint64, prefix []byte) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, counter), prefix...)
}

// blocks returns ChaCha20 blocks from the given one on.
func blocks(subkey, nonce []byte, first uint32, n int) []byte {
	c := must(chacha20.NewUnauthenticatedCipher(subkey, append(make([]byte, 4), nonce[16:]...)))
	c.SetCounter(first)
	stream := make([]byte, n)
	c.XORKeyStream(stream, stream)
	return stream
}

// addMessage adds what protects one message: what sealing or opening it
// computes.
func (s *patterns) addMessage(key, nonce []byte, size int) {
	subkey := must(chacha20.HChaCha20(key, nonce[:16]))
	s.add(ofSubkey, subkey)
	s.addStream(subkey, nonce, size)
}

func (s *patterns) addStream(subkey, nonce []byte, size int) {
	poly := blocks(subkey, nonce, 0, 64)
	s.add(ofPoly1305, poly[:32])
	s.add(ofPoly1305, clamped(poly[:16]))
	s.add(ofKeystream, poly[32:]) // of block 0, used by nobody, but computed
	s.add(ofKeystream, blocks(subkey, nonce, 1, min(size, 128)))
	if size > 128+64 {
		s.add(ofKeystream, blocks(subkey, nonce, uint32(1+size/64), 64))
	}
}

// addBroadcasts adds the subkeys of the enclaves that are now, as vector registers
// hold them when several blocks are computed side by side: one word, many times.
// That is no more than 32 bits, which memory may hold by chance: only two
// different words together are taken for a find.
func (s *patterns) addBroadcasts(b *board, epochs []epoch) {
	for i := range secrets {
		for _, e := range epochs {
			if b.sealed[i] == 0 {
				continue
			}
			subkey := must(chacha20.HChaCha20(e.key, nonceOf(b.sealed[i]-1, e.prefix)[:16]))
			for ; len(subkey) > 0; subkey = subkey[4:] {
				s.add(ofBroadcast, bytes.Repeat(subkey[:4], 4))
			}
		}
	}
}

func clamped(r []byte) []byte {
	out := make([]byte, 16)
	binary.LittleEndian.PutUint64(out, binary.LittleEndian.Uint64(r)&0x0ffffffc0fffffff)
	binary.LittleEndian.PutUint64(out[8:], binary.LittleEndian.Uint64(r[8:])&0x0ffffffc0ffffffc)
	return out
}

// sealControl returns 24 bytes of nonce and a message of 24 bytes sealed under
// the key.
func sealControl(key []byte) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX)
	for i := range nonce {
		nonce[i] = byte(rand.Uint32())
	}
	return must(chacha20poly1305.NewX(key)).Seal(nonce, nonce, make([]byte, 24), nil)
}

// A history is what the examiner learned from the board so far.
type history struct {
	shares map[snapshot]bool
	used   map[use]bool
	epochs []epoch // oldest first
}

// A use is a message that was sealed or opened, possibly under this key.
type use struct {
	counter     uint64
	key, prefix string
}

// An epoch is the time of one session key.
type epoch struct{ key, prefix []byte }

// learn reads the board, and returns what is new on it and the epochs that
// matter now. The child is stopped, or at rest.
func (h *history) learn(b *board) (shares []snapshot, counters []uint64) {
	if h.shares == nil {
		h.shares, h.used = map[snapshot]bool{}, map[use]bool{}
	}
	// The place of the oldest may be half overwritten just now.
	oldest := max(b.sharesAll, snapshots-1) - (snapshots - 1)
	for n := oldest; n < b.sharesAll; n++ {
		s := b.shares[n%snapshots]
		shares = append(shares, s)
		if h.shares[s] {
			continue
		}
		h.shares[s] = true
		key := sessionKey(unmask(s.maskedLeft[:]), unmask(s.maskedRight[:]))
		if len(h.epochs) == 0 || string(h.epochs[len(h.epochs)-1].key) != string(key) {
			h.epochs = append(h.epochs, epoch{key, s.prefix[:]})
		}
	}
	for w := range b.recent {
		for _, c := range b.recent[w] {
			if c != 0 {
				counters = append(counters, c-1)
				for _, e := range h.current() {
					h.used[use{c - 1, string(e.key), string(e.prefix)}] = true
				}
			}
		}
	}
	return shares, counters
}

// current returns the last epochs.
func (h *history) current() []epoch { return h.epochs[max(len(h.epochs), 2)-2:] }

// known returns the patterns of what never changes, and of the enclaves that
// are.
func known(b *board, epochs []epoch) *patterns {
	s := newPatterns()
	for i := range secrets {
		s.add(ofPlaintext, b.secret(i))
		if b.sealed[i] == 0 {
			continue
		}
		for _, e := range epochs {
			s.addMessage(e.key, nonceOf(b.sealed[i]-1, e.prefix), size(i))
		}
	}
	for _, e := range epochs {
		s.add(ofKey, e.key)
	}
	s.add(ofControl, unmask(b.maskedControl[:]))
	return s
}

func (s *patterns) addShares(list []snapshot) {
	for i := range list {
		s.add(ofShare, unmask(list[i].maskedLeft[:]))
		s.add(ofShare, unmask(list[i].maskedRight[:]))
	}
}

func describe(counts [quantities]int) string {
	out := ""
	for q, n := range counts {
		if n > 0 {
			out += fmt.Sprintf(" %s %d,", quantityNames[q], n)
		}
	}
	if out == "" {
		return "nothing"
	}
	return out[1 : len(out)-1]
}
