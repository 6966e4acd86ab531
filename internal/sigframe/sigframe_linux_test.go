package sigframe

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"unsafe"
)

// waitForSignal blocks the thread until a signal was handled on it, and reports
// whether one was: signal(7), poll and ppoll "are never restarted after being
// interrupted by a signal handler".
func waitForSignal() bool {
	patience := syscall.Timespec{Sec: 60}
	_, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, 0, 0, uintptr(unsafe.Pointer(&patience)), 0, 0, 0)
	return errno == syscall.EINTR
}

func TestSweepReachesEveryThread(t *testing.T) {
	t.Parallel()
	const threads = 5
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if !waitForSignal() {
				t.Error("a thread had no signal")
			}
		})
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		wg.Wait()
	}()
	// A thread that was not there yet when the signal came gets the next one.
	for {
		if err := overwriteAll(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
			return
		default:
			runtime.Gosched()
		}
	}
}

// The runtime passes the signal on to a program that asked for it.
func TestSweepThreadSendsTheSignal(t *testing.T) {
	t.Parallel()
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGURG)
	defer signal.Stop(heard)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := SweepThread(); err != nil {
		t.Fatal(err)
	}
	<-heard
}

// A thread that is gone is no error.
func TestThreadThatEndedIsNoError(t *testing.T) {
	t.Parallel()
	tid := os.Getpid()
	// The main thread does not end with its goroutine: then another one.
	for tid == os.Getpid() {
		ended := make(chan int)
		go func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			ended <- syscall.Gettid()
		}()
		tid = <-ended
	}
	for {
		if _, err := os.Stat("/proc/self/task/" + strconv.Itoa(tid)); err != nil {
			break
		}
		runtime.Gosched()
	}
	if err := send(tid); err != nil {
		t.Error(err)
	}
}
