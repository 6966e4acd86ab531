package enclave_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// calls are all ways to a secret.
func calls(e *enclave.Enclave) map[string]error {
	_, openErr := e.Open()
	_, waitErr := e.OpenContext(context.Background())
	_, intoErr := e.OpenInto(make([]byte, 64))
	_, equalErr := e.Equal(nil)
	return map[string]error{
		"Open": openErr, "OpenContext": waitErr, "OpenInto": intoErr, "Equal": equalErr,
		"Use": e.Use(func([]byte) error { return nil }),
	}
}

// twoSessions returns two sessions of the smallest size that a test can do with.
// What both may lock is reserved in one step: tests that hold the half of it and
// wait for the rest would wait for each other.
func twoSessions(t *testing.T) (a, b *enclave.Session) {
	t.Helper()
	testenv.Lockable(t, 2*budget())
	open := func() *enclave.Session {
		s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: budget(), AllowUnlocked: testenv.AllowUnlocked})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	return open(), open()
}

func TestErrorsNameWhatTheCallerHolds(t *testing.T) {
	t.Parallel()
	s, other := twoSessions(t)
	destroyed := newEnclave(t, s, secretOf(32))
	destroyed.Destroy()
	purged := newEnclave(t, s, secretOf(32))
	if err := s.Purge(); err != nil {
		t.Fatal(err)
	}
	closed, twice := newEnclave(t, other, secretOf(32)), newEnclave(t, other, secretOf(32))
	if err := errors.Join(other.Purge(), other.Purge(), other.Close()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		e    *enclave.Enclave
		is   error
		text string
	}{
		{nil, enclave.ErrDestroyed, "enclave: never set"},
		{new(enclave.Enclave), enclave.ErrDestroyed, "enclave: never set"},
		{destroyed, enclave.ErrDestroyed, "enclave: destroyed"},
		{purged, enclave.ErrPurged, "enclave: the session was purged"},
		{closed, enclave.ErrClosed, "enclave: the session is closed"},
		{twice, enclave.ErrClosed, "enclave: the session is closed"},
	} {
		for call, err := range calls(c.e) {
			if !errors.Is(err, c.is) || err.Error() != c.text {
				t.Errorf("%s: %q, want %q", call, err, c.text)
			}
			if errors.Is(err, enclave.ErrDecrypt) {
				t.Errorf("%s: %q is taken for tampering", call, err)
			}
		}
	}
	if _, err := other.NewBuffer(8); !errors.Is(err, enclave.ErrClosed) || err.Error() != "enclave: the session is closed" {
		t.Errorf("NewBuffer: %v", err)
	}
}

// A program watches Stats.Failures for ciphertexts that were changed.
func TestAPurgeIsNoFailureToDecrypt(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	e := newEnclave(t, s, secretOf(32))
	var err error
	for err == nil {
		_, err = s.NewBuffer(1) // until the purge
	}
	opened := make(chan error)
	go func() {
		_, err := e.OpenContext(t.Context())
		opened <- err
	}()
	for s.Stats().Waiters == 0 {
		runtime.Gosched()
	}
	if err := s.Purge(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; !errors.Is(err, enclave.ErrPurged) {
		t.Error(err)
	}
	if n := s.Stats().Failures; n != 0 {
		t.Errorf("%d failures", n)
	}
}

func TestWaitThatItsContextEndsSaysWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	e := newEnclave(t, s, secretOf(32))
	own := errors.New("the caller's reason")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(own)
	_, openErr := e.OpenContext(ctx)
	_, bufferErr := s.NewBufferContext(ctx, 32)
	_, funcErr := s.NewFuncContext(ctx, 32, func([]byte) error { return nil })
	_, getErr := enclave.GetContext(ctx, e, func([]byte) (int, error) { return 0, nil })
	want := fmt.Sprintf("enclave: waiting for %d bytes of locked memory: the caller's reason", os.Getpagesize())
	for call, err := range map[string]error{
		"OpenContext": openErr, "NewBufferContext": bufferErr, "NewFuncContext": funcErr, "GetContext": getErr,
		"UseContext":    e.UseContext(ctx, func([]byte) error { return nil }),
		"UseAllContext": enclave.UseAllContext(ctx, func([][]byte) error { return nil }, e, e),
	} {
		if !errors.Is(err, own) || err.Error() != want {
			t.Errorf("%s: %v", call, err)
		}
	}
	// What fn returns is no wait, whatever it is.
	ctx, cancel = context.WithCancelCause(context.Background())
	err := e.UseContext(ctx, func([]byte) error {
		cancel(own)
		return own
	})
	if err != own {
		t.Errorf("fn's error became %v", err)
	}
}

// The whole budget is open, so the deadline ends a real wait.
func TestDeadlineAtTheBudgetSaysWhatItWaitedFor(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	page := os.Getpagesize()
	e := newEnclave(t, s, secretOf(32))
	for {
		b, err := s.NewBuffer(32)
		if errors.Is(err, enclave.ErrExhausted) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := b.Destroy(); err != nil {
				t.Error(err)
			}
		}()
	}
	if _, err := e.Open(); !errors.Is(err, enclave.ErrExhausted) {
		t.Errorf("Open: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	_, err := e.OpenContext(ctx)
	if want := fmt.Sprintf("enclave: waiting for %d bytes of locked memory: context deadline exceeded", page); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, context.Cause(ctx)) {
		t.Errorf("%v is not the context's cause", err)
	}
	// Use has slots of its own.
	if err := e.Use(holds(secretOf(32))); err != nil {
		t.Error(err)
	}
}

