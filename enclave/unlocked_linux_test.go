package enclave_test

import (
	"errors"
	"os"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
)

// No lock at all, and room for a pool that a session does not fit into.
func TestSessionDoesWithoutALockIfAllowed(t *testing.T) {
	for _, pages := range []int{0, 3} {
		t.Run(map[int]string{0: "nothing", 3: "too little"}[pages], func(t *testing.T) {
			if !testenv.UnderLimit(t, pages*os.Getpagesize()) {
				return
			}
			var limit *enclave.LimitError
			if _, err := enclave.NewSession(enclave.Config{}); !errors.As(err, &limit) {
				t.Errorf("not allowed: %v", err)
			}
			s, err := enclave.NewSession(enclave.Config{AllowUnlocked: true})
			if err != nil {
				t.Fatal(err)
			}
			if stats := s.Stats(); !stats.Unlocked || stats.BackendReason == "" {
				t.Errorf("%+v", stats)
			}
			if got := s.String(); got != "[REDACTED 32 bytes] NOT LOCKED" {
				t.Errorf("prints %q", got)
			}
			e := newEnclave(t, s, secretOf(32))
			if err := e.Use(holds(secretOf(32))); err != nil {
				t.Error(err)
			}
			if n := testenv.LockedBytes(t); n != 0 {
				t.Errorf("%d bytes are locked", n)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
