package page

import (
	"errors"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A machine stands in for a Windows with the rules that wine doesn't have:
// VirtualLock takes what the minimum working set holds but for an overhead, and
// crash reports leave out so many blocks. The memory itself is real.
type machine struct {
	mu       sync.Mutex // protects what follows
	set      workingSet
	overhead uint64
	may      error // why the working set may not grow
	locked   map[uintptr]uint64
	left     map[uintptr]bool // out of crash reports
	blocks   int              // that may be left out; none for a Windows without the function
	locks    int              // calls of VirtualLock
	sets     []workingSet     // by SetProcessWorkingSetSizeEx
	lockErr  error            // what VirtualLock returns whatever the figures
}

// The figures of a process that nobody configured.
const (
	defaultMin      = 50 * 4096
	defaultMax      = 345 * 4096
	defaultOverhead = 20 * 4096
)

func newMachine() *machine {
	return &machine{
		set:      workingSet{defaultMin, defaultMax, windows.QUOTA_LIMITS_HARDWS_MIN_DISABLE | windows.QUOTA_LIMITS_HARDWS_MAX_DISABLE},
		overhead: defaultOverhead,
		locked:   make(map[uintptr]uint64),
		left:     make(map[uintptr]bool),
		blocks:   512,
	}
}

func (m *machine) backend(hook Hook) single {
	under := func(f func(b []byte) error) func([]byte) error {
		return func(b []byte) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			return f(b)
		}
	}
	return single{hook: hook, system: system{
		lock:    under(m.lock),
		exclude: under(m.exclude),
		include: under(m.include),
		workingSet: func() (workingSet, error) {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.set, nil
		},
		setWorkingSet: func(w workingSet) error {
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.may != nil && w.min > m.set.min {
				return m.may
			}
			m.set = w
			m.sets = append(m.sets, w)
			return nil
		},
	}}
}

func (m *machine) lock(b []byte) error {
	m.locks++
	if m.lockErr != nil {
		return m.lockErr
	}
	total := m.total()
	if m.locked[address(b)] == 0 {
		total += uint64(len(b))
	}
	if total+m.overhead > m.set.min {
		return windows.ERROR_WORKING_SET_QUOTA
	}
	m.locked[address(b)] = uint64(len(b))
	return nil
}

func (m *machine) total() (n uint64) {
	for _, size := range m.locked {
		n += size
	}
	return n
}

// drop is what Windows does to a page that becomes inaccessible or is released.
func (m *machine) drop(r *Run) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.locked, address(r.View))
}

func (m *machine) isLocked(r *Run) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.locked[address(r.View)] != 0
}

func (m *machine) exclude(b []byte) error {
	switch {
	case m.blocks == 0:
		return errNotExcluded
	case len(m.left) == m.blocks:
		return werTooMany
	}
	m.left[address(b)] = true
	return nil
}

func (m *machine) include(b []byte) error {
	if !m.left[address(b)] {
		return werNotFound
	}
	delete(m.left, address(b))
	return nil
}

// mapPages maps n runs of a page, which are unmapped when the test ends.
func mapPages(t *testing.T, s single, m *machine, n int) []*Run {
	t.Helper()
	runs := make([]*Run, n)
	for i := range runs {
		r, err := s.Map(Size(), false)
		if err != nil {
			t.Fatalf("run %d: %v", i, err)
		}
		runs[i] = r
		t.Cleanup(func() { unmap(t, s, m, r) })
	}
	return runs
}

func unmap(t *testing.T, s single, m *machine, r *Run) {
	t.Helper()
	if r.whole == nil {
		return
	}
	if err := s.Unmap(r); err != nil {
		t.Error(err)
	}
	m.drop(r)
	r.whole = nil
}

func TestMinimumWorkingSetGrowsByWhatIsLockedWhenItIsUsedUp(t *testing.T) {
	t.Parallel()
	m := newMachine()
	s := m.backend(nil)
	room := int(defaultMin-defaultOverhead) / Size()
	runs := mapPages(t, s, m, room)
	if len(m.sets) != 0 {
		t.Errorf("%d pages fit, and the working set was changed %d times", room, len(m.sets))
	}
	const more = 70
	runs = append(runs, mapPages(t, s, m, more)...)
	want := workingSet{uint64(defaultMin + more*Size()), uint64(defaultMax + more*Size()), m.set.flags}
	if m.set != want || len(m.sets) != more {
		t.Errorf("%d pages more: %+v after %d changes, want %+v", more, m.set, len(m.sets), want)
	}
	// What was given back is there for the next ones.
	for _, r := range runs {
		unmap(t, s, m, r)
	}
	mapPages(t, s, m, room+more)
	if m.set != want {
		t.Errorf("mapped again: %+v, want %+v", m.set, want)
	}
}

