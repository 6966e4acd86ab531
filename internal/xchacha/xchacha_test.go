package xchacha

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"unsafe"

	"golang.org/x/crypto/chacha20"

	"github.com/memkeep/memkeep/internal/testenv"
)

// roundTrip seals and opens plaintext, apart and in place, and compares with
// x/crypto.
func roundTrip(t *testing.T, k kernel, key []byte, nonce *[NonceSize]byte, plaintext []byte, dstOffset int) {
	t.Helper()
	want := sealed(t, key, nonce, plaintext)
	s, shares := newState(), split(t, key)
	n := len(plaintext)

	dst := newCanaried(n+TagSize, dstOffset)
	k.sealMessage(s, dst.data, plaintext, nonce, shares)
	checkClean(t, s)
	dst.check(t)
	if !bytes.Equal(dst.data, want) {
		t.Fatalf("sealed %d bytes: ciphertext right is %v, tag right is %v", n,
			bytes.Equal(dst.data[:n], want[:n]), bytes.Equal(dst.data[n:], want[n:]))
	}

	back := newCanaried(n, dstOffset)
	if !k.openMessage(s, back.data, dst.data, nonce, shares) {
		t.Fatalf("opened %d bytes: wrong tag", n)
	}
	checkClean(t, s)
	back.check(t)
	if !bytes.Equal(back.data, plaintext) {
		t.Fatalf("opened %d bytes: wrong plaintext", n)
	}

	clear(dst.data)
	copy(dst.data, plaintext)
	k.sealMessage(s, dst.data, dst.data[:n], nonce, shares)
	dst.check(t)
	if !bytes.Equal(dst.data, want) {
		t.Fatalf("sealed %d bytes in place: wrong ciphertext", n)
	}
	if !k.openMessage(s, dst.data[:n], dst.data, nonce, shares) {
		t.Fatalf("opened %d bytes in place: wrong tag", n)
	}
	dst.check(t)
	if !bytes.Equal(dst.data[:n], plaintext) || !bytes.Equal(dst.data[n:], want[n:]) {
		t.Fatalf("opened %d bytes in place: wrong plaintext", n)
	}
}

func TestXOR(t *testing.T) {
	t.Parallel()
	var a, b, want [KeySize]byte
	random := newSource(20)
	copy(a[:], random.bytes(KeySize))
	copy(b[:], random.bytes(KeySize))
	for i := range want {
		want[i] = a[i] ^ b[i]
	}
	if XOR(&a, &b); a != want {
		t.Errorf("got %x, want %x", a, want)
	}
	if XOR(&a, &a); a != [KeySize]byte{} {
		t.Errorf("of one with itself: %x", a)
	}
}

func TestEveryLength(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		random := newSource(1)
		key, nonce, plaintext := random.bytes(KeySize), random.nonce(), random.bytes(5000)
		next := testenv.Sampled(5)
		for n := range len(plaintext) + 1 {
			if next() {
				roundTrip(t, k, key, nonce, plaintext[:n], 0)
			}
		}
	})
}

func TestLongMessages(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		random := newSource(2)
		plaintext := random.bytes(200_003)
		lengths := []int{5_001, 9_999, 100_000, len(plaintext)}
		for parts := 1; parts <= 4; parts++ {
			for _, over := range []int{-65, -64, -1, 0, 1, 63, 64, 511, 512, 513} {
				lengths = append(lengths, parts*partSize-blockSize+over)
			}
		}
		for _, n := range lengths {
			roundTrip(t, k, random.bytes(KeySize), random.nonce(), plaintext[:n], n%64)
		}
	})
}

func TestEveryAlignment(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		random := newSource(3)
		key, nonce := random.bytes(KeySize), random.nonce()
		lengths := []int{1, 31, 64, 192, 500, 1500, 4500}
		next := testenv.Sampled(5)
		for src := range 64 {
			for dst := range 64 {
				if !next() {
					continue
				}
				plaintext := aligned(lengths[(src+dst)%len(lengths)], src)
				random.Read(plaintext)
				roundTrip(t, k, key, nonce, plaintext, dst)
			}
		}
	})
}

// Between the parts of a message the State holds its subkey, which opens that
// message alone. The key, which opens all, must not be there even then.
func TestNoKeyInTheStateBetweenParts(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		random := newSource(9)
		key, nonce, src := random.bytes(KeySize), random.nonce(), random.bytes(partSize)
		shares, dst := split(t, key), make([]byte, partSize)
		mask := testenv.HChaCha(8, shares.Right[:], shares.Domain[:])
		subkey, err := chacha20.HChaCha20(key, nonce[:16])
		if err != nil {
			t.Fatal(err)
		}
		const n = partSize - blockSize
		for name, part := range map[string]func(s *State){
			"seal": func(s *State) { k.seal(s, dst, src[:n], nonce, shares, first) },
			"open": func(s *State) { k.open(s, dst[:n], src, nonce, shares, first) },
		} {
			s := newState()
			part(s)
			mem := unsafe.Slice((*byte)(unsafe.Pointer(s)), StateSize)
			for what, secret := range map[string][]byte{"key": key, "left share": shares.Left[:], "right share's hash": mask} {
				for i := 0; i < KeySize; i += 8 {
					if bytes.Contains(mem, secret[i:i+8]) {
						t.Errorf("%s: byte %d of the %s is in the State", name, i, what)
					}
				}
			}
			if !bytes.Contains(mem, subkey) {
				t.Errorf("%s: the subkey is not where it is kept", name)
			}
		}
	})
}

