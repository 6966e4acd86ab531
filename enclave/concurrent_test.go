package enclave_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

func TestPurgeAtAnyMomentLeavesEveryCallItsOwnSecretOrAnError(t *testing.T) {
	t.Parallel()
	backends(t, func(t *testing.T, s *enclave.Session) {
		acceptable := func(err error) bool {
			return err == nil || errors.Is(err, enclave.ErrPurged) || errors.Is(err, locked.ErrDestroyed) || errors.Is(err, locked.ErrExhausted)
		}
		var wg sync.WaitGroup
		var good atomic.Int32
		stop := make(chan struct{})
		for g := range 16 {
			wg.Go(func() {
				secret := bytes.Repeat([]byte{byte(g + 1)}, 40)
				for {
					select {
					case <-stop:
						return
					default:
					}
					e, err := s.New(bytes.Clone(secret))
					if err != nil {
						t.Error(err)
						return
					}
					err = e.Use(func(got []byte) error {
						if !bytes.Equal(got, secret) {
							t.Error("Use: another secret")
						}
						return nil
					})
					if err == nil {
						good.Add(1)
					}
					if !acceptable(err) {
						t.Errorf("Use: %v", err)
					}
					b, err := e.OpenContext(context.Background())
					if !acceptable(err) {
						t.Errorf("OpenContext: %v", err)
					}
					if err != nil {
						continue
					}
					err = b.Use(func(got []byte) error {
						if !bytes.Equal(got, secret) {
							t.Error("Open: another secret")
						}
						return nil
					})
					if !acceptable(err) {
						t.Errorf("Buffer.Use: %v", err)
					}
					if g%2 == 0 {
						if _, err := s.Seal(b); !acceptable(err) {
							t.Errorf("Seal: %v", err)
						}
					}
					if err := b.Destroy(); err != nil {
						t.Errorf("Destroy: %v", err)
					}
					e.Destroy()
					runtime.Gosched() // where nothing preempts, the purges need it
				}
			})
		}
		for range 200 {
			if err := s.Purge(); err != nil {
				t.Errorf("Purge: %v", err)
			}
			before := good.Load()
			for good.Load() == before && !t.Failed() {
				runtime.Gosched()
			}
		}
		close(stop)
		wg.Wait()
		if n := s.Stats().OpenBuffers; n != 0 {
			t.Errorf("%d buffers open", n)
		}
	})
}

func TestNestedUseAtTheSmallestBudgetHangsNobody(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{MaxLockedBytes: smallest()})
	kek, dek := newEnclave(t, s, secretOf(32)), newEnclave(t, s, secretOf(48))
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			for range 20 {
				err := kek.Use(func(k []byte) error {
					return errors.Join(holds(secretOf(32))(k), dek.Use(holds(secretOf(48))))
				})
				if err != nil && !errors.Is(err, locked.ErrExhausted) {
					t.Error(err)
				}
				err = enclave.UseAll(func(secrets [][]byte) error {
					return errors.Join(holds(secretOf(32))(secrets[0]), holds(secretOf(48))(secrets[1]))
				}, kek, dek)
				if err != nil {
					t.Errorf("UseAll: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func TestOneLevelOfNestingNeverFailsWithinTheDefaultShare(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{MaxLockedBytes: 2 * budget()})
	kek, dek := newEnclave(t, s, secretOf(32)), newEnclave(t, s, secretOf(48))
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			for range 50 {
				err := kek.Use(func(k []byte) error {
					return errors.Join(holds(secretOf(32))(k), dek.Use(holds(secretOf(48))))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// Buffers in hand, and a wish for one more, inside of Use: every mix ends.
func TestMixedHoldersAtTheSmallestBudgetAllEnd(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{MaxLockedBytes: smallest()})
	e := newEnclave(t, s, secretOf(32))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	expected := func(err error) bool {
		return err == nil || errors.Is(err, locked.ErrExhausted) || errors.Is(err, context.DeadlineExceeded)
	}
	var wg sync.WaitGroup
	for g := range 100 {
		wg.Go(func() {
			for ctx.Err() == nil {
				var err error
				if g%2 == 0 {
					err = e.UseContext(ctx, func([]byte) error {
						b, err := e.OpenContext(ctx)
						if err != nil {
							return err
						}
						return b.Destroy()
					})
				} else {
					b, openErr := e.OpenContext(ctx)
					if err = openErr; err == nil {
						err = errors.Join(e.UseContext(ctx, holds(secretOf(32))), b.Destroy())
					}
				}
				if !expected(err) {
					t.Error(err)
				}
				runtime.Gosched() // where there is one processor, the deadline's timer needs it
			}
		})
	}
	wg.Wait()
	if err := e.Use(holds(secretOf(32))); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestNoGoroutineIsLeftAtRest(t *testing.T) {
	// Not parallel: other tests have sessions whose timers run.
	s := newSession(t, enclave.Config{RefreshInterval: time.Millisecond})
	e := newEnclave(t, s, secretOf(32))
	for range 100 {
		if err := e.Use(holds(secretOf(32))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// A timer's function that had begun before Close may still end.
	deadline := time.Now().Add(time.Minute)
	for {
		stacks := make([]byte, 1<<20)
		stacks = stacks[:runtime.Stack(stacks, true)]
		var left []string
		for _, g := range strings.Split(string(stacks), "\n\n") {
			if strings.Contains(g, "coffer.(*Coffer).tick") || strings.Contains(g, "memkeep/locked.(*store).") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("left:\n%s", strings.Join(left, "\n\n"))
		}
		runtime.Gosched()
	}
}

// What is opened into a buffer is no use, at whatever moment Stats looks.
func TestUsesAreCountedApartFromOpensUnderWay(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	e := newEnclave(t, s, secretOf(32))
	const uses = 3
	for range uses {
		if err := e.Use(holds(secretOf(32))); err != nil {
			t.Fatal(err)
		}
	}
	var openers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		openers.Go(func() {
			dst := make([]byte, 32)
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := e.OpenInto(dst); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for seen := range uint64(500) {
		before := s.Stats().Uses
		if now := s.Stats().Uses; before > now || now > uses {
			t.Errorf("after %d looks: %d uses, and then %d; there were %d", seen, before, now, uses)
			break
		}
	}
	close(done)
	openers.Wait()
	if now := s.Stats().Uses; now != uses {
		t.Errorf("%d uses, there were %d", now, uses)
	}
}

func TestSessionsAreIndependent(t *testing.T) {
	t.Parallel()
	a, b := fmt.Sprint(1), fmt.Sprint(2)
	first := newSession(t, enclave.Config{MaxLockedBytes: smallest()})
	e := newEnclave(t, first, []byte(a))
	if err := first.Purge(); err != nil {
		t.Fatal(err)
	}
	if err := e.Use(holds([]byte(b))); !errors.Is(err, enclave.ErrPurged) {
		t.Error(err)
	}
}

// A call that is under way when its session is closed gives its memory back as it ends,
// and the statistics say so.
func TestStatsOfAClosedSessionSeeTheLastCallEnd(t *testing.T) {
	t.Parallel()
	s := newSession(t, enclave.Config{})
	e := newEnclave(t, s, secretOf(32))
	err := e.Use(func([]byte) error {
		if err := s.Close(); err != nil {
			return err
		}
		if n := s.Stats().LockedBytes; n == 0 && !testenv.AllowUnlocked {
			t.Error("the secret in use lies in no locked memory")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if n := s.Stats().LockedBytes; n != 0 {
		t.Errorf("%d bytes are locked after the last call has ended", n)
	}
}