func TestGoroutinesThatGrowTheWorkingSetDoNotUndoEachOther(t *testing.T) {
	t.Parallel()
	m := newMachine()
	var growth sync.Mutex // held between reading and setting it
	var held atomic.Bool
	again := 0 // growths that another goroutine's lock used up first
	s := m.backend(func(call string) error {
		switch call {
		case "GetProcessWorkingSetSizeEx":
			if !growth.TryLock() {
				return errors.New("two goroutines grow the working set at once")
			}
			held.Store(true)
			runtime.Gosched()
		case "SetProcessWorkingSetSizeEx":
			if held.CompareAndSwap(true, false) {
				growth.Unlock()
			} else {
				again++ // by the overhead too
			}
		}
		return nil
	})
	const goroutines, each = 8, 20
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				r, err := s.Map(Size(), false)
				if err != nil {
					t.Error(err)
					return
				}
				t.Cleanup(func() { unmap(t, s, m, r) })
			}
		})
	}
	wg.Wait()
	want := uint64(goroutines*each*Size() + defaultOverhead)
	if m.set.min < want || m.set.min > want+uint64(again*overhead) {
		t.Errorf("a minimum of %d bytes for %d pages after %d growths by the overhead, want %d", m.set.min, goroutines*each, again, want)
	}
}

// What Windows keeps of the minimum is not documented.
func TestLargerOverheadIsMadeRoomForOnce(t *testing.T) {
	t.Parallel()
	m := newMachine()
	m.overhead = 80 * 4096
	s := m.backend(nil)
	mapPages(t, s, m, 1)
	if grown := m.set.min - defaultMin; grown > uint64(Size())+overhead {
		t.Errorf("it grew by %d bytes for one page", grown)
	}
	before := m.set.min
	mapPages(t, s, m, 40)
	if grown := m.set.min - before; grown > uint64(40*Size()) {
		t.Errorf("it grew by %d bytes for 40 pages", grown)
	}
}

func TestRefusedGrowthIsALockErrorAndChangesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*machine)
		want  error
	}{
		"no right to it":        {func(m *machine) { m.may = windows.ERROR_PRIVILEGE_NOT_HELD }, windows.ERROR_PRIVILEGE_NOT_HELD},
		"no memory to spare":    {func(m *machine) { m.may = windows.ERROR_NO_SYSTEM_RESOURCES }, windows.ERROR_NO_SYSTEM_RESOURCES},
		"hard maximum":          {func(m *machine) { m.set.max, m.set.flags = m.set.min, windows.QUOTA_LIMITS_HARDWS_MAX_ENABLE }, errFixed},
		"it doesn't help":       {func(m *machine) { m.overhead = 1 << 30 }, windows.ERROR_WORKING_SET_QUOTA},
		"its size is not known": {nil, errInjected},
		"it can't be set":       {nil, errInjected},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine()
			room := int(defaultMin-defaultOverhead) / Size()
			full := mapPages(t, m.backend(nil), m, room)
			hook := Hook(nil)
			if c.spoil != nil {
				c.spoil(m)
			} else {
				call := map[string]string{"its size is not known": "GetProcessWorkingSetSizeEx", "it can't be set": "SetProcessWorkingSetSizeEx"}[name]
				hook = func(c string) error {
					if c == call {
						return errInjected
					}
					return nil
				}
			}
			before := m.set
			_, err := m.backend(hook).Map(Size(), false)
			var refused *LockError
			if !errors.As(err, &refused) || refused.Size != Size() || refused.Call != "VirtualLock" {
				t.Errorf("no LockError: %v", err)
			}
			if !errors.Is(err, windows.ERROR_WORKING_SET_QUOTA) || !errors.Is(err, c.want) {
				t.Errorf("the error does not say why: %v", err)
			}
			if m.set != before {
				t.Errorf("the working set is %+v, was %+v", m.set, before)
			}
			if len(m.left) != room || len(m.locked) != room {
				t.Errorf("%d blocks left out and %d locked, of %d runs", len(m.left), len(m.locked), room)
			}
			// What was there still is, and its place serves again.
			unmap(t, m.backend(nil), m, full[0])
			m.overhead = defaultOverhead
			mapPages(t, m.backend(nil), m, 1)
		})
	}
}

var errInjected = errors.New("injected")

