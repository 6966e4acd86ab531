package differential

import (
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/memkeep/memkeep/tests/dropin/differential/ours"
)

// What random scripts must come across, or comparing them says little.
var mustBeSeen = []string{
	`^fault$`, `^runtime error$`, `^panic: on purpose`, `^panic: <memguard::core::buffer> canary`,
	`^== EOF`, `^== unexpected EOF`, `^== the reader's own`, `^== .*ErrNullBuffer`, `^== .*ErrBufferExpired`,
	`^== .*ErrNullEnclave`, `^== .*ErrInvalidKeyLength`, `^== .*ErrBufferTooSmall`, `^== .*ErrDecryptionFailed`,
	`^== .*ErrCofferExpired`, `^0 alive=false mutable=false nil=true`, `^[1-9]\d* alive=true mutable=true nil=false`,
	`^[1-9]\d* alive=true mutable=false`, `wiped=true`, `wiped=false`, `moved=false`, `aliases=true`, `^nil buffer`,
	`^[1-9]\d* in [1-9]`, `^false true false$`, `^true true false$`,
}

func TestRandomScriptsComeAcrossEveryKindOfResult(t *testing.T) {
	t.Parallel()
	needMemory(t)
	seen := map[string]bool{}
	random := rand.New(rand.NewPCG(1, 1))
	for range 1500 {
		script := make([]byte, 8+random.IntN(120))
		for i := range script {
			script[i] = byte(random.Uint32())
		}
		session.Lock()
		for _, line := range ours.Run(script) {
			seen[line] = true
		}
		session.Unlock()
	}
	for _, pattern := range mustBeSeen {
		re := regexp.MustCompile(pattern)
		found := false
		for line := range seen {
			found = found || re.MatchString(line)
		}
		if !found {
			t.Errorf("never seen: %s", pattern)
		}
	}
	names := map[string]bool{}
	step := regexp.MustCompile(`^\d+ (\D.*)$`)
	for line := range seen {
		if m := step.FindStringSubmatch(line); m != nil {
			names[m[1]] = true
		}
	}
	if len(names) < ours.Kinds() {
		t.Errorf("%d of %d kinds of steps were played", len(names), ours.Kinds())
	}
}
