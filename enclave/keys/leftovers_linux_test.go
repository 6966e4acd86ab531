package keys_test

import (
	"crypto/rand"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

// TestLeftovers scans the memory of a process that has worked with a key, from
// outside and at rest, for whatever would do in place of the key. The control
// must be found, and the standard library's way shows what is found of a key
// that the caller took all care of.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's shadow memory takes minutes to scan")
	}
	if !xchacha.Assembly {
		t.Skip("SKIPPED, NOTHING TESTED: portable Go can't promise it")
	}
	// The children lock memory of their own.
	limits, err := locked.CurrentLimits()
	if err != nil {
		t.Fatal(err)
	}
	if limits.Budget < testenv.SmallLimit()/2 {
		t.Skipf("SKIPPED, NOTHING TESTED: %d bytes can be locked", limits.Budget)
	}
	for _, s := range subjects {
		if testing.Short() && strings.HasPrefix(s.name, "RSA") || s.long && !testenv.Long() {
			continue // takes ten times as long as the others, or more
		}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			for _, way := range []string{wayKeys, wayStandard} {
				t.Run(way, func(t *testing.T) {
					t.Parallel()
					found := lookForLeftovers(t, s.name, way)
					switch {
					case way == wayKeys && found > 0:
						t.Errorf("%d leftovers", found)
					case way == wayStandard && found == 0 && !runtimeSecret:
						t.Error("nothing is found of the standard library's way: the scan proves nothing")
					}
				})
			}
		})
	}
}

// lookForLeftovers returns how many pieces of a secret are found in the memory of
// a child that worked with it.
func lookForLeftovers(t *testing.T, name, way string) int {
	secret, needles := leftoverNeedles(t, name)
	control := make([]byte, controlSize)
	if _, err := rand.Read(control); err != nil {
		t.Fatal(err)
	}
	memory, told := childMemory(t, name+"/"+way, slices.Concat(control, secret))
	search := func(*testenv.Memory) int { return 0 }
	if strings.HasSuffix(name, "generate") {
		needles, search = generatedNeedles(t, name, told)
	} else {
		needles = append(needles, toldNeedles(t, name, secret, told)...)
	}
	memory.MustFind(t, control)
	found := search(memory)
	if found > 0 {
		t.Logf("%-36s %d times", "seed of a key", found)
	}
	for _, n := range needles {
		count := memory.Pieces(n.bytes)
		if count > 0 {
			t.Logf("%-36s %d times", n.what, count)
			if way == "keys" {
				t.Logf("at %s", strings.Join(memory.Places(n.bytes), "\nat "))
			}
		}
		found += count
	}
	t.Logf("%s, %s: %d found", name, way, found)
	return found
}

// A needle is what the scan looks for, whole and in pieces of 16 bytes.
type needle struct {
	what  string
	bytes []byte
}

// childMemory returns all memory, readable from outside, of a child that has
// worked with the masked input's secret, and what it told.
func childMemory(t *testing.T, task string, input []byte) (memory *testenv.Memory, told [][]byte) {
	t.Helper()
	child := testenv.Reexec()
	emulators := testenv.EmulatorsMemory(child)
	child.Env = append(os.Environ(), leftoversEnv+"="+task)
	child.Dir = t.TempDir()
	in, lines := testenv.StartChild(t, child)
	masked := testenv.Mask(slices.Clone(input))
	size := []byte{byte(len(masked) >> 8), byte(len(masked))}
	if _, err := in.Write(append(size, masked...)); err != nil {
		t.Fatal(err)
	}
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the child says %q, %v", line, err)
		}
		if line == "ready\n" {
			break
		}
		told = append(told, unhex(t, strings.TrimSpace(line)))
	}
	return testenv.ReadMemory(t, child.Process.Pid, emulators), told
}