// A changed byte anywhere must be noticed, and nothing of the plaintext may
// remain.
func TestTampering(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		random := newSource(4)
		s, key := newState(), random.bytes(KeySize)
		shares := split(t, key)
		for _, n := range []int{0, 1, 16, 32, 63, 65, 193, 449, 700, partSize - blockSize + 100} {
			nonce := random.nonce()
			ciphertext := sealed(t, key, nonce, random.bytes(n))
			step := 1 + len(ciphertext)/1000*20
			for i := range ciphertext {
				if i%step != 0 && i < n {
					continue
				}
				ciphertext[i] ^= 1 << (i % 8)
				checkRejected(t, k, s, ciphertext, nonce, shares, i%64)
				ciphertext[i] ^= 1 << (i % 8)
			}
			nonce[n%NonceSize] ^= 4
			checkRejected(t, k, s, ciphertext, nonce, shares, 0)
			nonce[n%NonceSize] ^= 4
			for _, share := range [][]byte{shares.Left[:], shares.Right[:], shares.Domain[:]} {
				share[n%len(share)] ^= 4
				checkRejected(t, k, s, ciphertext, nonce, shares, 0)
				share[n%len(share)] ^= 4
			}
			if n > 0 {
				checkRejected(t, k, s, ciphertext[1:], nonce, shares, 0)
				checkRejected(t, k, s, ciphertext[:n+TagSize-1], nonce, shares, 0)
			}
		}
	})
}

func checkRejected(t *testing.T, k kernel, s *State, ciphertext []byte, nonce *[NonceSize]byte, key *Shares, offset int) {
	t.Helper()
	n := len(ciphertext) - TagSize
	dst := newCanaried(n, offset)
	inPlace := newCanaried(n+TagSize, offset)
	copy(inPlace.data, ciphertext)
	for _, opened := range []bool{
		k.openMessage(s, dst.data, ciphertext, nonce, key),
		k.openMessage(s, inPlace.data[:n], inPlace.data, nonce, key),
	} {
		if opened {
			t.Fatalf("opened a wrong ciphertext of %d bytes", n)
		}
	}
	dst.check(t)
	inPlace.check(t)
	zero := make([]byte, n)
	if !bytes.Equal(dst.data, zero) || !bytes.Equal(inPlace.data[:n], zero) {
		t.Fatalf("dst is not cleared after a wrong ciphertext of %d bytes", n)
	}
	if !bytes.Equal(inPlace.data[n:], ciphertext[n:]) {
		t.Fatalf("the tag was overwritten")
	}
	checkClean(t, s)
}

func TestTooShort(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		for n := range TagSize {
			dst := []byte{1, 2, 3}
			if k.openMessage(newState(), dst, make([]byte, n), new([NonceSize]byte), &Shares{}) {
				t.Errorf("opened %d bytes", n)
			}
			if !bytes.Equal(dst, make([]byte, 3)) {
				t.Errorf("dst is not cleared after %d bytes", n)
			}
		}
	})
}

func TestHChaCha(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		random := newSource(5)
		s := newState()
		for offset := range 64 {
			key := (*[KeySize]byte)(aligned(KeySize, offset))
			in := (*[16]byte)(random.bytes(16))
			random.Read(key[:])
			rounds := []int{8, 20}[offset%2]
			want := testenv.HChaCha(rounds, key[:], in[:])
			dst := newCanaried(KeySize, offset)
			k.hChaCha(s, (*[KeySize]byte)(dst.data), key, in, rounds/2)
			dst.check(t)
			checkClean(t, s)
			k.hChaCha(s, &s.Key, key, in, rounds/2)
			if !bytes.Equal(s.Key[:], want) {
				t.Fatal("wrong key in the State")
			}
			clear(s.Key[:])
			checkClean(t, s)
			k.hChaCha(s, key, key, in, rounds/2)
			if !bytes.Equal(dst.data, want) || !bytes.Equal(key[:], want) {
				t.Fatal("wrong key")
			}
		}
	})
}

