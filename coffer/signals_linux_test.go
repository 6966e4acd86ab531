package coffer

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// marker is delivered after a SIGURG that came before it: the runtime hands out
// what is pending by ascending number.
const marker = syscall.SIGWINCH

func TestNoSignalsSendsNone(t *testing.T) {
	if !alone(t) {
		return
	}
	_, coffers := newInternals(t, Config{RefreshInterval: -1, NoSignals: true}, Config{RefreshInterval: -1})
	loud := coffers[1]
	sealed := make([]byte, 1+Overhead)
	// The silent one first: a sweep does not wait until all threads have handled it.
	for _, c := range coffers {
		for what, change := range map[string]func() error{"refresh": c.Refresh, "reset": c.Reset} {
			if err := c.Seal(sealed, []byte{1}); err != nil {
				t.Fatal(err)
			}
			if got := heard(t, change); got != (c == loud) {
				t.Errorf("a %s with NoSignals %v: signals sent is %v", what, c.silent, got)
			}
		}
	}
}

// heard runs f and reports whether a SIGURG came.
func heard(t *testing.T, f func() error) bool {
	t.Helper()
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, syscall.SIGURG, marker)
	defer signal.Stop(signals)
	if err := f(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), marker); err != nil {
		t.Fatal(err)
	}
	urgent := false
	for s := range signals {
		if s == marker {
			return urgent
		}
		urgent = true
	}
	return urgent
}
