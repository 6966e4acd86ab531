package dropin

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/enclave/memguard/core"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// limitOf returns the limit error that v carries, or fails.
func limitOf(t *testing.T, v any) *locked.LimitError {
	t.Helper()
	limit, ok := asLimit(v)
	if !ok {
		t.Fatalf("got %v, which carries no *locked.LimitError", v)
	}
	for _, words := range []string{"ulimit -l", "LimitMEMLOCK"} {
		if !strings.Contains(limit.Remedy(), words) {
			t.Errorf("%q does not say %q", limit.Remedy(), words)
		}
	}
	return limit
}

// asLimit returns the limit error that v carries.
func asLimit(v any) (limit *locked.LimitError, ok bool) {
	err, _ := v.(error)
	ok = errors.As(err, &limit)
	return limit, ok
}

// exhaust makes buffers until there is no memory for one more, which must be
// told by a panic with a limit error and cost nothing.
func exhaust(t *testing.T) []*memguard.LockedBuffer {
	t.Helper()
	var all []*memguard.LockedBuffer
	for {
		if len(all) > share/64 {
			t.Fatal("the limit does not hold")
		}
		v := panics(func() { all = append(all, memguard.NewBufferFromBytes(secret(8))) })
		if v == nil {
			continue
		}
		limitOf(t, v)
		return all
	}
}

// Needing a lock that the system refuses used to hang, or to destroy everything.
func TestAtTheLimitNothingIsLostAndNothingHangs(t *testing.T) {
	if !testenv.UnderLimit(t, share) {
		return
	}
	e, coffer := memguard.NewEnclave(secret(32)), core.NewCoffer()
	all := exhaust(t)
	if len(all) < 6 {
		t.Errorf("only %d buffers in %d bytes", len(all), share)
	}
	src := secret(32)
	for what, err := range map[string]error{
		"Open":                      second(e.Open()),
		"NewBufferFromReader":       second(memguard.NewBufferFromReader(nothing{}, 32)),
		"NewBufferFromReaderUntil":  second(memguard.NewBufferFromReaderUntil(nothing{}, 0)),
		"NewBufferFromEntireReader": second(memguard.NewBufferFromEntireReader(nothing{})),
		"core.NewBuffer":            second(core.NewBuffer(1)),
		"core.NewBuffer of a page":  second(core.NewBuffer(os.Getpagesize())),
		"core.Open":                 second(core.Open(e.Enclave)),
		"Coffer.Rekey":              coffer.Rekey(),
		"Coffer.View":               second(coffer.View()),
		"Coffer.Init":               coffer.Init(),
	} {
		if limit := limitOf(t, err); limit.Requested < limit.Size+locked.CanarySize || limit.Soft != uint64(share) {
			t.Errorf("%s: %+v", what, limit)
		}
	}
	limitOf(t, panics(func() { memguard.NewBufferRandom(1) }))
	limitOf(t, panics(func() { memguard.NewBufferFromBytes(src) }))
	limitOf(t, panics(func() { memguard.NewEnclaveRandom(1) }))
	limitOf(t, panics(func() { core.NewCoffer() }))
	if coffer.Destroyed() {
		t.Error("the coffer is lost")
	}
	if isZero(src) {
		t.Error("the source of a buffer that was not made is wiped")
	}
	for i, b := range all {
		if !b.EqualTo(secret(8)) {
			t.Errorf("buffer %d is lost", i)
		}
	}
	// What locks nothing goes on.
	if memguard.NewEnclave(src) == nil || all[0].Seal() == nil {
		t.Error("sealing")
	}
	// One buffer went, so one fits.
	mustOpen(t, e).Destroy()
	for _, b := range all {
		b.Destroy()
	}
}

func TestReadersLoseNothingAtTheLimit(t *testing.T) {
	if !testenv.UnderLimit(t, share) {
		return
	}
	pattern := func(n int) byte { return byte(n%251) + 1 }
	source := &counter{of: pattern}
	b, err := memguard.NewBufferFromEntireReader(source)
	limitOf(t, err)
	if b.Size() != source.n || source.n < share/8 {
		t.Errorf("%d bytes of %d", b.Size(), source.n)
	}
	for i, c := range b.Bytes() {
		if c != pattern(i) {
			t.Fatalf("byte %d", i)
		}
	}
	b.Destroy()

	s := memguard.NewStream()
	if n, err := s.Write(secret(4 * share)); n != 4*share || err != nil {
		t.Fatal(n, err)
	}
	b, err = s.Flush()
	limitOf(t, err)
	wantNull(t, b)
	if s.Size() != 4*share {
		t.Error("Flush lost data")
	}
	total := 0
	for buf := make([]byte, 5000); ; {
		n, err := s.Read(buf)
		total += n
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if total != 4*share {
		t.Errorf("%d bytes", total)
	}
}

// A counter is an endless reader.
type counter struct {
	n  int
	of func(int) byte
}

func (c *counter) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = c.of(c.n)
		c.n++
	}
	return len(b), nil
}

