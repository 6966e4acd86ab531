package main

import (
	"net/http"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/memkeep/memkeep/internal/testenv"
)

// The limit may fall while the server runs. Then requests wait for what it has locked,
// the page and the metrics say what was refused, and the page what to do.
func TestPageShowsWhatTheSystemRefused(t *testing.T) {
	t.Parallel()
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED: an emulator has a limit of its own")
	}
	if runtime.NumCPU() == 1 {
		t.Skip("SKIPPED: on one processor two signatures hardly ever meet, so nothing more is locked")
	}
	if _, err := exec.LookPath("prlimit"); err != nil {
		t.Skip("SKIPPED, NOTHING TESTED: no prlimit, of util-linux")
	}
	limit := uint64(testenv.SmallLimit())
	server := start(t, spec{args: []string{"-keys", "1", "-request-timeout", "60s", "-read-timeout", "60s"}, memlock: strconv.FormatUint(limit, 10)})
	c := server.client()
	server.limit(4096, limit)
	refused := func() bool {
		return strings.Contains(c.call(http.StatusOK, "GET", "/metrics", "").raw, "\nmemkeep_lock_failed 1\n")
	}
	for late := time.Now().Add(patience); !refused(); {
		if time.Now().After(late) {
			t.Fatal("nothing was refused")
		}
		var group sync.WaitGroup
		for range 32 {
			group.Go(func() {
				if _, err := c.expect(http.StatusOK, "POST", "/v1/keys/key-000000/sign", messageBody(nil)); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	page := c.call(http.StatusOK, "GET", "/", "").raw
	for _, want := range []string{"limit is 4096 bytes (hard limit", "ulimit -l", "LimitMEMLOCK"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}
