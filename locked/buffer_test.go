package locked_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// sizes that meet the edges of pages: data and canary together fill one page,
// nearly, exactly, and not quite.
func sizes() []int {
	page := os.Getpagesize()
	return []int{1, 31, 32, page - locked.CanarySize - 1, page - locked.CanarySize, page - locked.CanarySize + 1, page, 2*page - 1}
}

func TestFreshBufferIsZeroWritableAndEndsAtTheGuardPage(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend})
		for _, size := range sizes() {
			b := newBuffer(t, p, size)
			data := b.Bytes()
			if len(data) != size || cap(data) != size || b.Size() != size {
				t.Errorf("size %d: len %d, cap %d, Size %d", size, len(data), cap(data), b.Size())
			}
			if !bytes.Equal(data, make([]byte, size)) {
				t.Errorf("size %d: not zero", size)
			}
			if !b.Alive() || !b.Mutable() {
				t.Errorf("size %d: alive %v, mutable %v", size, b.Alive(), b.Mutable())
			}
			for i := range data {
				data[i] = byte(i)
			}
			testenv.MustFault(t, "reading past the end", func() { testenv.Touch([]byte{*at(data, size)}) })
			testenv.MustFault(t, "writing past the end", func() { *at(data, size) = 1 })
			destroy(t, b)
		}
	})
}

func TestFrozenBufferFaultsOnWritingAndMeltsInPlace(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend})
		b := newBuffer(t, p, 32)
		defer destroy(t, b)
		data := b.Bytes()
		copy(data, "a secret")
		for range 2 {
			if err := b.Freeze(); err != nil {
				t.Fatal(err)
			}
			if b.Mutable() || string(b.Bytes()[:8]) != "a secret" {
				t.Errorf("frozen: mutable %v, %q", b.Mutable(), b.Bytes()[:8])
			}
			testenv.MustFault(t, "writing to a frozen buffer", func() { data[0] = 'A' })
			if err := b.Melt(); err != nil {
				t.Fatal(err)
			}
			if !b.Mutable() || &b.Bytes()[0] != &data[0] {
				t.Errorf("melted: mutable %v, moved %v", b.Mutable(), &b.Bytes()[0] != &data[0])
			}
			data[0] = 'a'
		}
	})
}

func TestDestroyedBufferFaultsAndSaysSo(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend})
		b := newBuffer(t, p, 32)
		data := b.Bytes()
		destroy(t, b)
		destroy(t, b)
		testenv.MustFault(t, "reading a destroyed buffer", func() { testenv.Touch(data) })
		testenv.MustFault(t, "writing to a destroyed buffer", func() { data[0] = 1 })
		if b.Bytes() != nil || b.Size() != 0 || b.Alive() || b.Mutable() || b.Equal(nil) {
			t.Errorf("Bytes %v, Size %d, Alive %v, Mutable %v, Equal(nil) %v", b.Bytes(), b.Size(), b.Alive(), b.Mutable(), b.Equal(nil))
		}
		for name, err := range map[string]error{
			"Freeze": b.Freeze(), "Melt": b.Melt(), "Wipe": b.Wipe(), "Scramble": b.Scramble(),
			"Use": b.Use(func([]byte) error { return nil }),
		} {
			if !errors.Is(err, locked.ErrDestroyed) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestSlotNeverShowsAnotherCallersSecret(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend})
		secret := []byte("the first caller's own secret ..")
		for i := range 100 {
			first := newBuffer(t, p, len(secret))
			stale := first.Bytes()
			copy(stale, secret)
			destroy(t, first)

			second := newBuffer(t, p, len(secret)+i%8)
			if !bytes.Equal(second.Bytes(), make([]byte, second.Size())) {
				t.Fatal("the slot still holds bytes of its last caller")
			}
			copy(second.Bytes(), "the second one's")
			testenv.MustFault(t, "reading a destroyed buffer while another is open", func() { testenv.Touch(stale) })
			destroy(t, second)
		}
	})
}

func TestWriteBeforeTheBufferIsReportedAndTheSecretStillWiped(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend})
		for _, offset := range []int{-1, -locked.CanarySize, -locked.CanarySize - 1, -(os.Getpagesize() - 32)} {
			b := newBuffer(t, p, 32)
			data := b.Bytes()
			copy(data, "a secret")
			*at(data, offset) ^= 1
			if err := b.Destroy(); !errors.Is(err, locked.ErrCorrupted) {
				t.Errorf("a write at %d: %v", offset, err)
			}
			if b.Alive() {
				t.Errorf("a write at %d: still alive", offset)
			}
			// The slot comes around again, whole.
			for range 20 {
				next := newBuffer(t, p, 32)
				if !bytes.Equal(next.Bytes(), make([]byte, 32)) {
					t.Errorf("a write at %d: left in the slot", offset)
				}
				destroy(t, next)
			}
		}
	})
}

func TestWipeAndScrambleWorkOnFrozenBuffersToo(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend})
		b := newBuffer(t, p, 64)
		defer destroy(t, b)
		for _, freeze := range []bool{false, true} {
			if freeze {
				if err := b.Freeze(); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.Scramble(); err != nil {
				t.Fatal(err)
			}
			first := bytes.Clone(b.Bytes())
			if err := b.Scramble(); err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(first, b.Bytes()) || bytes.Equal(b.Bytes(), make([]byte, 64)) {
				t.Error("two scrambles gave the same")
			}
			if err := b.Wipe(); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(b.Bytes(), make([]byte, 64)) {
				t.Error("not wiped")
			}
			if b.Mutable() == freeze {
				t.Errorf("frozen %v, mutable %v", freeze, b.Mutable())
			}
		}
		testenv.MustFault(t, "writing to a buffer that was wiped frozen", func() { b.Bytes()[0] = 1 })
	})
}

