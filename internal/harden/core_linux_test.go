package harden

import (
	"strings"
	"testing"
)

func TestDumpThatALimitDoesNotReachIsSaid(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern string
		limit   uint64
		reached bool
	}{
		{"core\n", 0, true},
		{"core\n", refused, true},
		{"\n", 0, true},
		{"", 0, true},
		{"|/usr/share/apport/apport %p\n", refused, true},
		{"|/usr/share/apport/apport %p\n", 0, false},
		{"@/run/core.socket\n", refused, false},
		{"@@/run/core.socket\n", 0, false},
	} {
		err := outOfReach(c.pattern, c.limit)
		if (err == nil) != c.reached {
			t.Errorf("%q at a limit of %d: %v", c.pattern, c.limit, err)
		}
		if err != nil && !strings.Contains(err.Error(), "NotDumpable") {
			t.Errorf("%q does not say what helps", err)
		}
	}
}
