package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

// program runs the real program in this process's place, under its limits, and
// returns what it prints and its exit status.
func program(t *testing.T, args ...string) (out []byte, status int) {
	t.Helper()
	cmd := testenv.Reexec(args...)
	cmd.Env = append(os.Environ(), mainEnv+"=1")
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out, cmd.ProcessState.ExitCode()
}

// asJSON returns what the program says under the calling test's limits.
func asJSON(t *testing.T, wantStatus int) report {
	t.Helper()
	out, status := program(t, "-json")
	if status != wantStatus {
		t.Errorf("exit status %d, want %d\n%s", status, wantStatus, out)
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if r.Protected != (wantStatus == protected) {
		t.Errorf("protected is %v with exit status %d", r.Protected, status)
	}
	return r
}

func (r report) finding(t *testing.T, name string) finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no finding %q in %+v", name, r.Findings)
	return finding{}
}

func TestUnderALimitOfNothingTheProgramFailsAndSaysWhatMendsIt(t *testing.T) {
	if !testenv.UnderLimit(t, 0) {
		return
	}
	r := asJSON(t, unprotected)
	for _, name := range []string{"lock", "limit"} {
		if f := r.finding(t, name); f.Status != bad {
			t.Errorf("%+v, want %s", f, bad)
		}
	}
	remedies := strings.Join(r.finding(t, "limit").Remedies, "\n")
	for _, line := range []string{"ulimit -l", "LimitMEMLOCK", "--ulimit memlock", "Kubernetes", "cap_ipc_lock"} {
		if !strings.Contains(remedies, line) {
			t.Errorf("%q does not name %s", remedies, line)
		}
	}
	if out, _ := program(t); !strings.Contains(string(out), "Secrets can't be protected here.") {
		t.Errorf("%s", out)
	}
}

// Docker's 64 KiB are one page where pages have that size.
func TestUnderALimitBelowASessionTheProgramFails(t *testing.T) {
	for pages := 1; pages < sessionPages; pages++ {
		t.Run(fmt.Sprintf("%d pages", pages), func(t *testing.T) {
			if !testenv.UnderLimit(t, pages*os.Getpagesize()) {
				return
			}
			r := asJSON(t, unprotected)
			if f := r.finding(t, "lock"); f.Status != bad {
				t.Errorf("%+v", f)
			}
			if f := r.finding(t, "limit"); f.Status != bad || strings.Contains(f.Text, "works") || !strings.Contains(strings.Join(f.Remedies, "\n"), "LimitMEMLOCK") {
				t.Errorf("%+v", f)
			}
		})
	}
}

func TestUnderTheSmallestLimitThatServesTheProgramIsNotAlarmed(t *testing.T) {
	if !testenv.UnderLimit(t, sessionPages*os.Getpagesize()) {
		return
	}
	if r := asJSON(t, protected); r.finding(t, "limit").Status != weak || r.finding(t, "lock").Status != good {
		t.Errorf("%+v", r.Findings)
	}
}

func TestUnderDockersLimitTheProgramSeesItCut(t *testing.T) {
	limit := testenv.SmallLimit()
	if !testenv.UnderLimit(t, limit) {
		return
	}
	r := asJSON(t, protected)
	if l := r.Limits; l.Soft == nil || *l.Soft != uint64(limit) || l.Exempt || l.Budget != limit {
		t.Errorf("%+v", l)
	}
	if f := r.finding(t, "limit"); f.Status != weak || len(f.Remedies) == 0 {
		t.Errorf("%+v", f)
	}
}

func TestUnderTheUsualLimitTheProgramIsContent(t *testing.T) {
	const limit = 8 << 20
	if !testenv.UnderLimit(t, limit) {
		return
	}
	r := asJSON(t, protected)
	if l := r.Limits; l.Budget != l.Default || l.Exempt {
		t.Errorf("%+v", l)
	}
	if f := r.finding(t, "limit"); f.Status != good {
		t.Errorf("%+v", f)
	}
}

func TestRootIsExemptAndWrongUsageIsStatusTwo(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		if r := asJSON(t, protected); r.finding(t, "limit").Status != good {
			t.Errorf("%+v", r.finding(t, "limit"))
		}
	}
	if out, status := program(t, "-nonsense"); status != noReport || len(out) > 0 {
		t.Errorf("exit status %d, output %q", status, out)
	}
}
