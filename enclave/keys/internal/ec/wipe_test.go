package ec

import (
	"crypto/rand"
	"fmt"
	"maps"
	"reflect"
	"testing"
	"unsafe"

	"github.com/memkeep/memkeep/internal/testenv"
)

// values returns every number within v by its path, slices up to their capacity.
func values(v reflect.Value) map[string]uint64 {
	found := make(map[string]uint64)
	seen := make(map[unsafe.Pointer]bool)
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() && !seen[v.UnsafePointer()] {
				seen[v.UnsafePointer()] = true
				walk(path, v.Elem())
			}
		case reflect.Interface:
			walk(path, v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Slice:
			v = v.Slice(0, v.Cap())
			fallthrough
		case reflect.Array:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(fmt.Sprintf("%s[%v]", path, key), v.MapIndex(key))
			}
		case reflect.Uint8, reflect.Uint32, reflect.Uint64, reflect.Uint:
			found[path] = v.Uint()
		}
	}
	walk("", v)
	return found
}

// use does everything once.
func use(t testing.TB, s *Scratch) {
	t.Helper()
	for _, c := range []Curve{P256, P384} {
		_, scalar := newKey(t, c)
		remote, secret := make([]byte, c.PublicSize()), make([]byte, c.ScalarSize())
		if err := c.PublicFromScalar(remote, scalar, s); err != nil {
			t.Fatal(err)
		}
		if err := c.ECDH(secret, scalar, remote, s); err != nil {
			t.Fatal(err)
		}
		entropy := make([]byte, 32)
		rand.Read(entropy)
		for _, digest := range [][]byte{remote[:20], remote[:32], remote[:48], remote[:64]} {
			for _, entropy := range [][]byte{nil, entropy} {
				if _, err := c.Sign(nil, scalar, digest, entropy, s); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	scalar, secret := make([]byte, X25519Size), make([]byte, X25519Size)
	rand.Read(scalar)
	if err := X25519Public(secret, scalar, s); err != nil {
		t.Fatal(err)
	}
}

// After Wipe, each number in a Scratch is what it was in a new one.
func TestWipeLeavesNothing(t *testing.T) {
	t.Parallel()
	s := newScratch(t)
	fresh := values(reflect.ValueOf(s))
	use(t, s)
	// Every part must have been used, or the test proves nothing of it.
	used := values(reflect.ValueOf(s))
	for _, part := range []string{
		".memory[900]", ".k.limbs[0]", ".b.limbs[0]", ".d.limbs[0]", ".e.limbs[0]", ".r.limbs[0]", ".t.limbs[0]",
		".ladder.x1.l0", ".ladder.x2.l0", ".ladder.z2.l0", ".ladder.x3.l0", ".ladder.z3.l0", ".ladder.tmp.l0",
	} {
		if _, ok := used[part]; !ok || used[part] == fresh[part] {
			t.Errorf("%s was not used", part)
		}
	}
	s.Wipe()
	wiped := values(reflect.ValueOf(s))
	if maps.Equal(wiped, fresh) {
		return
	}
	for path, value := range wiped {
		if value != fresh[path] {
			t.Errorf("%s is %#x, was %#x", path, value, fresh[path])
		}
	}
}

// What is left on the heap is not secret: the signature, and of the blinded
// inversion, numbers that are as random as the blind. The rest allocates nothing.
func TestSecretsAreNotAllocated(t *testing.T) {
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's builds allocate more")
	}
	s := newScratch(t)
	for _, c := range []Curve{P256, P384} {
		_, scalar := newKey(t, c)
		remote, secret := make([]byte, c.PublicSize()), make([]byte, c.ScalarSize())
		check := func(what string, fn func() error) {
			t.Helper()
			if n := testing.AllocsPerRun(10, func() {
				if err := fn(); err != nil {
					t.Error(err)
				}
			}); n != 0 {
				t.Errorf("%v, %s: %v allocations", c, what, n)
			}
		}
		check("PublicFromScalar", func() error { return c.PublicFromScalar(remote, scalar, s) })
		check("ECDH", func() error { return c.ECDH(secret, scalar, remote, s) })
		check("nonces", func() error {
			s.seedNonces(scalar, secret, remote, 32)
			if !s.draw(s.k, s.nonce[:c.ScalarSize()], c) {
				return errZero
			}
			return s.baseMult(c, s.nonce[:c.ScalarSize()])
		})
		check("X25519", func() error { return X25519Public(secret, secret[:32], s) })
		check("Wipe", func() error { s.Wipe(); return nil })
	}
}

// painted is what the stack is filled with before a call.
const painted, paintedSize = 0xa5, 64 << 10

//go:noinline
func paint() byte {
	var frame [paintedSize]byte
	for i := range frame {
		frame[i] = painted
	}
	return frame[here%len(frame)]
}

// here is for the compiler, which must not know where paint reads.
var here int

// stackDepth returns how many bytes below its own frame a call of fn writes.
//
//go:noinline
func stackDepth(fn func()) int {
	var frame [8]byte
	paint()
	fn()
	// The lowest byte that is not painted. The loop calls nothing, so that it
	// paints over nothing itself.
	bottom := unsafe.Pointer(&frame)
	for depth := paintedSize - 1024; depth > 0; depth-- {
		if *(*byte)(unsafe.Add(bottom, -depth)) != painted {
			return depth
		}
	}
	return 0
}

func TestStackDepth(t *testing.T) {
	t.Parallel()
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's builds have larger frames")
	}
	s := newScratch(t)
	use(t, s)
	x := make([]byte, X25519Size)
	rand.Read(x)
	for _, c := range []Curve{P256, P384} {
		_, scalar := newKey(t, c)
		remote, secret := make([]byte, c.PublicSize()), make([]byte, c.ScalarSize())
		var signature [200]byte
		for what, fn := range map[string]func(){
			"PublicFromScalar": func() { _ = c.PublicFromScalar(remote, scalar, s) },
			"ECDH":             func() { _ = c.ECDH(secret, scalar, remote, s) },
			"Sign":             func() { _, _ = c.Sign(signature[:0], scalar, secret, remote, s) },
			"X25519":           func() { _ = X25519Public(secret, x, s) },
			"Wipe":             func() { s.Wipe() },
		} {
			fn()
			done := make(chan int)
			go func() { done <- stackDepth(fn) }()
			if depth := <-done; depth > StackDepth {
				t.Errorf("%v, %s: %d bytes, StackDepth is %d", c, what, depth, StackDepth)
			} else {
				t.Logf("%v, %s: %d bytes", c, what, depth)
			}
		}
	}
}
