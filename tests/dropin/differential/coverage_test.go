package differential

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
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
	const most, batch = 1500, 100
	for n := 0; n < most && (n%batch != 0 || len(unseen(seen)) > 0); n++ {
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
	for _, what := range unseen(seen) {
		t.Errorf("in %d scripts never seen: %s", most, what)
	}
}

// unseen returns what of mustBeSeen, and of the kinds of steps, is not among the
// lines.
func unseen(lines map[string]bool) (missing []string) {
	for _, pattern := range mustBeSeen {
		if pattern == `^fault$` && !testenv.FaultsHaveAddresses() {
			continue // it looks like a runtime error
		}
		re := regexp.MustCompile(pattern)
		found := false
		for line := range lines {
			found = found || re.MatchString(line)
		}
		if !found {
			missing = append(missing, pattern)
		}
	}
	names := map[string]bool{}
	step := regexp.MustCompile(`^\d+ (\D.*)$`)
	for line := range lines {
		if m := step.FindStringSubmatch(line); m != nil {
			names[m[1]] = true
		}
	}
	if len(names) < ours.Kinds() {
		missing = append(missing, fmt.Sprintf("%d of %d kinds of steps", ours.Kinds()-len(names), ours.Kinds()))
	}
	return missing
}
