package sigframe

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// overwriteAll sends the signal to every thread of the process. It does not wait
// until all have handled it: a thread that is asleep wakes for it, one that
// runs is interrupted.
func overwriteAll() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return fmt.Errorf("sigframe: listing the threads: %w", err)
	}
	var errs []error
	for _, thread := range threads {
		tid, err := strconv.Atoi(thread.Name())
		if err == nil {
			err = send(tid)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// SweepThread sends the signal to the calling thread alone, which has handled
// it when this returns. The caller has locked its goroutine to the thread.
func SweepThread() error { return send(syscall.Gettid()) }

// send: tgkill(2), "ESRCH: No process matching the specified thread group ID
// and thread ID exists", is a thread that ended since it was listed.
func send(tid int) error {
	err := syscall.Tgkill(syscall.Getpid(), tid, syscall.SIGURG)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("sigframe: signalling thread %d: %w", tid, err)
	}
	return nil
}
