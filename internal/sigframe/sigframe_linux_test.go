package sigframe

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
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

// asleep reports whether the thread waits in a system call.
func asleep(t *testing.T, tid int) bool {
	status, err := os.ReadFile("/proc/self/task/" + strconv.Itoa(tid) + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	// The state stands behind the name, which is in parentheses.
	_, rest, _ := strings.Cut(string(status), ") ")
	return strings.HasPrefix(rest, "S")
}

func TestOverwriteReachesEveryThread(t *testing.T) {
	t.Parallel()
	const threads = 5
	tids := make(chan int, threads)
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			tids <- syscall.Gettid()
			if !waitForSignal() {
				t.Error("a thread had no signal")
			}
		})
	}
	for range threads {
		for tid := <-tids; !asleep(t, tid); {
			runtime.Gosched()
		}
	}
	if err := Overwrite(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
}

// The runtime passes the signal on to a program that asked for it.
func TestOverwriteOwnSendsTheSignal(t *testing.T) {
	t.Parallel()
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGURG)
	defer signal.Stop(heard)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := OverwriteOwn(); err != nil {
		t.Fatal(err)
	}
	<-heard
}

// A thread that is gone is no error.
func TestThreadThatEndedIsNoError(t *testing.T) {
	t.Parallel()
	ended := make(chan int)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		ended <- syscall.Gettid()
	}()
	tid := <-ended
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
