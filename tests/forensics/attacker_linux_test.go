//go:build amd64 || arm64

package forensics

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/memkeep/memkeep/coffer"
)

// An attacker has a dump and knows how the library works. It takes every 32
// bytes at a multiple of 8 for a key, and tries them on the ciphertexts that it
// finds in the same dump. One plaintext is known to it, which saves the tags.

// permute is ChaCha20's twenty rounds.
func permute(x *[16]uint32) {
	quarter := func(a, b, c, d *uint32) {
		*a += *b
		*d = bits.RotateLeft32(*d^*a, 16)
		*c += *d
		*b = bits.RotateLeft32(*b^*c, 12)
		*a += *b
		*d = bits.RotateLeft32(*d^*a, 8)
		*c += *d
		*b = bits.RotateLeft32(*b^*c, 7)
	}
	for range 10 {
		for i := range 4 {
			quarter(&x[i], &x[4+i], &x[8+i], &x[12+i])
		}
		for i := range 4 {
			quarter(&x[i], &x[4+(i+1)%4], &x[8+(i+2)%4], &x[12+(i+3)%4])
		}
	}
}

var sigma = [4]uint32{0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}

func input(key *[8]uint32, last [4]uint32) [16]uint32 {
	var x [16]uint32
	copy(x[:], sigma[:])
	copy(x[4:], key[:])
	copy(x[12:], last[:])
	return x
}

func words4(b []byte) (w [4]uint32) {
	for i := range w {
		w[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	return w
}

// subkeyOf is HChaCha20.
func subkeyOf(key *[8]uint32, nonce [4]uint32) (subkey [8]uint32) {
	x := input(key, nonce)
	permute(&x)
	copy(subkey[:], x[:4])
	copy(subkey[4:], x[12:])
	return subkey
}

// streamOf returns the first 8 bytes of the keystream that encrypts.
func streamOf(subkey *[8]uint32, tail [2]uint32) uint64 {
	x := input(subkey, [4]uint32{1, 0, tail[0], tail[1]})
	permute(&x)
	return uint64(x[0]+sigma[0]) | uint64(x[1]+sigma[1])<<32
}

// A target is a message: what encrypts its first 8 bytes is known.
type target struct {
	head   [4]uint32 // of the nonce
	tail   [2]uint32
	stream uint64
}

func newTarget(nonce, ciphertext, plaintext []byte) target {
	return target{
		head:   words4(nonce),
		tail:   [2]uint32{binary.LittleEndian.Uint32(nonce[16:]), binary.LittleEndian.Uint32(nonce[20:])},
		stream: binary.LittleEndian.Uint64(ciphertext) ^ binary.LittleEndian.Uint64(plaintext),
	}
}

// An opening is what a window turned out to be.
type opening struct {
	addr uint64
	what string
}

// attack tries the windows of the chunks that are not locked.
func attack(m memory, one, control target, streams map[uint64]bool) (found []opening, windows int) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	work := make(chan chunk)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for c := range work {
				opened, n := attackChunk(c, one, control, streams)
				mu.Lock()
				found, windows = append(found, opened...), windows+n
				mu.Unlock()
			}
		})
	}
	for _, c := range m.chunks {
		const part = 1 << 18
		for at := 0; !c.of.locked && at < len(c.bytes); at += part {
			end := min(at+part+24, len(c.bytes)) // windows over the seam too
			work <- chunk{c.start + uint64(at), c.bytes[at:end], c.of}
		}
	}
	close(work)
	wg.Wait()
	return found, windows
}