func TestOnlyWhatALimitRefusesIsALockError(t *testing.T) {
	t.Parallel()
	for code, limited := range map[syscall.Errno]bool{
		windows.ERROR_WORKING_SET_QUOTA:   true,
		windows.ERROR_NOT_ENOUGH_MEMORY:   true,
		windows.ERROR_NO_SYSTEM_RESOURCES: true,
		windows.ERROR_COMMITMENT_LIMIT:    true,
		windows.ERROR_NOACCESS:            false,
		windows.ERROR_NOT_LOCKED:          false,
		windows.ERROR_INVALID_ADDRESS:     false,
	} {
		m := newMachine()
		m.lockErr = code
		_, err := m.backend(nil).Map(Size(), false)
		var refused *LockError
		if errors.As(err, &refused) != limited || !errors.Is(err, code) || !strings.Contains(err.Error(), "VirtualLock") {
			t.Errorf("%d: %v", code, err)
		}
		if len(m.left) != 0 {
			t.Errorf("%d: still left out of crash reports", code)
		}
	}
}

func TestViewIsLockedAgainBeforeItIsUsedAgain(t *testing.T) {
	t.Parallel()
	m := newMachine()
	s := m.backend(nil)
	r := mapPages(t, s, m, 1)[0]
	set := func(a Access) {
		t.Helper()
		if err := s.Protect(r, a); err != nil {
			t.Fatal(err)
		}
	}
	for _, first := range []Access{Read, ReadWrite} {
		set(None)
		m.drop(r)
		set(first)
		if !m.isLocked(r) {
			t.Errorf("%v after none: not locked", first)
		}
	}
	before := m.locks
	set(Read)
	set(ReadWrite)
	if m.locks != before {
		t.Errorf("a page that kept its lock was locked %d times more", m.locks-before)
	}
}

func TestViewThatCannotBeLockedAgainStaysClosed(t *testing.T) {
	t.Parallel()
	m := newMachine()
	s := m.backend(nil)
	r := mapPages(t, s, m, 1)[0]
	if err := s.Protect(r, None); err != nil {
		t.Fatal(err)
	}
	m.drop(r)
	m.lockErr = windows.ERROR_WORKING_SET_QUOTA
	var refused *LockError
	if err := s.Protect(r, ReadWrite); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	if !faults(func() { r.View[0] = 1 }) {
		t.Error("a view that is not locked can be written")
	}
	m.lockErr = nil
	if err := s.Protect(r, ReadWrite); err != nil || !m.isLocked(r) {
		t.Errorf("the next try: %v, locked %v", err, m.isLocked(r))
	}
	r.View[0] = 1
}

// faults is testenv.Faults, which this package's own tests can't import.
func faults(f func()) (faulted bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() { faulted = recover() != nil }()
	f()
	return false
}

// Whoever was given the pages may make them inaccessible or unlock them by the
// system's own calls.
func TestLockThatSomebodyElseTookIsTakenAgain(t *testing.T) {
	t.Parallel()
	m := newMachine()
	s := m.backend(nil)
	r := mapPages(t, s, m, 1)[0]
	r.Exposed = true
	for _, a := range []Access{Read, ReadWrite} {
		m.drop(r)
		if err := s.Protect(r, a); err != nil || !m.isLocked(r) {
			t.Errorf("%v: %v, locked %v", a, err, m.isLocked(r))
		}
	}
	m.drop(r)
	m.lockErr = windows.ERROR_WORKING_SET_QUOTA
	var refused *LockError
	if err := s.Protect(r, ReadWrite); !errors.As(err, &refused) {
		t.Errorf("got %v", err)
	}
	// It is the owner's, who may be in the midst of reading.
	r.View[0] = 1
	if err := s.Protect(r, None); err != nil || r.Exposed {
		t.Errorf("closed: %v, exposed %v", err, r.Exposed)
	}
}