func TestErrorsOfSeveralEnclavesNameTheOne(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	whole, destroyed := newEnclave(t, s, secretOf(32)), newEnclave(t, s, secretOf(32))
	destroyed.Destroy()
	err := enclave.UseAll(func([][]byte) error { return nil }, whole, destroyed)
	if !errors.Is(err, enclave.ErrDestroyed) || err.Error() != "enclave 2 of 2: enclave: destroyed" {
		t.Error(err)
	}
}

func TestReadOnlySourcesAreRefusedBeforeAnythingHappens(t *testing.T) {
	t.Parallel()
	if !testenv.FaultsHaveAddresses() {
		t.Log("faults have no addresses here, and are told from others all the same")
	}
	testenv.MustGuard(t) // nothing is read-only there
	s, other := twoSessions(t)
	refuses := func(what string, secret []byte) {
		t.Helper()
		want := bytes.Clone(secret)
		seals := s.Stats().Seals
		if e, err := s.New(secret); !errors.Is(err, enclave.ErrReadOnly) || e != nil || !strings.Contains(err.Error(), "NewCopy") {
			t.Errorf("%s: %v, %v", what, e, err)
		}
		if !bytes.Equal(secret, want) || s.Stats().Seals != seals {
			t.Errorf("%s: something happened before the refusal", what)
		}
		e, err := s.NewCopy(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Use(holds(want)); err != nil {
			t.Error(err)
		}
	}
	page := os.Getpagesize()
	for _, size := range []int{1, 32, page + 7} {
		b, err := s.NewBuffer(size)
		if err != nil {
			t.Fatal(err)
		}
		copy(b.Bytes(), secretOf(size))
		if err := b.Freeze(); err != nil {
			t.Fatal(err)
		}
		refuses(fmt.Sprintf("a frozen buffer of %d bytes", size), b.Bytes())
		if err := b.Melt(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.New(b.Bytes()); err != nil {
			t.Errorf("%d writable bytes: %v", size, err)
		}
		if err := b.Destroy(); err != nil {
			t.Error(err)
		}
	}
	err := newEnclave(t, other, secretOf(32)).Use(func(secret []byte) error {
		refuses("what Use lends", secret)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	const text = "a constant"
	refuses("a constant", unsafe.Slice(unsafe.StringData(text), len(text)))
}

func TestOneReadOnlyPageOfManyIsFound(t *testing.T) {
	t.Parallel()
	page := os.Getpagesize()
	s := newSession(t, enclave.Config{MaxLockedBytes: 16 * page})
	for frozen := range 3 {
		whole := testenv.ReadOnlyPage(t, 3, frozen)
		// From the middle of the first page to the middle of the last one.
		secret := whole[page/2 : 2*page+page/2]
		if _, err := s.New(secret); !errors.Is(err, enclave.ErrReadOnly) {
			t.Errorf("page %d of 3: %v", frozen, err)
		}
	}
}

func TestEqualIsOfTheSecret(t *testing.T) {
	t.Parallel()
	e := newEnclave(t, newSession(t, enclave.Config{}), secretOf(32))
	for _, c := range []struct {
		other []byte
		want  bool
	}{{secretOf(32), true}, {secretOf(31), false}, {make([]byte, 32), false}, {nil, false}} {
		if got, err := e.Equal(c.other); got != c.want || err != nil {
			t.Errorf("%d bytes: %v, %v", len(c.other), got, err)
		}
	}
}

func TestLimitErrorIsOneLineAndKeepsTheSystemsAnswer(t *testing.T) {
	t.Parallel()
	for _, r := range []locked.Resource{locked.LockedMemory, locked.FileDescriptors, locked.Mappings, locked.AddressSpace, locked.Memory} {
		var err error = &enclave.LimitError{Resource: r, Size: 32, Requested: 4096, Err: syscall.EINVAL}
		limit := err.(*locked.LimitError)
		if strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "4096") || !strings.Contains(err.Error(), "32 bytes") || !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s: %q", r, err)
		}
		if raw, err := json.Marshal(limit); err != nil || !strings.Contains(string(raw), "4096") {
			t.Errorf("%s: JSON is %s, %v", r, raw, err)
		}
	}
	s := newSession(t, enclave.Config{})
	_, err := s.New(secretOf(2 * budget()))
	var limit *enclave.LimitError
	if !errors.As(err, &limit) || limit.Size != 2*budget() || !strings.Contains(limit.Remedy(), "SetDefault") || !strings.Contains(limit.Remedy(), "NewSession") {
		t.Errorf("%v", err)
	}
}

func TestStatsAreJSONAndALogGroup(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	newEnclave(t, s, secretOf(32))
	raw, err := json.Marshal(s.Stats())
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("session", "stats", s.Stats())
	for _, part := range []string{`"seals":1`, `"locked_bytes":`, `"backend":"`, `"runtime_secret":`} {
		if !strings.Contains(string(raw), part) || !strings.Contains(log.String(), part) {
			t.Errorf("%s is missing in %s or %s", part, raw, &log)
		}
	}
}

func TestTheLogGroupOfStatsHasEveryField(t *testing.T) {
	t.Parallel()
	stats := enclave.Stats{BackendReason: "why", LastLimitError: &enclave.LimitError{}}
	var want, got []string
	for field := range reflect.TypeFor[enclave.Stats]().Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		want = append(want, name)
	}
	for _, a := range stats.LogValue().Group() {
		got = append(got, a.Key)
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the log has %q, the fields are %q", got, want)
	}
}
