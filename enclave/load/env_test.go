package load_test

import (
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

func TestEnvTakesAVariableOnce(t *testing.T) {
	// No parallel test may change the environment.
	l := newLoader(t)
	const name = "MEMKEEP_LOAD_TEST"
	t.Setenv(name, content+"\n")
	earlier := os.Getenv(name)
	e, err := l.Env(t.Context(), name)
	holds(t, e, err, []byte(content))
	if _, ok := os.LookupEnv(name); ok {
		t.Error("the variable is still set")
	}
	if runtime.GOOS != "windows" && strings.Trim(earlier, "\x00") != "" {
		t.Error("the runtime's copy is not wiped")
	}
	e, err = l.Env(t.Context(), name)
	refused(t, e, err, load.ErrNotSet, "env:"+name)
}

func TestEnvLeavesWhatItCannotSeal(t *testing.T) {
	l := newLoader(t)
	const name = "MEMKEEP_LOAD_TEST"
	still := func(want string) {
		t.Helper()
		if got, ok := os.LookupEnv(name); !ok || got != want {
			t.Errorf("the variable is %d bytes, want %d", len(got), len(want))
		}
	}
	t.Setenv(name, content)
	small := l
	small.MaxSize = 8
	e, err := small.Env(t.Context(), name)
	refused(t, e, err, load.ErrTooLarge, "env:"+name)
	still(content)

	closed, err := enclave.NewSession(enclave.Config{MaxLockedBytes: budget() / 2, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	e, err = load.Loader{Session: closed}.Env(t.Context(), name)
	refused(t, e, err, enclave.ErrClosed, "env:"+name)
	still(content)

	t.Setenv(name, "\n")
	e, err = l.Env(t.Context(), name)
	refused(t, e, err, enclave.ErrEmpty, "env:"+name)
	still("\n")

	for _, bad := range []string{"", "A=B", "A\x00"} {
		e, err := l.Env(t.Context(), bad)
		refused(t, e, err, fs.ErrInvalid, "env:")
	}
}
