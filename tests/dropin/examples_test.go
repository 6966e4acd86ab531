package dropin

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/enclave/memguard/core"
	"github.com/memkeep/memkeep/locked"
)

// A key goes over a socket from one buffer into another, is sealed and opened.
func TestKeyOverASocket(t *testing.T) {
	together(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	defer listener.Close()
	key := memguard.NewBufferRandom(600)
	defer key.Destroy()
	sent := make(chan error, 1)
	go func() {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err == nil {
			_, err = key.Reader().WriteTo(conn)
			err = errors.Join(err, conn.Close())
		}
		sent <- err
	}()
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	received, err := memguard.NewBufferFromReader(conn, 600)
	if err != nil || <-sent != nil {
		t.Fatal(err)
	}
	opened := mustOpen(t, received.Seal())
	defer opened.Destroy()
	if !opened.EqualTo(key.Bytes()) || received.IsAlive() {
		t.Error("another key arrived")
	}
}

// A struct, an array and a slice of structs live in a buffer.
func TestBufferCastToOtherTypes(t *testing.T) {
	together(t)
	type account struct {
		key     [32]byte
		salt    [2]uint64
		counter uint64
		active  bool
	}
	const n = 3
	b := memguard.NewBuffer(n * int(unsafe.Sizeof(account{})))
	defer b.Destroy()
	accounts := unsafe.Slice((*account)(unsafe.Pointer(&b.Bytes()[0])), n)
	accounts[2] = account{key: [32]byte{1}, salt: [2]uint64{2, 3}, counter: 4, active: true}
	last := b.Bytes()[2*unsafe.Sizeof(account{}):]
	if last[0] != 1 || last[unsafe.Offsetof(account{}.active)] != 1 || b.Uint64()[2*unsafe.Sizeof(account{})/8+6] != 4 {
		t.Error("the struct lies elsewhere")
	}
	first := (*[32]byte)(unsafe.Pointer(&b.Bytes()[0]))
	memguard.ScrambleBytes(first[:])
	if accounts[0].key != *first || accounts[0].key != *b.ByteArray32() {
		t.Error("the array lies elsewhere")
	}
}

// Data is worked on in pieces, with one piece open at a time.
func TestStreamIsWorkedOnInPieces(t *testing.T) {
	together(t)
	data := memguard.NewBufferRandom(6000)
	want := byte(0)
	for _, c := range data.Bytes() {
		want ^= c
	}
	data.Melt()
	s := memguard.NewStream()
	if _, err := s.Write(data.Bytes()); err != nil || !isZero(data.Bytes()) {
		t.Fatal("Write", err)
	}
	data.Destroy()
	piece := memguard.NewBuffer(512)
	defer piece.Destroy()
	got := byte(0)
	for {
		n, err := s.Read(piece.Bytes())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range piece.Bytes()[:n] {
			got ^= c
		}
	}
	if got != want {
		t.Error("other data came back")
	}
}

// A key is read from a file or terminal, line by line.
func TestKeyFromStandardInput(t *testing.T) {
	together(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("a key\n\n"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	key, err := memguard.NewBufferFromReaderUntil(r, '\n')
	if err != nil {
		t.Fatal(err)
	}
	b := mustOpen(t, key.Seal())
	defer b.Destroy()
	if b.String() != "a key" {
		t.Errorf("%q", b.String())
	}
	empty, err := memguard.NewBufferFromReaderUntil(r, '\n')
	if err != nil {
		t.Error(err)
	}
	wantNull(t, empty)
}

func TestSigningAsTheDocumentationSays(t *testing.T) {
	together(t)
	seed := memguard.NewBufferRandom(ed25519.SeedSize)
	defer seed.Destroy()
	key := ed25519.NewKeyFromSeed(seed.Bytes())
	signature := ed25519.Sign(key, []byte("message"))
	if !ed25519.Verify(key.Public().(ed25519.PublicKey), []byte("message"), signature) {
		t.Error("the signature")
	}
	memguard.WipeBytes(key)
}

// Many goroutines open, check and destroy, others abandon what they wait for.
func TestOpenAndDestroyFromManyGoroutinesDoNotDeadlock(t *testing.T) {
	together(t)
	ctx, cancel := context.WithTimeout(context.Background(), *soak)
	defer cancel()
	const enclaves = 100
	all := make([]*memguard.Enclave, enclaves)
	for i := range all {
		all[i] = memguard.NewEnclave(bytes.Repeat([]byte{byte(i + 1)}, 32))
	}
	var workers, abandoned sync.WaitGroup
	for range 20 {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := rand.IntN(enclaves)
				done := make(chan error, 1)
				abandoned.Go(func() { done <- openAndCheck(all[i], byte(i+1)) })
				select {
				case err := <-done:
					if err != nil {
						t.Error(err)
						return
					}
				case <-ctx.Done():
				}
			}
		})
	}
	workers.Wait()
	abandoned.Wait()
}

