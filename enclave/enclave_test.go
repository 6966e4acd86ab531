package enclave_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// budget fits several times into the smallest limit that the tests run under.
func budget() int { return 8 * os.Getpagesize() }

// smallest is the least that a session works with: two pages of the coffer's,
// one for Use and one for a buffer.
func smallest() int { return 4 * os.Getpagesize() }

// newSession returns a session that is closed when the test ends, and then has
// nothing locked and no buffer open.
func newSession(t testing.TB, cfg enclave.Config) *enclave.Session {
	t.Helper()
	if cfg.MaxLockedBytes == 0 {
		cfg.MaxLockedBytes = budget()
	}
	testenv.Lockable(t, cfg.MaxLockedBytes)
	return makeSession(t, cfg)
}

// makeSession is newSession for a test that has its share of locked memory.
func makeSession(t testing.TB, cfg enclave.Config) *enclave.Session {
	t.Helper()
	cfg.AllowUnlocked = testenv.AllowUnlocked
	s, err := enclave.NewSession(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stats := s.Stats()
		if stats.LockedBytesPeak > cfg.MaxLockedBytes {
			t.Errorf("%d bytes were locked, the budget is %d", stats.LockedBytesPeak, cfg.MaxLockedBytes)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func backends(t *testing.T, f func(t *testing.T, s *enclave.Session)) {
	t.Helper()
	all := []locked.Backend{locked.MemfdSecret, locked.Memfd, locked.Mlock}
	if testenv.AllowUnlocked {
		all = []locked.Backend{locked.BestBackend} // what there is without a lock
	}
	for _, backend := range all {
		t.Run(string(backend), func(t *testing.T) {
			t.Parallel()
			if _, err := page.Open(string(backend), nil); err != nil && !testenv.AllowUnlocked {
				t.Skipf("SKIPPED: %v", err)
			}
			f(t, newSession(t, enclave.Config{Backend: backend}))
		})
	}
}

func secretOf(size int) []byte {
	secret := make([]byte, size)
	for i := range secret {
		secret[i] = byte(i*7 + size)
	}
	return secret
}

func newEnclave(t testing.TB, s *enclave.Session, secret []byte) *enclave.Enclave {
	t.Helper()
	e, err := s.New(bytes.Clone(secret))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// holds returns a function for Use that checks the secret.
func holds(want []byte) func([]byte) error {
	return func(got []byte) error {
		if !bytes.Equal(got, want) {
			return fmt.Errorf("got %x, want %x", got, want)
		}
		return nil
	}
}

func TestSecretComesBackByUseAndByOpenAsOftenAsWanted(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, s *enclave.Session) {
		page := os.Getpagesize()
		for _, size := range []int{1, 16, 32, 33, 64, page - 16, page - 15, page, page + 1} {
			secret := secretOf(size)
			e := newEnclave(t, s, secret)
			if e.Size() != size {
				t.Errorf("size %d: Size says %d", size, e.Size())
			}
			for range 3 {
				if err := e.Use(holds(secret)); err != nil {
					t.Errorf("size %d: Use: %v", size, err)
				}
				b, err := e.Open()
				if err != nil {
					t.Fatalf("size %d: Open: %v", size, err)
				}
				if b.Mutable() || !b.Equal(secret) {
					t.Errorf("size %d: mutable %v, %x", size, b.Mutable(), b.Bytes())
				}
				if err := b.Destroy(); err != nil {
					t.Error(err)
				}
			}
		}
		stats := s.Stats()
		if stats.Seals != 9 || stats.Opens != 27 || stats.Uses != 27 || stats.Failures != 0 || stats.OpenBuffers != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

func TestNewWipesItsSourceOnlyIfItSealedIt(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	secret := secretOf(32)
	if _, err := s.New(secret); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(secret, make([]byte, 32)) {
		t.Error("the source still holds the secret")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	secret = secretOf(32)
	if _, err := s.New(secret); !errors.Is(err, enclave.ErrClosed) || !bytes.Equal(secret, secretOf(32)) {
		t.Errorf("%v, and the source is %x", err, secret)
	}
}

func TestEmptySecretsAreErrEmpty(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	for name, call := range map[string]func() (*enclave.Enclave, error){
		"New(nil)":      func() (*enclave.Enclave, error) { return s.New(nil) },
		"New([]byte{})": func() (*enclave.Enclave, error) { return s.New([]byte{}) },
		"NewRandom(0)":  func() (*enclave.Enclave, error) { return s.NewRandom(0) },
		"NewRandom(-1)": func() (*enclave.Enclave, error) { return s.NewRandom(-1) },
	} {
		if e, err := call(); !errors.Is(err, enclave.ErrEmpty) || e != nil {
			t.Errorf("%s: %v, %v", name, e, err)
		}
	}
}

func TestRandomSecretsDiffer(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	seen := map[string]bool{string(make([]byte, 32)): true}
	for range 100 {
		e, err := s.NewRandom(32)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Use(func(secret []byte) error {
			if seen[string(secret)] {
				return errors.New("came twice")
			}
			seen[string(secret)] = true
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}

func TestSealConsumesTheBuffer(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, s *enclave.Session) {
		for _, freeze := range []bool{false, true} {
			b, err := s.NewBuffer(32)
			if err != nil {
				t.Fatal(err)
			}
			copy(b.Bytes(), secretOf(32))
			if freeze {
				if err := b.Freeze(); err != nil {
					t.Fatal(err)
				}
			}
			e, err := s.Seal(b)
			if err != nil {
				t.Fatal(err)
			}
			if b.Alive() {
				t.Error("the buffer lives on")
			}
			if err := e.Use(holds(secretOf(32))); err != nil {
				t.Error(err)
			}
			if e, err := s.Seal(b); !errors.Is(err, locked.ErrDestroyed) || e != nil {
				t.Errorf("again: %v, %v", e, err)
			}
		}
		if e, err := s.Seal(nil); !errors.Is(err, locked.ErrDestroyed) || e != nil {
			t.Errorf("of nil: %v, %v", e, err)
		}
	})
}

func TestDestroyedNilAndZeroEnclavesAreErrorsNotPanics(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	gone := newEnclave(t, s, secretOf(32))
	b, err := gone.Open()
	if err != nil {
		t.Fatal(err)
	}
	gone.Destroy()
	gone.Destroy()
	for name, e := range map[string]*enclave.Enclave{"destroyed": gone, "nil": nil, "zero": {}} {
		_, openErr := e.Open()
		_, waitErr := e.OpenContext(context.Background())
		for call, err := range map[string]error{
			"Open": openErr, "OpenContext": waitErr,
			"Use":    e.Use(func([]byte) error { return nil }),
			"UseAll": enclave.UseAll(func([][]byte) error { return nil }, e),
		} {
			if !errors.Is(err, locked.ErrDestroyed) {
				t.Errorf("%s, %s: %v", name, call, err)
			}
		}
		if e.Size() != 0 {
			t.Errorf("%s: Size %d", name, e.Size())
		}
		e.Destroy()
	}
	if !b.Equal(secretOf(32)) {
		t.Error("a buffer opened before went with its enclave")
	}
	if err := b.Destroy(); err != nil {
		t.Error(err)
	}
}

func TestOpenAtTheBudgetIsErrExhaustedAndOpenContextWaits(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, s *enclave.Session) {
		e := newEnclave(t, s, secretOf(32))
		var open []*locked.Buffer
		for {
			b, err := e.Open()
			if errors.Is(err, locked.ErrExhausted) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			open = append(open, b)
		}
		if len(open) == 0 {
			t.Fatal("not one buffer within the budget")
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := e.OpenContext(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: %v", err)
		}
		if err := e.Use(holds(secretOf(32))); err != nil {
			t.Errorf("Use while the buffers have the budget: %v", err)
		}
		done := make(chan error)
		go func() {
			b, err := e.OpenContext(context.Background())
			if err == nil {
				err = b.Destroy()
			}
			done <- err
		}()
		for _, b := range open {
			if !b.Equal(secretOf(32)) {
				t.Error("a buffer lost its secret at the budget")
			}
			if err := b.Destroy(); err != nil {
				t.Error(err)
			}
		}
		if err := <-done; err != nil {
			t.Errorf("the waiter: %v", err)
		}
	})
}

func TestUseAllTakesSeveralSessionsSecretsAtOnce(t *testing.T) {
	t.Parallel()
	testenv.Lockable(t, 2*budget())
	var sessions []*enclave.Session
	for range 2 {
		s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: budget(), AllowUnlocked: testenv.AllowUnlocked})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sessions = append(sessions, s)
	}
	a, b := newEnclave(t, sessions[0], secretOf(32)), newEnclave(t, sessions[1], secretOf(100))
	check := func(secrets [][]byte) error {
		return errors.Join(holds(secretOf(32))(secrets[0]), holds(secretOf(100))(secrets[1]), holds(secretOf(32))(secrets[2]))
	}
	if err := enclave.UseAll(check, a, b, a); err != nil {
		t.Error(err)
	}
	failure := errors.New("mine")
	if err := enclave.UseAll(func([][]byte) error { return failure }, a, b); err != failure {
		t.Errorf("fn's error became %v", err)
	}
	if err := sessions[1].Purge(); err != nil {
		t.Fatal(err)
	}
	if err := enclave.UseAll(check, a, b, a); !errors.Is(err, enclave.ErrPurged) || !strings.Contains(err.Error(), "enclave 2 of 3") {
		t.Errorf("with one that does not open: %v", err)
	}
	called := false
	if err := enclave.UseAll(func(secrets [][]byte) error { called = len(secrets) == 0; return nil }); err != nil || !called {
		t.Errorf("of none: %v, called %v", err, called)
	}
}

func TestPurgeEndsBuffersAndEnclavesAndTheSessionGoesOn(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, s *enclave.Session) {
		old := newEnclave(t, s, secretOf(32))
		b, err := old.Open()
		if err != nil {
			t.Fatal(err)
		}
		stale := b.Bytes()
		err = old.Use(func(secret []byte) error {
			if err := s.Purge(); err != nil {
				return err
			}
			return holds(secretOf(32))(secret)
		})
		if err != nil {
			t.Errorf("Purge within Use: %v", err)
		}
		if b.Alive() || b.Bytes() != nil {
			t.Error("the buffer survived")
		}
		testenv.MustFault(t, "reading a purged buffer", func() { testenv.Touch(stale) })
		if err := old.Use(func([]byte) error { return nil }); !errors.Is(err, enclave.ErrPurged) {
			t.Errorf("Use of an old enclave: %v", err)
		}
		if _, err := old.Open(); !errors.Is(err, enclave.ErrPurged) {
			t.Errorf("Open of an old enclave: %v", err)
		}
		if old.Size() != 32 {
			t.Errorf("an old enclave's Size is %d", old.Size())
		}
		if err := newEnclave(t, s, secretOf(32)).Use(holds(secretOf(32))); err != nil {
			t.Errorf("a new enclave: %v", err)
		}
		if stats := s.Stats(); stats.OpenBuffers != 0 || stats.Failures != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

func TestClosedSessionRefusesEverything(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	e := newEnclave(t, s, secretOf(32))
	if err := errors.Join(s.Close(), s.Close(), s.Purge()); err != nil {
		t.Fatal(err)
	}
	_, newErr := s.New(secretOf(8))
	_, randomErr := s.NewRandom(8)
	_, bufferErr := s.NewBuffer(8)
	_, openErr := e.Open()
	for name, err := range map[string]error{
		"New": newErr, "NewRandom": randomErr, "NewBuffer": bufferErr, "Open": openErr,
		"Use": e.Use(func([]byte) error { return nil }),
	} {
		if !errors.Is(err, enclave.ErrClosed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEverythingThatHoldsASecretPrintsAsItsSize(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	e := newEnclave(t, s, secretOf(32))
	for name, v := range map[string]any{"Enclave": e, "Session": s, "Default": enclave.Default()} {
		want := "[REDACTED 32 bytes]"
		if s, ok := v.(*enclave.Session); ok && s.Stats().Unlocked {
			want += " NOT LOCKED"
		}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			if got := fmt.Sprintf(verb, v); got != want {
				t.Errorf("%s: %s prints %q", name, verb, got)
			}
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("open", "it", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("open", "it", v)
		if strings.Count(log.String(), want) != 2 {
			t.Errorf("%s: slog prints %s", name, &log)
		}
		if raw, err := json.Marshal(v); err != nil || string(raw) != `"`+want+`"` {
			t.Errorf("%s: JSON is %s, %v", name, raw, err)
		}
		if text, err := v.(interface{ MarshalText() ([]byte, error) }).MarshalText(); err != nil || string(text) != want {
			t.Errorf("%s: text is %s, %v", name, text, err)
		}
		if got := fmt.Sprint(v) + fmt.Sprintf("%v", []any{v}); got != want+"["+want+"]" {
			t.Errorf("%s: in a slice %s", name, got)
		}
	}
}

func TestSecretThatCouldNeverBeOpenedIsNotSealedAndNotWiped(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	secret := secretOf(budget())
	var limit *locked.LimitError
	if e, err := s.New(secret); !errors.As(err, &limit) || e != nil {
		t.Errorf("New: %v, %v", e, err)
	}
	if !bytes.Equal(secret, secretOf(budget())) {
		t.Error("the secret that was not sealed is lost")
	}
	if e, err := s.NewRandom(budget()); !errors.As(err, &limit) || e != nil {
		t.Errorf("NewRandom: %v, %v", e, err)
	}
}

func TestStatsOutliveTheSession(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	newEnclave(t, s, secretOf(32))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if stats := s.Stats(); stats.Seals != 1 || stats.LockedBytes != 0 || stats.LockedBytesPeak == 0 {
		t.Errorf("%+v", stats)
	}
}

func TestNewFuncSealsWhatFillWrites(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	e, err := s.NewFunc(8, func(dst []byte) error {
		if len(dst) != 8 || !bytes.Equal(dst, make([]byte, 8)) {
			t.Errorf("fill got %x", dst)
		}
		copy(dst, "a secret")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := enclave.Get(e, func(secret []byte) (string, error) { return string(secret), nil })
	if err != nil || got != "a secret" {
		t.Errorf("%q, %v", got, err)
	}
	failure := errors.New("mine")
	if e, err := s.NewFunc(8, func([]byte) error { return failure }); err != failure || e != nil {
		t.Errorf("fill's error became %v, %v", e, err)
	}
	if _, err := enclave.Get(e, func([]byte) (int, error) { return 1, failure }); err != failure {
		t.Errorf("fn's error became %v", err)
	}
	if _, err := s.NewFunc(0, nil); !errors.Is(err, enclave.ErrEmpty) {
		t.Errorf("of no bytes: %v", err)
	}
}