func TestProcessThatMayLockNothingOrOnePageIsTold(t *testing.T) {
	for _, limit := range []int{0, os.Getpagesize()} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			if testenv.UnderLimit(t, limit) {
				isTold(t)
			}
		})
	}
}

func isTold(t *testing.T) {
	t.Helper()
	src := secret(8)
	limitOf(t, panics(func() { memguard.NewBuffer(1) }))
	limitOf(t, panics(func() { memguard.NewBufferFromBytes(src) }))
	limitOf(t, panics(func() { memguard.NewEnclave(src) }))
	limitOf(t, panics(func() { memguard.NewEnclaveRandom(1) }))
	limitOf(t, panics(func() { core.NewCoffer() }))
	limitOf(t, second(core.NewEnclave(src)))
	limitOf(t, second(memguard.NewBufferFromReader(nothing{}, 1)))
	limitOf(t, second(memguard.NewStream().Write(src)))
	if isZero(src) {
		t.Error("a source is wiped")
	}
	memguard.Purge()
	wantNull(t, memguard.NewBuffer(0))
}

// The limit may also fall while the program runs.
func TestOpenAfterTheLimitFellIsAnErrorAndDoesNotHang(t *testing.T) {
	if !testenv.UnderLimit(t, share) {
		return
	}
	e := memguard.NewEnclave(secret(32))
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{}); err != nil {
		t.Fatal(err)
	}
	// Pages that are locked already may still serve.
	var open []*memguard.LockedBuffer
	for {
		b, err := e.Open()
		if err != nil {
			limitOf(t, err)
			break
		}
		open = append(open, b)
	}
	for _, b := range open {
		b.Destroy()
	}
}

func TestBuffersAsLargeAsTheProcessMayLock(t *testing.T) {
	const limit = 16 << 20
	if !testenv.UnderLimit(t, limit) {
		return
	}
	b := memguard.NewBuffer(limit - 1<<20)
	b.Bytes()[0] = 1
	if limitOf(t, panics(func() { memguard.NewBuffer(limit) })).Budget != limit {
		t.Error("the budget is not the limit")
	}
	b.Destroy()
}

func TestManyGoroutinesAtTheLimitGetErrorsAndGoOn(t *testing.T) {
	if !testenv.UnderLimit(t, share) {
		return
	}
	e := memguard.NewEnclave(secret(32))
	var workers sync.WaitGroup
	for range 32 {
		workers.Go(func() {
			for range 200 {
				b, err := e.Open()
				var limit *locked.LimitError
				if errors.As(err, &limit) {
					continue
				}
				if err != nil || !b.EqualTo(secret(32)) {
					t.Error(err)
					return
				}
				b.Destroy()
			}
		})
	}
	workers.Wait()
}

func TestImportAndUseChangeNoLimitOnCoreDumps(t *testing.T) {
	together(t)
	var have syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &have); err != nil {
		t.Fatal(err)
	}
	if have.Max == 0 {
		t.Skip("SKIPPED: core dumps are forbidden from above")
	}
	state, out := child(t, "reports its core limit")
	if !state.Success() || out != "kept" {
		t.Errorf("%v: %s", state, out)
	}
}

func init() {
	children["reports its core limit"] = func() {
		var r syscall.Rlimit
		_ = syscall.Getrlimit(syscall.RLIMIT_CORE, &r)
		before := r
		memguard.NewBuffer(1).Destroy()
		_ = syscall.Getrlimit(syscall.RLIMIT_CORE, &r)
		if before == r && r.Max != 0 {
			fmt.Print("kept")
		}
	}
}

// memguard locks three pages of its own once something was opened, and has the rest of
// the limit for buffers of a page: 13 under 64 KiB.
func TestAsManyBuffersFitAsMemguardHas(t *testing.T) {
	for _, pages := range []int{16, 32, 256, 2048} {
		t.Run(strconv.Itoa(pages), func(t *testing.T) {
			if !testenv.UnderLimit(t, pages*os.Getpagesize()) {
				return
			}
			mustOpen(t, memguard.NewEnclave(secret(32))).Destroy()
			buffers := make([]*memguard.LockedBuffer, pages-3)
			for i := range buffers {
				if v := panics(func() { buffers[i] = memguard.NewBufferFromBytes(secret(32)) }); v != nil {
					t.Fatalf("%d buffers under a limit of %d pages, and then: %v", i, pages, v)
				}
			}
			for _, b := range buffers {
				if !b.EqualTo(secret(32)) {
					t.Fatal("a buffer is lost")
				}
				b.Destroy()
			}
		})
	}
}
