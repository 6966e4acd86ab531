//go:build unix || windows

package dropin

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/internal/testenv"
)

// raise sends this process a signal.
func raise(s os.Signal) {
	if err := testenv.Raise(os.Getpid(), s); err != nil {
		fmt.Print(err)
		os.Exit(3)
	}
}

func init() {
	forever := make(chan struct{})
	children["catches"] = func() {
		b := memguard.NewBufferFromBytes(secret(8))
		memguard.CatchSignal(func(s os.Signal) { fmt.Print(s, " alive=", b.IsAlive()) }, one)
		raise(one)
		<-forever
	}
	children["interrupted"] = func() {
		memguard.CatchInterrupt()
		raise(os.Interrupt)
		<-forever
	}
	children["catches another function"] = func() {
		memguard.CatchSignal(func(os.Signal) { fmt.Print("first") }, one)
		memguard.CatchSignal(func(os.Signal) { fmt.Print("second") }, one, two)
		raise(one)
		<-forever
	}
	children["no longer listed"] = func() {
		memguard.CatchSignal(func(os.Signal) { fmt.Print("caught") }, syscall.SIGTERM)
		memguard.CatchSignal(func(os.Signal) { fmt.Print("caught") }, os.Interrupt)
		raise(syscall.SIGTERM)
		<-forever
	}
	children["catches all"] = func() {
		memguard.CatchSignal(func(s os.Signal) { fmt.Print(s) })
		// On Unix the runtime interrupts goroutines that run on, by a signal.
		var stop atomic.Bool
		for range 2 {
			go func() {
				for !stop.Load() {
				}
			}()
		}
		for range 3 {
			runtime.GC()
		}
		if preemption != nil {
			raise(preemption)
		}
		for range 3 {
			runtime.GC()
		}
		stop.Store(true)
		raise(two)
		<-forever
	}
	children["has handlers of its own"] = func() {
		own := make(chan os.Signal, 1)
		signal.Notify(own, one, two)
		memguard.CatchSignal(func(os.Signal) {}, two)
		raise(one)
		fmt.Print(<-own)
	}
	children["counts goroutines"] = func() {
		before := runtime.NumGoroutine()
		for range 100 {
			memguard.CatchSignal(func(os.Signal) {}, one)
		}
		// The replaced ones end when they are scheduled; signal.Notify has one.
		for runtime.NumGoroutine() > before+2 {
			runtime.Gosched()
		}
	}
}

func TestCaughtSignalRunsTheHandlerBeforeTheWipeAndExits1(t *testing.T) {
	together(t)
	for name, want := range map[string]string{
		"catches":                  one.String() + " alive=true",
		"interrupted":              "",
		"catches another function": "second",
		"catches all":              two.String(),
	} {
		state, out := child(t, name)
		if state.ExitCode() != 1 || out != want {
			t.Errorf("%s: %v, printed %q, not %q", name, state, out, want)
		}
	}
}

func TestSignalNoLongerListedActsByDefault(t *testing.T) {
	together(t)
	if state, out := child(t, "no longer listed"); !endedBy(state, syscall.SIGTERM) || out != "" {
		t.Errorf("%v: %s", state, out)
	}
}

func TestOtherHandlersOfTheProgramStay(t *testing.T) {
	together(t)
	if state, out := child(t, "has handlers of its own"); !state.Success() || out != one.String() {
		t.Errorf("%v: %s", state, out)
	}
}

func TestReplacedCatchersLeaveNoGoroutine(t *testing.T) {
	together(t)
	if state, out := child(t, "counts goroutines"); !state.Success() {
		t.Errorf("%v: %s", state, out)
	}
}
