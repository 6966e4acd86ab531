package workload

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/memkeep/memkeep/benchmarks/contenders"
	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/locked"
)

// Ways for a program to hold very many secrets of one size.
const (
	// Enclaves are []*enclave.Enclave, as most programs have them.
	Enclaves = "enclaves"
	// OneSlice is sealed by coffer.Seal into one slice of bytes, which the
	// garbage collector does not look into.
	OneSlice = "coffer.Seal into one slice"
	// BareObjects are as many pointers as Enclaves has, each to a ciphertext of the
	// bare cipher: what is no work of ours.
	BareObjects = "bare cipher, one object each"
)

// Holders returns the ways, in the order of tables.
func Holders() []string { return []string{Enclaves, OneSlice, BareObjects} }

// A holder holds secrets of one size, numbered from zero. It seals one after the
// other, and is used by one goroutine at a time.
type holder interface {
	seal(i int, secret []byte) error
	use(i int, fn func([]byte) error) error
	purge() error // errNoPurge without one
	close() error
}

func newHolder(kind string, secrets, size int) (holder, error) {
	switch kind {
	case Enclaves:
		s, err := enclave.NewSession(enclave.Config{})
		return &enclaves{session: s, all: make([]*enclave.Enclave, secrets)}, err
	case OneSlice:
		return newOneSlice(secrets, size)
	case BareObjects:
		return newBareObjects(secrets, size)
	}
	return nil, fmt.Errorf("no way to hold secrets is called %q", kind)
}

type enclaves struct {
	session *enclave.Session
	all     []*enclave.Enclave
}

func (h *enclaves) seal(i int, secret []byte) (err error) {
	h.all[i], err = h.session.New(secret)
	return err
}

func (h *enclaves) use(i int, fn func([]byte) error) error { return h.all[i].Use(fn) }
func (h *enclaves) purge() error                           { return h.session.Purge() }
func (h *enclaves) close() error                           { return h.session.Close() }

// oneSlice has one secret behind the other.
type oneSlice struct {
	pool   *locked.Pool
	coffer *coffer.Coffer
	size   int
	sealed []byte
}

func newOneSlice(secrets, size int) (holder, error) {
	pool, err := locked.NewPool(locked.Config{UseSlots: runtime.GOMAXPROCS(0) + 1})
	if err != nil {
		return nil, err
	}
	c, err := coffer.New(pool, coffer.Config{})
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &oneSlice{pool, c, size, make([]byte, secrets*(size+coffer.Overhead))}, nil
}

func (h *oneSlice) at(i int) []byte {
	n := h.size + coffer.Overhead
	return h.sealed[i*n : (i+1)*n]
}

func (h *oneSlice) seal(i int, secret []byte) error {
	err := h.coffer.Seal(h.at(i), secret)
	clear(secret)
	return err
}

func (h *oneSlice) use(i int, fn func([]byte) error) error {
	return h.pool.Use(context.Background(), h.size, func(b []byte) error { return h.coffer.Open(b, h.at(i)) }, fn)
}

func (h *oneSlice) purge() error { return errors.Join(h.coffer.Reset(), h.pool.Purge()) }
func (h *oneSlice) close() error { return errors.Join(h.coffer.Close(), h.pool.Close()) }

// bareObjects has objects as large as an enclave of the size.
type bareObjects struct {
	all  []unsafe.Pointer // to the first byte of each
	size int
	bare *contenders.Cipher
}

func newBareObjects(secrets, size int) (holder, error) {
	c, err := contenders.NewCipher()
	return &bareObjects{all: make([]unsafe.Pointer, secrets), size: size, bare: c}, err
}

func (h *bareObjects) seal(i int, secret []byte) error {
	b := make([]byte, int(unsafe.Sizeof(enclave.Enclave{}))+h.size+coffer.Overhead)
	h.bare.Seal(b[:h.size+chacha20poly1305.Overhead], uint64(i), secret)
	clear(secret)
	h.all[i] = unsafe.Pointer(unsafe.SliceData(b))
	return nil
}

func (h *bareObjects) use(i int, fn func([]byte) error) error {
	opened, err := h.bare.Open(unsafe.Slice((*byte)(h.all[i]), h.size+chacha20poly1305.Overhead), uint64(i))
	if err != nil {
		return err
	}
	return fn(opened)
}

func (h *bareObjects) purge() error { return errNoPurge }
func (h *bareObjects) close() error { return nil }

// A growth is a holder with its secrets.
type growth struct {
	holder
	kind    string
	secrets int
}

// grow seals r.Secrets secrets, and measures what they take.
func grow(r Request) (*growth, Sample, error) {
	before := takeFootprint()
	h, err := newHolder(r.Holder, r.Secrets, r.Size)
	if err != nil {
		return nil, Sample{}, err
	}
	source, secret := randomBytes(r.Size), make([]byte, r.Size)
	began := time.Now()
	for i := range r.Secrets {
		copy(secret, source)
		if err := h.seal(i, secret); err != nil {
			return nil, Sample{}, errors.Join(err, h.close())
		}
		if i%(1<<16) == 1<<16-1 {
			if err := withinReason(began, r.For); err != nil {
				return nil, Sample{}, errors.Join(err, h.close())
			}
		}
	}
	s := Sample{Ops: int64(r.Secrets), Elapsed: time.Since(began)}
	s.Footprint = takeFootprint().minus(before, r.Secrets)
	runtime.KeepAlive(h)
	return &growth{h, r.Holder, r.Secrets}, s, nil
}

// do measures what is asked of the secrets.
func (g *growth) do(r Request) (Sample, error) {
	switch r.Op {
	case OpHot, OpAny:
		choices := g.choices(r.Op)
		next, t := 0, new(touch)
		return measure(r, []task{{op: func(int) error {
			next++
			return g.use(int(choices[next%len(choices)]), t.read)
		}}})
	case OpPurge:
		runtime.GC()
		began := time.Now()
		if err := g.purge(); err != nil {
			return Sample{}, err
		}
		s := Sample{Ops: 1, Elapsed: time.Since(began)}
		if err := g.use(g.secrets-1, new(touch).read); err == nil {
			return Sample{}, errors.New("a secret opens after the purge")
		}
		return s, nil
	}
	return Sample{}, fmt.Errorf("%s is not asked of what grows", r.Op)
}

// choices are numbers of secrets: of any, or of the same 1,000 spread over all.
func (g *growth) choices(op Op) []uint32 {
	choices, random := make([]uint32, planSteps), rand.New(rand.NewPCG(1, 1))
	hot := min(1000, g.secrets)
	for i := range choices {
		if op == OpHot {
			choices[i] = uint32(random.IntN(hot) * (g.secrets / hot))
		} else {
			choices[i] = uint32(random.IntN(g.secrets))
		}
	}
	return choices
}
