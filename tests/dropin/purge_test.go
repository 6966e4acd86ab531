package dropin

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/enclave/memguard/core"
	"github.com/memkeep/memkeep/locked"
)

// An owner who holds a buffer's lock makes a purge wait, and nothing else.
func TestOwnerOfALockedBufferMayCallAnythingWhileAPurgeWaits(t *testing.T) {
	alone(t)
	old := memguard.NewEnclave(secret(32))
	held := memguard.NewBufferFromBytes(secret(16))
	held.Lock()
	purged := make(chan any)
	go func() { purged <- panics(memguard.Purge) }()
	// The key goes first: then the purge waits for the owner.
	for {
		b, err := old.Open()
		if err == core.ErrDecryptionFailed {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b.Destroy()
		runtime.Gosched()
	}
	if !bytes.Equal(held.Bytes(), secret(16)) {
		t.Error("purged under its owner's lock")
	}
	session, err := core.Session()
	if err != nil {
		t.Fatal(err)
	}
	if session.Stats().OpenBuffers == 0 {
		t.Error("the held buffer is not open")
	}
	fresh := memguard.NewBufferFromBytes(secret(8))
	e := memguard.NewEnclave(secret(32))
	opened := mustOpen(t, e)
	coffer := core.NewCoffer()
	if err := errors.Join(coffer.Rekey(), coffer.Destroy()); err != nil {
		t.Error(err)
	}
	read, err := memguard.NewBufferFromReader(bytes.NewReader(secret(8)), 8)
	if err != nil {
		t.Error(err)
	}
	select {
	case v := <-purged:
		t.Fatalf("the purge did not wait: %v", v)
	default:
	}
	held.Unlock()
	if v := <-purged; v != nil {
		t.Error(v)
	}
	wantNull(t, held)
	// What was made after the key was replaced is not of the purged.
	for what, b := range map[string]*memguard.LockedBuffer{"made": fresh, "opened": opened, "read": read} {
		if !b.IsAlive() {
			t.Errorf("the purge took a buffer that was %s after it began", what)
		}
		b.Destroy()
	}
	if _, err := e.Open(); err != nil {
		t.Error("the purge took an enclave that was made after it began", err)
	}
}

// Every call beside purges works, or says that a purge came: none panics.
func TestCallsBesidePurgesNeverPanic(t *testing.T) {
	alone(t)
	var stop atomic.Bool
	var calls, purges sync.WaitGroup
	do := map[string]func(){
		"NewBuffer": func() {
			b := memguard.NewBuffer(32)
			b.Lock()
			if data := b.Bytes(); data != nil {
				data[0] = 1
			}
			b.Unlock()
			b.Freeze()
			b.Destroy()
		},
		"NewBufferFromBytes": func() { memguard.NewBufferFromBytes(secret(32)).Destroy() },
		"NewBufferRandom":    func() { memguard.NewBufferRandom(32).Destroy() },
		"Open": func() {
			b, err := memguard.NewEnclave(secret(32)).Open()
			if err == nil {
				b.Destroy()
			} else if err != core.ErrDecryptionFailed {
				panic(err)
			}
		},
		"Seal": func() {
			if e := memguard.NewBufferFromBytes(secret(32)).Seal(); e != nil {
				_ = e.Size()
			}
		},
		"Stream": func() {
			s := memguard.NewStream()
			if _, err := s.Write(secret(100)); err != nil {
				panic(err)
			}
			buf := make([]byte, 7)
			for range 20 {
				if _, err := s.Read(buf); err != nil && err != io.EOF && err != core.ErrDecryptionFailed {
					panic(err)
				}
			}
		},
		"readers": func() {
			b, err := memguard.NewBufferFromEntireReader(iotest.HalfReader(bytes.NewReader(secret(5000))))
			if err != nil && err != core.ErrBufferExpired && err != io.ErrNoProgress {
				panic(err)
			}
			b.Destroy()
		},
		"Coffer": func() {
			c := core.NewCoffer()
			if err := c.Rekey(); err != nil && err != core.ErrCofferExpired {
				panic(err)
			}
			_ = c.Destroyed()
			if err := c.Destroy(); err != nil {
				panic(err)
			}
		},
	}
	for what, f := range do {
		calls.Go(func() {
			for range 300 {
				v := panics(f)
				// The least limit there is holds one buffer of each, and not always.
				var limit *locked.LimitError
				if err, ok := v.(error); ok && errors.As(err, &limit) {
					continue
				}
				if v != nil {
					t.Errorf("%s: %v", what, v)
					return
				}
			}
		})
	}
	for range 2 {
		purges.Go(func() {
			for !stop.Load() {
				if v := panics(memguard.Purge); v != nil {
					t.Errorf("Purge: %v", v)
					return
				}
			}
		})
	}
	calls.Wait()
	stop.Store(true)
	purges.Wait()
	session, err := core.Session()
	if err != nil {
		t.Fatal(err)
	}
	if n := session.Stats().OpenBuffers; n != 0 {
		t.Errorf("%d buffers are left", n)
	}
}
