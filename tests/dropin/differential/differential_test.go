// Package differential plays the same scripts of calls on memguard and on the
// drop-in, and compares what they show.
package differential

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/tests/dropin/differential/ours"
	"github.com/memkeep/memkeep/tests/dropin/differential/theirs"
)

var (
	scripts = flag.Int("scripts", 500, "how many random scripts to play")
	most    = flag.Duration("for", 0, "play no more of them after this time; 0: play all")
	seed    = flag.Uint64("seed", rand.Uint64(), "what the scripts are drawn from")
	update  = flag.Bool("update", false, "write the package ours from theirs")
)

// session is the lock of each library's only session: scripts purge it.
var session sync.Mutex

// enough is more memory than any script has locked at once, in either library:
// what they do at the limit differs on purpose.
const enough = 8 << 20

// needMemory skips where a script could meet the limit.
func needMemory(t testing.TB) {
	t.Helper()
	if _, err := page.Open("", nil); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	// memguard raises nothing by itself, and the reason why it could not be
	// raised shows in the limits.
	_ = page.RaiseSoftLimit(enough)
	limits, err := page.ReadLimits()
	if err != nil {
		t.Fatal(err)
	}
	if !limits.Exempt && limits.Soft < enough {
		t.Skipf("SKIPPED: memguard needs %d bytes of locked memory, the process may lock %d", enough, limits.Soft)
	}
}

// compare plays the script on both.
func compare(t *testing.T, script []byte) {
	t.Helper()
	session.Lock()
	defer session.Unlock()
	want, got := theirs.Run(script), ours.Run(script)
	if !testenv.FaultsHaveAddresses() {
		// It is chance what a fault looks like.
		for _, trace := range [][]string{want, got} {
			for i := range trace {
				if trace[i] == "fault" {
					trace[i] = "runtime error"
				}
			}
		}
	}
	// What memguard panics with says nothing; here it says what to do.
	for i := range got {
		if got[i] == "panic: memguard: a Stream is made by NewStream" {
			got[i] = "runtime error"
		}
	}
	for i := range max(len(want), len(got)) {
		if i >= len(want) || i >= len(got) || want[i] != got[i] {
			t.Fatalf("script %x\nafter %s\nmemguard: %s\nhere:     %s", script,
				strings.Join(want[max(0, i-8):min(i, len(want))], "\n      "), rest(want, i), rest(got, i))
		}
	}
}

func rest(trace []string, i int) string {
	if i >= len(trace) {
		return "nothing"
	}
	return strings.Join(trace[i:min(i+2, len(trace))], "; ")
}

func TestEveryScriptOfCallsShowsTheSameInBoth(t *testing.T) {
	t.Parallel()
	needMemory(t)
	n := *scripts
	if testing.Short() {
		n = min(n, 100)
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	played, start := 0, time.Now()
	for ; played < n && (*most == 0 || time.Since(start) < *most); played++ {
		script := make([]byte, 8+random.IntN(120))
		for i := range script {
			script[i] = byte(random.Uint32())
		}
		compare(t, script)
		if t.Failed() {
			break
		}
	}
	t.Logf("%d scripts of seed %d in %v", played, *seed, time.Since(start))
}

func FuzzScripts(f *testing.F) {
	for op := range byte(60) {
		f.Add(bytes.Repeat([]byte{op, 33, 7, 16}, 12))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		needMemory(t)
		compare(t, script[:min(len(script), 512)])
	})
}

// The two packages are one program, of which only the import path differs.
func TestBothPlayTheSameProgram(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("theirs/*.go")
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		if filepath.Base(path) == "doc.go" {
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(string(source), "package theirs", "package ours", 1)
		want = strings.ReplaceAll(want, "github.com/awnumar/memguard", "github.com/memkeep/memkeep/enclave/memguard")
		copied := filepath.Join("ours", filepath.Base(path))
		if *update {
			if err := os.WriteFile(copied, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(copied)
		if err != nil {
			t.Fatal(err)
		}
		if strings.ReplaceAll(string(got), "\r\n", "\n") != strings.ReplaceAll(want, "\r\n", "\n") {
			t.Errorf("%s is not %s with the import path changed; run the test with -update", copied, path)
		}
	}
}