func openAndCheck(e *memguard.Enclave, want byte) error {
	b, err := e.Open()
	var limit *locked.LimitError
	if errors.As(err, &limit) {
		runtime.Gosched()
		return nil
	}
	if err != nil {
		return err
	}
	defer b.Destroy()
	if b.Size() != 32 || b.Bytes()[31] != want {
		return errors.New("another secret")
	}
	return nil
}

// Readers and writers of one buffer used to wait for each other, by taking its
// lock for reading twice.
func TestMethodsOfOneBufferDoNotDeadlock(t *testing.T) {
	together(t)
	ctx, cancel := context.WithTimeout(context.Background(), *soak)
	defer cancel()
	b := memguard.NewBuffer(64)
	defer b.Destroy()
	var workers sync.WaitGroup
	for _, f := range []func(){
		func() { b.EqualTo(nil) },
		func() { _, _, _ = b.Uint16(), b.Int64(), b.ByteArray32() },
		func() { _, _, _ = b.Size(), b.IsAlive(), b.IsMutable() },
		b.Melt,
		func() { b.Scramble() },
		func() { b.CopyAt(8, []byte{1}) },
		b.Wipe,
	} {
		workers.Go(func() {
			for ctx.Err() == nil {
				f()
			}
		})
	}
	workers.Wait()
}

// Purges from several sides, beside calls that make and open.
func TestConcurrentPurgesAreSafe(t *testing.T) {
	alone(t)
	ctx, cancel := context.WithTimeout(context.Background(), *soak)
	defer cancel()
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for ctx.Err() == nil {
				memguard.Purge()
				runtime.Gosched()
			}
		})
	}
	for range 2 {
		workers.Go(func() {
			for ctx.Err() == nil {
				// A purge may kill the buffer between any two steps.
				b, err := memguard.NewEnclave(secret(32)).Open()
				if err == nil {
					b.RLock()
					if data := b.Bytes(); data != nil && !bytes.Equal(data, secret(32)) {
						t.Error("another secret")
					}
					b.RUnlock()
					b.Destroy()
				} else if err != core.ErrDecryptionFailed {
					t.Error(err)
				}
			}
		})
	}
	workers.Wait()
}

func TestNoGoroutineAtRest(t *testing.T) {
	together(t)
	state, out := child(t, "lists goroutines")
	if !state.Success() || strings.Contains(out, "memkeep/enclave") || strings.Contains(out, "memkeep/coffer") || strings.Contains(out, "memkeep/locked") {
		t.Errorf("%v: %s", state, out)
	}
}

func init() {
	children["lists goroutines"] = func() {
		before := runtime.NumGoroutine()
		for range 3 {
			core.NewCoffer()
			b, err := memguard.NewEnclaveRandom(32).Open()
			if err != nil {
				panic(err)
			}
			b.Destroy()
			memguard.Purge()
		}
		stacks, others := make([]byte, 1<<20), ""
		// The session's timer may run, for a moment.
		for late := time.Now().Add(time.Minute); time.Now().Before(late); runtime.Gosched() {
			if runtime.NumGoroutine() > before {
				continue
			}
			// But for this one.
			_, others, _ = strings.Cut(string(stacks[:runtime.Stack(stacks, true)]), "\n\n")
			if !strings.Contains(others, "memkeep/") {
				break
			}
		}
		_, _ = os.Stdout.WriteString(others)
	}
}

func TestFailedDecryptionLeaksNothing(t *testing.T) {
	alone(t)
	e := memguard.NewEnclave(secret(32))
	memguard.Purge()
	s, err := core.Session()
	if err != nil {
		t.Fatal(err)
	}
	before := s.Stats()
	for range 100 {
		if _, err := e.Open(); err != core.ErrDecryptionFailed {
			t.Fatal(err)
		}
	}
	if after := s.Stats(); after.OpenBuffers != before.OpenBuffers {
		t.Errorf("%d buffers more", after.OpenBuffers-before.OpenBuffers)
	}
}
