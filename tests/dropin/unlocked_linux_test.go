package dropin

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/enclave/memguard/core"
)

// allowUnlocked is the variable that the drop-in's documentation names.
const allowUnlocked = "MEMKEEP_ALLOW_UNLOCKED"

func TestEnvironmentLetsAProgramDoWithoutALock(t *testing.T) {
	t.Setenv(allowUnlocked, "1")
	if state, out := child(t, "may lock nothing"); !state.Success() || out != "a secret, unlocked true" {
		t.Errorf("allowed: %v: %s", state, out)
	}
	for _, value := range []string{"", "0", "true"} {
		t.Setenv(allowUnlocked, value)
		if _, out := child(t, "may lock nothing"); !strings.Contains(out, "a LimitError: true") || !strings.Contains(out, allowUnlocked+"=1") {
			t.Errorf("not allowed by %q: %s", value, out)
		}
	}
}

func init() {
	children["may lock nothing"] = func() {
		defer func() {
			if v := recover(); v != nil {
				_, is := asLimit(v)
				fmt.Printf("a LimitError: %v: %v", is, v)
			}
		}()
		if err := becomeNobody(); err != nil {
			fmt.Print(err)
			return
		}
		b, err := memguard.NewBufferFromBytes([]byte("a secret")).Seal().Open()
		if err != nil {
			panic(err)
		}
		defer b.Destroy()
		s, err := core.Session()
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s, unlocked %v", b.Bytes(), s.Stats().Unlocked)
	}
}

// becomeNobody gives up the right to lock memory.
func becomeNobody() error {
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{}); err != nil {
		return err
	}
	if syscall.Getuid() != 0 {
		return nil
	}
	return syscall.Setuid(65534)
}
