package platform

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
)

// Of this very process, what the system calls tell is what was set.
func TestReadFollowsTheProcess(t *testing.T) {
	// Not parallel: it changes the process.
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &was); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []uint64{0, min(4096, was.Max)} {
		if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: limit, Max: was.Max}); err != nil {
			t.Fatal(err)
		}
		if c := Read().Core; !c.Limited || c.Limit != limit {
			t.Errorf("with a core limit of %d: %+v", limit, c)
		}
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &was); err != nil {
		t.Fatal(err)
	}
	state, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, dumpable := range []int{0, 1} {
		if err := unix.Prctl(unix.PR_SET_DUMPABLE, uintptr(dumpable), 0, 0, 0); err != nil {
			t.Fatal(err)
		}
		if got := Read().Tracing.Dumpable; got != answer(dumpable == 1) {
			t.Errorf("dumpable %d: %v", dumpable, got)
		}
	}
	if state == 1 {
		return
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
}

func TestOrdinaryMemoryIsReadableFromOutside(t *testing.T) {
	t.Parallel()
	if readable, err := Outside([]byte("no secret")); readable != Yes {
		t.Errorf("%v, %v", readable, err)
	}
	secret, err := page.Open(page.MemfdSecret, nil)
	if err != nil {
		t.Skipf("SKIPPED in part: %v", err)
	}
	testenv.Lockable(t, page.Size())
	r, err := secret.Map(page.Size(), false)
	if err != nil {
		t.Fatal(err)
	}
	if readable, err := Outside(r.View); readable != No {
		t.Errorf("a page of memfd_secret: %v, %v", readable, err)
	}
	if err := secret.Unmap(r); err != nil {
		t.Error(err)
	}
}