func TestRunThatWasUnlockedOnPurposeIsReleased(t *testing.T) {
	t.Parallel()
	s := single{system: realSystem()}
	r, err := s.Map(Size(), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := windows.VirtualUnlock(address(r.View), uintptr(len(r.View))); err != nil {
		t.Error(err)
	}
	if err := s.Unmap(r); err != nil {
		t.Error(err)
	}
}

func TestCrashReportsLeaveOutAsMuchAsTheyCan(t *testing.T) {
	t.Parallel()
	m := newMachine()
	m.blocks = 3
	s := m.backend(nil)
	runs := mapPages(t, s, m, 5)
	for i, r := range runs {
		if r.Dumpable != (i >= m.blocks) {
			t.Errorf("run %d of %d blocks: dumpable %v", i, m.blocks, r.Dumpable)
		}
	}
	unmap(t, s, m, runs[1])
	if r := mapPages(t, s, m, 1)[0]; r.Dumpable {
		t.Error("the block that came back is not used")
	}
	for _, r := range append(runs, runs[0]) {
		unmap(t, s, m, r)
	}
	if len(m.left) != 1 {
		t.Errorf("%d blocks are left out, of one run", len(m.left))
	}
}

func TestWindowsWithoutExclusionLeavesARunThatSaysSo(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]error{
		"not there":   nil,
		"out of it":   werOutOfMemory,
		"in recovery": werInvalidState,
	} {
		m := newMachine()
		m.blocks = 0
		s := m.backend(func(call string) error {
			if call == "exclude" {
				return failure
			}
			return nil
		})
		if r := mapPages(t, s, m, 1)[0]; !r.Dumpable {
			t.Errorf("%s: not dumpable", name)
		}
	}
	s := newMachine().backend(func(call string) error {
		if call == "exclude" {
			return hresult(0x80070057) // E_INVALIDARG
		}
		return nil
	})
	if _, err := s.Map(Size(), false); !errors.Is(err, hresult(0x80070057)) || !strings.Contains(err.Error(), "0x80070057") {
		t.Errorf("an error of ours: %v", err)
	}
}

func TestBlockIsTakenBackOnceAndBeforeItsAddressIs(t *testing.T) {
	t.Parallel()
	m := newMachine()
	var calls []string
	fail := ""
	s := m.backend(func(call string) error {
		calls = append(calls, call)
		if call == fail {
			return errInjected
		}
		return nil
	})
	r := mapPages(t, s, m, 1)[0]
	calls = nil
	for _, fail = range []string{"include", "free"} {
		if err := s.Unmap(r); !errors.Is(err, errInjected) || !strings.Contains(err.Error(), fail) {
			t.Errorf("%s failed: %v", fail, err)
		}
	}
	fail = ""
	if err := s.Unmap(r); err != nil {
		t.Error(err)
	}
	r.whole = nil
	if got := strings.Join(calls, " "); got != "include include free free" {
		t.Errorf("the calls were %s", got)
	}
	if len(m.left) != 0 {
		t.Error("still left out of crash reports")
	}
	// Somebody else took it back.
	r = mapPages(t, s, m, 1)[0]
	m.left = map[uintptr]bool{}
	unmap(t, s, m, r)
}

func TestThisWindowsLeavesRunsOutIfItCan(t *testing.T) {
	t.Parallel()
	s := single{system: realSystem()}
	r, err := s.Map(Size(), false)
	if err != nil {
		t.Fatal(err)
	}
	if missing := werExclude.Find() != nil; r.Dumpable != missing || (Advised().Dump == "") != missing {
		t.Errorf("the function is missing: %v; dumpable: %v, advised: %+v", missing, r.Dumpable, Advised())
	}
	if err := s.Unmap(r); err != nil {
		t.Error(err)
	}
}

func TestLimitsAreThoseOfTheWorkingSet(t *testing.T) {
	t.Parallel()
	soft, hard := uint32(windows.QUOTA_LIMITS_HARDWS_MAX_DISABLE), uint32(windows.QUOTA_LIMITS_HARDWS_MAX_ENABLE)
	for _, c := range []struct {
		set     workingSet
		fixed   bool
		want    Limits
		inReach uint64
	}{
		{workingSet{100, 300, soft}, false, Limits{Soft: 100, Hard: Unlimited}, Unlimited},
		{workingSet{100, 300, hard}, false, Limits{Soft: 100, Hard: 300}, 300},
		{workingSet{100, 300, soft}, true, Limits{Soft: 100, Hard: 100}, 100},
		{workingSet{100, 300, hard}, true, Limits{Soft: 100, Hard: 100}, 100},
	} {
		c.want.RaisedAsLocked = true
		if got := limitsOf(c.set, c.fixed); got != c.want || got.InReach() != c.inReach {
			t.Errorf("%+v, fixed %v: %+v, in reach %d", c.set, c.fixed, got, got.InReach())
		}
	}
	l, err := ReadLimits()
	if err != nil || l.Soft < uint64(20*Size()) || l.Hard < l.Soft {
		t.Errorf("of this process: %+v, %v", l, err)
	}
}

func TestWorkingSetDoesNotGrowBeyondTheAddressSpace(t *testing.T) {
	t.Parallel()
	w := workingSet{defaultMin, defaultMax, 0}
	for _, n := range []uint64{1 << 63, ^uint64(0) - defaultMax, ^uint64(0)} {
		if grown, err := w.grown(n); err == nil {
			t.Errorf("by %d: %+v", n, grown)
		}
	}
	if unsafe.Sizeof(uintptr(0)) == 4 {
		if _, err := w.grown(1 << 32); err == nil {
			t.Error("beyond 32 bits")
		}
	}
}