func TestEqualComparesTheWholeSecret(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	b := newBuffer(t, p, 8)
	defer destroy(t, b)
	copy(b.Bytes(), "a secret")
	if !b.Equal([]byte("a secret")) {
		t.Error("not equal to itself")
	}
	for _, other := range []string{"", "a secre", "a secret!", "b secret", "a secres"} {
		if b.Equal([]byte(other)) {
			t.Errorf("equal to %q", other)
		}
	}
}

func TestDestroyDuringUseTakesEffectWhenUseReturns(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	b := newBuffer(t, p, 32)
	copy(b.Bytes(), "a secret")
	failure := errors.New("mine")
	var stale []byte
	err := b.Use(func(data []byte) error {
		stale = data //memkeep:allow its pages are looked at afterwards
		destroy(t, b)
		if err := p.Purge(); err != nil {
			t.Error(err)
		}
		if b.Alive() || b.Bytes() != nil {
			t.Error("still alive for others")
		}
		if err := b.Use(func([]byte) error { return nil }); !errors.Is(err, locked.ErrDestroyed) {
			t.Errorf("a later Use: %v", err)
		}
		if string(data[:8]) != "a secret" {
			t.Errorf("the bytes went: %q", data[:8])
		}
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("got %v", err)
	}
	testenv.MustFault(t, "reading after the Use", func() { testenv.Touch(stale) })
	if n := p.Stats().OpenBuffers; n != 0 {
		t.Errorf("%d buffers open", n)
	}
}

func TestFrozenBufferIsFilledOnceAndFailureLeavesNothing(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, backend locked.Backend) {
		p := newPool(t, locked.Config{Backend: backend})
		b, err := p.NewFrozen(8, func(data []byte) error {
			copy(data, "a secret")
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if b.Mutable() || string(b.Bytes()) != "a secret" {
			t.Errorf("mutable %v, %q", b.Mutable(), b.Bytes())
		}
		testenv.MustFault(t, "writing to a buffer made frozen", func() { b.Bytes()[0] = 1 })
		destroy(t, b)

		before := p.Stats()
		failure := errors.New("mine")
		if _, err := p.NewFrozen(8, func(data []byte) error {
			copy(data, "a secret")
			return failure
		}); !errors.Is(err, failure) {
			t.Errorf("got %v", err)
		}
		if after := p.Stats(); after.OpenBuffers != 0 || after.LockedBytes > before.LockedBytes+2*os.Getpagesize() {
			t.Errorf("before %+v, after %+v", before, after)
		}
		for range 20 {
			next := newBuffer(t, p, 8)
			if !bytes.Equal(next.Bytes(), make([]byte, 8)) {
				t.Error("what the failed fill wrote is still there")
			}
			destroy(t, next)
		}
	})
}

func TestImpossibleSizesAreRefused(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	for _, size := range []int{0, -1, math.MinInt, math.MaxInt} {
		if b, err := p.New(size); err == nil {
			t.Errorf("%d bytes: %v", size, b)
		}
		if _, err := p.NewRegion(size); err == nil {
			t.Errorf("a region of %d bytes", size)
		}
	}
}

func TestBufferPrintsAsItsSizeAlone(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	b := newBuffer(t, p, 32)
	defer destroy(t, b)
	copy(b.Bytes(), "a secret")
	const want = "[REDACTED 32 bytes]"
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%p", "%T%v"} {
		args := []any{b, b}[:strings.Count(verb, "%")]
		if got := strings.TrimPrefix(fmt.Sprintf(verb, args...), "*locked.Buffer"); got != want && verb != "%p" {
			t.Errorf("%s prints %q", verb, got)
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("open", "key", b)
	slog.New(slog.NewTextHandler(&log, nil)).Info("open", "key", b)
	if strings.Count(log.String(), want) != 2 {
		t.Errorf("slog prints %s", &log)
	}
	if raw, err := json.Marshal(map[string]any{"key": b}); err != nil || string(raw) != `{"key":"`+want+`"}` {
		t.Errorf("JSON: %s, %v", raw, err)
	}
	// A copy by value, which vet forbids, must not print either.
	if printed := fmt.Sprintf("%+v %s", struct{ B *locked.Buffer }{b}, fmt.Sprint(b)); strings.Contains(printed, "97 32 115") || strings.Contains(printed, "secret") {
		t.Errorf("inside a struct: %s", printed)
	}
	destroy(t, b)
	if got := fmt.Sprint(b); got != "[REDACTED 0 bytes]" {
		t.Errorf("destroyed: %s", got)
	}
}

func TestConcurrentCallsOnOneBufferAgree(t *testing.T) {
	t.Parallel()
	p := newPool(t, locked.Config{})
	for range 50 {
		b := newBuffer(t, p, 32)
		var wg sync.WaitGroup
		for _, call := range []func() error{
			b.Freeze, b.Melt, b.Wipe, b.Scramble, b.Destroy, b.Destroy,
			func() error { b.Equal(make([]byte, 32)); return nil },
			func() error { return b.Use(func(data []byte) error { testenv.Touch(data); return nil }) },
			func() error { _ = b.String(); b.Bytes(); b.Alive(); return nil },
		} {
			wg.Go(func() {
				if err := call(); err != nil && !errors.Is(err, locked.ErrDestroyed) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		destroy(t, b)
	}
}
