package coffer

import (
	"bytes"
	"os"
	"runtime"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

func newInternal(t *testing.T) *Coffer {
	t.Helper()
	_, coffers := newInternals(t, Config{RefreshInterval: -1})
	return coffers[0]
}

// newInternals returns a coffer for each configuration, and their pool, in which there
// is room for two pages more.
func newInternals(t *testing.T, configs ...Config) (*locked.Pool, []*Coffer) {
	t.Helper()
	budget := (2 + 2*len(configs)) * os.Getpagesize()
	testenv.Lockable(t, budget)
	pool, err := locked.NewPool(locked.Config{LockedBytes: budget, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	var coffers []*Coffer
	for _, cfg := range configs {
		c, err := New(pool, cfg)
		if err != nil {
			t.Fatal(err)
		}
		coffers = append(coffers, c)
		t.Cleanup(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return pool, coffers
}

// key assembles K from the shares as the package doc gives it.
func key(t *testing.T, c *Coffer) []byte {
	t.Helper()
	k := testenv.HChaCha(8, c.key.Right[:], domain[:])
	for i := range k {
		k[i] ^= c.key.Left[i]
	}
	return k
}

func TestSealedFormIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	c := newInternal(t)
	secret := []byte("what the package doc says")
	sealed := make([]byte, len(secret)+Overhead)
	if err := c.Seal(sealed, secret); err != nil {
		t.Fatal(err)
	}
	aead, err := chacha20poly1305.NewX(key(t, c))
	if err != nil {
		t.Fatal(err)
	}
	nonce := append(bytes.Clone(sealed[:8]), c.prefix[:]...)
	if got, err := aead.Open(nil, nonce, sealed[8:], nil); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("%q, %v", got, err)
	}
}

func TestSharesLieInDifferentPagesAndChangeTogether(t *testing.T) {
	t.Parallel()
	c := newInternal(t)
	if &c.regions[0].Bytes()[0] == &c.regions[1].Bytes()[0] || &c.key.Left[0] != &c.regions[0].Bytes()[0] ||
		&c.key.Right[0] != &c.regions[1].Bytes()[0] {
		t.Error("the shares are not at the start of two regions")
	}
	k, left, right := key(t, c), *c.key.Left, *c.key.Right
	for range 3 {
		if err := c.Refresh(); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(key(t, c), k) {
			t.Fatal("the key changed")
		}
		if *c.key.Left == left || *c.key.Right == right {
			t.Error("a share stayed")
		}
		if *c.spare != [KeySize]byte{} {
			t.Error("the old share is still there")
		}
		left, right = *c.key.Left, *c.key.Right
	}
}

func TestNothingButTheSharesRemainsInTheRegions(t *testing.T) {
	t.Parallel()
	c := newInternal(t)
	sealed := make([]byte, 100+Overhead)
	for range 100 {
		if err := c.Seal(sealed, make([]byte, 100)); err != nil {
			t.Fatal(err)
		}
		if err := c.Open(make([]byte, 100), sealed); err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range c.workspaces {
		// A nonce is no secret.
		if !bytes.Equal(l.state.Key[:], make([]byte, KeySize)) {
			t.Error("a workspace's state holds the key")
		}
	}
	for i, r := range c.regions {
		b := bytes.Clone(r.Bytes())
		clear(b[:KeySize])
		for j := range b {
			inNonce := j >= shareArea && (j-shareArea)%workspaceSize >= xchacha.StateSize
			if b[j] != 0 && !inNonce {
				t.Fatalf("region %d has %#x at %d", i, b[j], j)
			}
		}
	}
}

// A workspace for each processor takes pages. Where buffers are to have them, as in the
// drop-in for memguard, which locks as many for its key, there are a few in two pages.
func TestWorkspacesAreForTheProcessorsThatAreNamed(t *testing.T) {
	t.Parallel()
	budget := 256 * os.Getpagesize()
	testenv.Lockable(t, budget)
	pool, err := locked.NewPool(locked.Config{LockedBytes: budget, AllowUnlocked: testenv.AllowUnlocked})
	if err != nil {
		t.Fatal(err)
	}
	for processors, want := range map[int]int{1: fewestWorkspaces, 16: 16} {
		c, err := newFor(pool, Config{RefreshInterval: -1}, processors)
		if err != nil {
			t.Fatal(err)
		}
		size := len(c.regions[0].Bytes()) + len(c.regions[1].Bytes())
		if len(c.workspaces) != want || processors == 1 && size != 2*os.Getpagesize() {
			t.Errorf("%d processors: %d workspaces in %d bytes", processors, len(c.workspaces), size)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
}

func TestCallersAtTheSameTimeShareNoWorkspace(t *testing.T) {
	t.Parallel()
	c := newInternal(t)
	seen := map[*workspace]bool{}
	var taken []*workspace
	for range c.workspaces {
		l := c.enter()
		if seen[l] {
			t.Error("one workspace twice")
		}
		seen[l] = true
		taken = append(taken, l)
	}
	for _, l := range taken {
		l.mu.Unlock()
	}
}

// Who found its workspace taken goes on where it found a free one, and does not come back
// to disturb the other.
func TestACallerStaysOnTheWorkspaceThatItFoundFree(t *testing.T) {
	if testenv.Race {
		t.Skip("SKIPPED: the race detector drops hints")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, same := newInternal(t), 0
	for range 10 { // the scheduler may move this goroutine to another processor
		first := c.enter()
		second := c.enter()
		first.mu.Unlock()
		second.mu.Unlock()
		same = 0
		for range 100 {
			l := c.enter()
			if l == second {
				same++
			}
			l.mu.Unlock()
		}
		if same >= 50 {
			return
		}
	}
	t.Errorf("%d of 100 calls on the workspace that was free, want nearly all", same)
}

func TestAWorkspaceThatIsTakenHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	c := newInternal(t)
	sealed := make([]byte, 1+Overhead)
	var taken []*workspace
	for range len(c.workspaces) - 1 {
		taken = append(taken, c.enter())
	}
	if err := c.Seal(sealed, []byte{1}); err != nil { // or it waits for ever
		t.Error(err)
	}
	for _, l := range taken {
		l.mu.Unlock()
	}
}

func TestWhatARecoveredFaultLeftInAStateIsGoneAfterOneRekey(t *testing.T) {
	t.Parallel()
	testenv.MustGuard(t)
	pool, coffers := newInternals(t, Config{RefreshInterval: -1})
	c := coffers[0]
	b, err := pool.New(100)
	if err != nil {
		t.Fatal(err)
	}
	stale := b.Bytes()
	if err := b.Destroy(); err != nil {
		t.Fatal(err)
	}
	sealed := make([]byte, 100+Overhead)
	testenv.MustFault(t, "sealing a destroyed buffer", func() { _ = c.Seal(sealed, stale) })
	testenv.MustFault(t, "opening into one", func() { _ = c.Open(stale, sealed) })
	dirty := func() (n int) {
		for _, l := range c.workspaces {
			if *l.state != (xchacha.State{}) {
				n++
			}
		}
		return n
	}
	if dirty() == 0 {
		t.Error("the faults left nothing, so nothing is tested")
	}
	if err := c.Refresh(); err != nil {
		t.Error(err)
	}
	if n := dirty(); n > 0 {
		t.Errorf("%d workspaces are not clear", n)
	}
	if err := c.Seal(sealed, make([]byte, 100)); err != nil {
		t.Error(err)
	}
}
