package locked

import (
	"context"
	"os"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

// Whoever holds a hint is a processor at work, as far as the others can tell. Of
// large slots one serves them all in turn here.
func TestPlacesOfLargeSecretsAreSpreadOverProcessors(t *testing.T) {
	t.Parallel()
	budget := 64 * os.Getpagesize()
	testenv.Lockable(t, budget)
	p, err := NewPool(Config{LockedBytes: budget, UseSlots: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, size := range []int{os.Getpagesize(), 4 * os.Getpagesize()} {
		var places [maxStripes]int
		for range 4 * len(p.stripes.at) {
			err := p.UseAt(context.Background(), size, func(_ []byte, place int) error {
				places[place]++
				return nil
			}, func([]byte) error { return nil })
			if err != nil {
				t.Fatal(err)
			}
			// Never given back.
			p.stripes.hints.Get()
		}
		used := 0
		for _, n := range places {
			used += min(n, 1)
		}
		if used < len(p.stripes.at)/2 {
			t.Errorf("%d bytes: %d of %d places are used", size, used, len(p.stripes.at))
		}
	}
}
