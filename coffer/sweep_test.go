package coffer

import "testing"

// A coffer at rest must not wake the process's threads twice a second.
func TestThreadsAreSweptOnlyAfterOperations(t *testing.T) {
	t.Parallel()
	c := newInternal(t)
	all, own := 0, 0
	c.sweeper.all = func() error { all++; return nil }
	c.sweeper.own = func() error { own++; return nil }
	check := func(what string, f func() error, wantAll, wantOwn int) {
		t.Helper()
		all, own = 0, 0
		if err := f(); err != nil {
			t.Fatal(err)
		}
		if all != wantAll || own != wantOwn {
			t.Errorf("%s sweeps all threads %d times and its own %d times, want %d and %d", what, all, own, wantAll, wantOwn)
		}
	}
	check("a rekey at rest", c.Rekey, 0, 1)
	sealed := make([]byte, 1+Overhead)
	for _, operation := range []func() error{
		func() error { return c.Seal(sealed, []byte{1}) },
		func() error { return c.Open(make([]byte, 1), sealed) },
	} {
		for _, change := range []func() error{c.Rekey, c.Reset} {
			check("an operation", operation, 0, 0)
			check("a change after it", change, 1, 0)
			check("the next one", change, 0, 1)
			if err := c.Seal(sealed, []byte{1}); err != nil {
				t.Fatal(err)
			}
			check("a change after another", change, 1, 0)
		}
		if err := c.Seal(sealed, []byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	check("an operation", func() error { return c.Seal(sealed, []byte{1}) }, 0, 0)
	check("closing", c.Close, 1, 0)
}
