package contenders

import (
	"bytes"
	"strings"
	"testing"
)

// Sizes that are a block, no block, a page, and more than one.
var checked = []int{1, 31, 32, 256, 4096, 5000, 65536}

func TestEveryContenderKeepsItsPromises(t *testing.T) {
	for _, c := range append(All(), Beside()...) {
		t.Run(c.Name, func(t *testing.T) {
			if c.Skipped != "" {
				t.Skip("SKIPPED: " + c.Skipped)
			}
			store, err := c.Start()
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range checked {
				if err := Check(c, store, size); err != nil {
					t.Error(err)
				}
			}
			if err := CheckPurge(c, store, 32); err != nil {
				t.Error(err)
			}
			if err := store.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, l := range Lines() {
		if seen[l.Label()] {
			t.Errorf("two lines are called %q", l.Label())
		}
		seen[l.Label()] = true
		if l.About == "" || len(l.Ways) == 0 {
			t.Errorf("%s says nothing of itself", l.Name)
		}
	}
}

// A liar is the bare cipher with one thing wrong.
type liar struct {
	*bareStore
	wrong string
}

func (l liar) Worker(max int) (Worker, error) {
	w, err := l.bareStore.Worker(max)
	return &liarWorker{w.(*bareWorker), l.wrong, nil}, err
}

func (l liar) Purge() error { return nil }

type liarWorker struct {
	*bareWorker
	wrong string
	first Secret
}

func (w *liarWorker) Use(s Secret, fn func([]byte) error) error {
	if w.first == nil {
		w.first = s
	}
	switch w.wrong {
	case "bytes":
		return w.bareWorker.Use(s, func(b []byte) error { b = bytes.Clone(b); b[len(b)-1] ^= 1; return fn(b) })
	case "secret":
		return w.bareWorker.Use(w.first, fn)
	case "error":
		_ = w.bareWorker.Use(s, fn)
		return nil
	case "never":
		return nil
	}
	return w.bareWorker.Use(s, fn)
}

func TestALyingContenderIsFound(t *testing.T) {
	honest := Promises{Encrypted: true}
	for _, test := range []struct {
		wrong    string
		promises Promises
		found    string
	}{
		{"bytes", honest, "not those that were sealed"},
		{"secret", honest, "not those that were sealed"},
		{"never", honest, "ran 0 times"},
		// It hides all errors, of which this is the first that shows.
		{"error", honest, "the caller's error"},
		{"not read-only", Promises{ReadOnly: true}, "a write to the open secret"},
		{"still there", Promises{After: map[Way]AfterClose{Use: Gone}}, "shows the secret"},
		{"no fault", Promises{After: map[Way]AfterClose{Use: Faults}}, "does not fault"},
	} {
		t.Run(test.wrong, func(t *testing.T) {
			store, err := newBareStore(true)
			if err != nil {
				t.Fatal(err)
			}
			c := &Contender{Name: "liar", Ways: []Way{Use}, Promises: test.promises}
			err = Check(c, liar{store, test.wrong}, 32)
			if err == nil || !strings.Contains(err.Error(), test.found) {
				t.Errorf("found %v, want %q", err, test.found)
			}
		})
	}
	t.Run("purge", func(t *testing.T) {
		store, err := newBareStore(true)
		if err != nil {
			t.Fatal(err)
		}
		err = CheckPurge(&Contender{Name: "liar", Ways: []Way{Use}}, liar{store, "purge"}, 32)
		if err == nil || !strings.Contains(err.Error(), "before the purge") {
			t.Errorf("found %v", err)
		}
	})
	t.Run("no authentication", func(t *testing.T) {
		c := &Contender{Name: "plain", Ways: []Way{Use}, Promises: honest}
		err := Check(c, plainStore{}, 32)
		if err == nil || !strings.Contains(err.Error(), "opens although byte") {
			t.Errorf("found %v", err)
		}
	})
}

// A plainStore keeps secrets as they are.
type plainStore struct{}

func (plainStore) Worker(int) (Worker, error)                   { return plainStore{}, nil }
func (plainStore) Seal(b []byte) (Secret, error)                { return &bareSecret{b}, nil }
func (plainStore) Free(Secret) error                            { return nil }
func (plainStore) Ciphertext(s Secret) []byte                   { return s.(*bareSecret).sealed }
func (plainStore) Close() error                                 { return nil }
func (plainStore) Use(s Secret, fn func([]byte) error) error    { return fn(s.(*bareSecret).sealed) }
func (p plainStore) Open(s Secret, fn func([]byte) error) error { return p.Use(s, fn) }