func attackChunk(c chunk, one, control target, streams map[uint64]bool) (found []opening, windows int) {
	for at := 0; at+32 <= len(c.bytes); at += 8 {
		var key [8]uint32
		likely := true
		for i := 0; i < 32; i += 8 {
			w := binary.LittleEndian.Uint64(c.bytes[at+i:])
			likely = likely && w != 0 // no key has eight zeros in a row
			key[i/4], key[i/4+1] = uint32(w), uint32(w>>32)
		}
		if !likely {
			continue
		}
		windows++
		addr := c.start + uint64(at)
		subkey := subkeyOf(&key, one.head)
		if streamOf(&subkey, one.tail) == one.stream {
			found = append(found, opening{addr, "session key"})
		}
		// The messages of one session have the end of their nonces in common.
		if streams[streamOf(&key, one.tail)] {
			found = append(found, opening{addr, "subkey"})
		}
		subkey = subkeyOf(&key, control.head)
		if streamOf(&subkey, control.tail) == control.stream {
			found = append(found, opening{addr, "control"})
		}
	}
	return found, windows
}

// ciphertext finds the enclave's sealed bytes in the dump: behind its counter,
// what opens under the session key.
func ciphertext(m memory, e epoch, counter uint64, size int) []byte {
	needle := binary.LittleEndian.AppendUint64(nil, counter)
	aead := must(chacha20poly1305.NewX(e.key))
	for _, c := range m.chunks {
		for rest := c.bytes; ; {
			at := bytes.Index(rest, needle)
			if at < 0 {
				break
			}
			rest = rest[at:]
			if len(rest) >= size+coffer.Overhead {
				if _, err := aead.Open(nil, nonceOf(counter, e.prefix), rest[8:size+coffer.Overhead], nil); err == nil {
					return rest[:size+coffer.Overhead]
				}
			}
			rest = rest[1:]
		}
	}
	return nil
}

func TestNothingInOrdinaryMemoryOpensACiphertext(t *testing.T) {
	eachBackend(t, func(t *testing.T, backend string) {
		s := start(t, "load", backend)
		s.expect("loaded")
		s.work()
		s.rest()
		s.freezeHandled()
		m, err := s.x.read()
		if err != nil {
			t.Fatal(err)
		}
		now := s.h.epochs[len(s.h.epochs)-1]
		streams := map[uint64]bool{}
		var one target
		for i := range secrets {
			counter := s.board.sealed[i] - 1
			sealed := ciphertext(m, now, counter, size(i))
			if sealed == nil {
				t.Fatalf("the ciphertext of secret %d is not in the dump", i)
			}
			one = newTarget(nonceOf(counter, now.prefix), sealed[8:], s.board.secret(i))
			streams[one.stream] = true
		}
		control := newTarget(s.board.controlSealed[:24], s.board.controlSealed[24:], make([]byte, 8))
		found, windows := attack(m, one, control, streams)
		s.thaw()
		controls := 0
		for _, f := range found {
			if f.what == "control" {
				controls++
				continue
			}
			t.Errorf("32 bytes at %x are a %s", f.addr, f.what)
		}
		if controls == 0 {
			t.Error("the control's key does not open its message: the attack proves nothing")
		}
		t.Logf("%d windows of %d bytes tried on %d ciphertexts; the control opened", windows, m.total, len(streams))
	})
}

// The attack works on the very keys, or it would prove nothing.
func TestAttackOpensWithTheRightKeys(t *testing.T) {
	t.Parallel()
	key, nonce, plaintext := bytes.Repeat([]byte{1, 2, 3}, 11)[:32], bytes.Repeat([]byte{7, 9}, 12), []byte("known to the attacker")
	sealed := must(chacha20poly1305.NewX(key)).Seal(nil, nonce, plaintext, nil)
	one := newTarget(nonce, sealed, plaintext)
	mem := make([]byte, 200)
	copy(mem[8:], key)
	subkey := subkeyOf((*[8]uint32)(append(sliceOf(words4(key)), sliceOf(words4(key[16:]))...)), one.head)
	for i, w := range subkey {
		binary.LittleEndian.PutUint32(mem[80+4*i:], w)
	}
	found, _ := attackChunk(chunk{0, mem, mapping{}}, one, target{}, map[uint64]bool{one.stream: true})
	if len(found) != 2 || found[0] != (opening{8, "session key"}) || found[1] != (opening{80, "subkey"}) {
		t.Errorf("found %v", found)
	}
}

func sliceOf(w [4]uint32) []uint32 { return w[:] }
