//go:build unix

package dropin

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/memkeep/memkeep/enclave/memguard"
)

// raise sends this process a signal.
func raise(s syscall.Signal) { _ = syscall.Kill(os.Getpid(), s) }

func init() {
	forever := make(chan struct{})
	children["catches"] = func() {
		b := memguard.NewBufferFromBytes(secret(8))
		memguard.CatchSignal(func(s os.Signal) { fmt.Print(s, " alive=", b.IsAlive()) }, syscall.SIGUSR1)
		raise(syscall.SIGUSR1)
		<-forever
	}
	children["interrupted"] = func() {
		memguard.CatchInterrupt()
		raise(syscall.SIGINT)
		<-forever
	}
	children["catches another function"] = func() {
		memguard.CatchSignal(func(os.Signal) { fmt.Print("first") }, syscall.SIGUSR1)
		memguard.CatchSignal(func(os.Signal) { fmt.Print("second") }, syscall.SIGUSR1, syscall.SIGUSR2)
		raise(syscall.SIGUSR1)
		<-forever
	}
	children["no longer listed"] = func() {
		memguard.CatchSignal(func(os.Signal) { fmt.Print("caught") }, syscall.SIGTERM)
		memguard.CatchSignal(func(os.Signal) { fmt.Print("caught") }, syscall.SIGUSR2)
		raise(syscall.SIGTERM)
		<-forever
	}
	children["catches all"] = func() {
		memguard.CatchSignal(func(s os.Signal) { fmt.Print(s) })
		// The runtime interrupts goroutines that run on, by a signal.
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
		raise(syscall.SIGURG)
		for range 3 {
			runtime.GC()
		}
		stop.Store(true)
		raise(syscall.SIGHUP)
		<-forever
	}
	children["has handlers of its own"] = func() {
		own := make(chan os.Signal, 1)
		signal.Notify(own, syscall.SIGUSR1, syscall.SIGUSR2)
		memguard.CatchSignal(func(os.Signal) {}, syscall.SIGUSR2)
		raise(syscall.SIGUSR1)
		fmt.Print(<-own)
	}
	children["counts goroutines"] = func() {
		before := runtime.NumGoroutine()
		for range 100 {
			memguard.CatchSignal(func(os.Signal) {}, syscall.SIGUSR1)
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
		"catches":                  "user defined signal 1 alive=true",
		"interrupted":              "",
		"catches another function": "second",
		"catches all":              "hangup",
	} {
		state, out := child(t, name)
		if state.ExitCode() != 1 || out != want {
			t.Errorf("%s: %v, printed %q, not %q", name, state, out, want)
		}
	}
}

func TestSignalNoLongerListedActsByDefault(t *testing.T) {
	together(t)
	state, out := child(t, "no longer listed")
	if status, ok := state.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGTERM || out != "" {
		t.Errorf("%v: %s", state, out)
	}
}

func TestOtherHandlersOfTheProgramStay(t *testing.T) {
	together(t)
	if state, out := child(t, "has handlers of its own"); !state.Success() || !strings.Contains(out, "user defined signal 1") {
		t.Errorf("%v: %s", state, out)
	}
}

func TestReplacedCatchersLeaveNoGoroutine(t *testing.T) {
	together(t)
	if state, out := child(t, "counts goroutines"); !state.Success() {
		t.Errorf("%v: %s", state, out)
	}
}