// The reference has the number of rounds as a variable. With twenty it is
// x/crypto's, and with eight it is ChaCha8 without the addition of its input, of
// which this is the first test vector of draft-strombergson-chacha-test-vectors-01
// (256 bits of key, all zero).
func TestReferenceOfHChaCha(t *testing.T) {
	t.Parallel()
	random := newSource(31)
	for range 10 {
		key, in := random.bytes(KeySize), random.bytes(16)
		want, err := chacha20.HChaCha20(key, in)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(testenv.HChaCha(20, key, in), want) {
			t.Fatal("twenty rounds: not x/crypto's")
		}
	}
	block := unhex(t, "3e00ef2f895f40d67f5bb8e81f09a5a12c840ec3ce9a7f3b181be188ef711a1e"+
		"984ce172b9216f419f445367456d5619314a42a3da86b001387bfdb80e0cfe42")
	got := testenv.HChaCha(8, make([]byte, KeySize), make([]byte, 16))
	for i, w := range sigma {
		binary.LittleEndian.PutUint32(got[4*i:], binary.LittleEndian.Uint32(got[4*i:])+w)
	}
	if !bytes.Equal(got[:16], block[:16]) || !bytes.Equal(got[16:], block[48:]) {
		t.Error("eight rounds: not ChaCha8")
	}
}

// The methods are the best kernel.
func TestMethods(t *testing.T) {
	t.Parallel()
	random := newSource(6)
	s, nonce, plaintext := newState(), random.nonce(), random.bytes(100)
	key := random.bytes(KeySize)
	shares := split(t, key)
	ciphertext := make([]byte, len(plaintext)+TagSize)
	s.Seal(ciphertext, plaintext, nonce, shares)
	if !bytes.Equal(ciphertext, sealed(t, key, nonce, plaintext)) {
		t.Error("Seal: wrong ciphertext")
	}
	back := make([]byte, len(plaintext))
	if !s.Open(back, ciphertext, nonce, shares) || !bytes.Equal(back, plaintext) {
		t.Error("Open: wrong plaintext")
	}
	want := testenv.HChaCha(8, key, nonce[:16])
	copy(s.Key[:], key)
	s.HChaCha8(&s.Key, &s.Key, (*[16]byte)(nonce[:]))
	if !bytes.Equal(s.Key[:], want) {
		t.Error("HChaCha8: wrong key")
	}
	s.Wipe()
	checkClean(t, s)
}

func TestNothingIsAllocated(t *testing.T) {
	s, shares := newState(), split(t, make([]byte, KeySize))
	ciphertext := make([]byte, 100+TagSize)
	allocated := testing.AllocsPerRun(100, func() {
		var nonce [NonceSize]byte
		var in [16]byte
		var buffer [100]byte
		s.Seal(ciphertext, buffer[:], &nonce, shares)
		if !s.Open(buffer[:], ciphertext, &nonce, shares) {
			t.Error("not opened")
		}
		s.HChaCha8(&s.Key, &s.Key, &in)
		s.Wipe()
	})
	if allocated != 0 {
		t.Errorf("%v allocations", allocated)
	}
}

func TestMisuse(t *testing.T) {
	t.Parallel()
	s, nonce, buffer := newState(), new([NonceSize]byte), make([]byte, 128)
	key := split(t, make([]byte, KeySize))
	for name, misuse := range map[string]func(){
		"State too short":  func() { StateAt(aligned(StateSize-1, 0)) },
		"State of nothing": func() { StateAt(nil) },
		"State misaligned": func() { StateAt(aligned(StateSize, 32)) },
		"Seal, dst short":  func() { s.Seal(buffer[:47], make([]byte, 32), nonce, key) },
		"Seal, dst long":   func() { s.Seal(buffer[:49], make([]byte, 32), nonce, key) },
		"Seal, overlap":    func() { s.Seal(buffer[:48], buffer[1:33], nonce, key) },
		"Seal, into tag":   func() { s.Seal(buffer[:48], buffer[40:72], nonce, key) },
		"Open, dst short":  func() { s.Open(make([]byte, 31), buffer[:48], nonce, key) },
		"Open, dst long":   func() { s.Open(make([]byte, 33), buffer[:48], nonce, key) },
		"Open, overlap":    func() { s.Open(buffer[1:33], buffer[:48], nonce, key) },
		"Open, from tag":   func() { s.Open(buffer[40:72], buffer[:48], nonce, key) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if message := fmt.Sprint(recover()); !bytes.HasPrefix([]byte(message), []byte("xchacha: internal error: ")) {
					t.Errorf("panicked with %q", message)
				}
			}()
			misuse()
		})
	}
}

// An operation that faulted leaves its State as it was then.
func TestWhatTheStateHeldMakesNoDifference(t *testing.T) {
	eachKernel(t, func(t *testing.T, k kernel) {
		random := newSource(40)
		key := random.bytes(KeySize)
		for _, n := range []int{0, 100, 700, 5000, 2*partSize + 1} {
			nonce, plaintext := random.nonce(), random.bytes(n)
			want := sealed(t, key, nonce, plaintext)
			held := func() *State {
				mem := aligned(StateSize, 0)
				random.Read(mem)
				return StateAt(mem)
			}
			got, opened := make([]byte, n+TagSize), make([]byte, n)
			k.sealMessage(held(), got, plaintext, nonce, split(t, key))
			if !bytes.Equal(got, want) {
				t.Errorf("sealed %d bytes: not what another State makes", n)
			}
			if !k.openMessage(held(), opened, want, nonce, split(t, key)) || !bytes.Equal(opened, plaintext) {
				t.Errorf("did not open %d bytes", n)
			}
		}
	})
}
