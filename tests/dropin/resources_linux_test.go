package dropin

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// witness is what must outlive a shortage: an open buffer and an enclave.
type witness struct {
	buffer  *memguard.LockedBuffer
	enclave *memguard.Enclave
}

func newWitness() witness {
	return witness{memguard.NewBufferFromBytes(secret(32)), memguard.NewEnclave(secret(32))}
}

// lost says what is gone.
func (w witness) lost() string {
	if !w.buffer.EqualTo(secret(32)) {
		return "the open buffer is lost"
	}
	b, err := w.enclave.Open()
	if err != nil {
		return "the enclave is lost: " + err.Error()
	}
	defer b.Destroy()
	if !b.EqualTo(secret(32)) {
		return "the enclave holds something else"
	}
	return ""
}

// during makes buffers, all of which may be refused for want of the resource, and
// returns how many were, or what else happened.
func during(tries int, want locked.Resource) (refused int, other string) {
	for range tries {
		v := panics(func() { memguard.NewBuffer(32) })
		if v == nil {
			continue
		}
		limit, ok := asLimit(v)
		if !ok || limit.Resource != want || limit.Remedy() == "" {
			return refused, fmt.Sprintf("panic with %v", v)
		}
		refused++
	}
	return refused, ""
}

// passes fails the test unless the child printed that all went well.
func passes(t *testing.T, name string) {
	t.Helper()
	together(t)
	state, out := child(t, name)
	if reason, ok := strings.CutPrefix(out, "SKIPPED: "); ok {
		t.Skip("SKIPPED: " + reason)
	}
	if !state.Success() || out != "well" {
		t.Errorf("%v: %.2000s", state, out)
	}
}

func TestOutOfFileDescriptorsNothingIsLost(t *testing.T)           { passes(t, "runs out of descriptors") }
func TestWithoutADescriptorFromTheStartNothingIsLost(t *testing.T) { passes(t, "has no descriptor") }
func TestOutOfMappingsNothingIsLost(t *testing.T)                  { passes(t, "runs out of mappings") }
func TestOutOfAddressSpaceNothingIsLost(t *testing.T)              { passes(t, "runs out of address space") }

// Sizes that no system has room for.
func TestImpossibleSizesAreLimitErrorsAndNothingIsLost(t *testing.T) {
	together(t)
	w := newWitness()
	for _, size := range []int{math.MaxInt, math.MaxInt/4 + 1, math.MaxInt/4 + 2, math.MaxInt / 8, math.MaxInt / 1024} {
		if uint64(size) < 1<<40 && size < math.MaxInt/4 {
			continue // with 32 bits, what a machine may well have
		}
		limit, ok := asLimit(panics(func() { memguard.NewBuffer(size) }))
		if !ok || limit.Size != size {
			t.Errorf("%d bytes: %+v", size, limit)
		}
	}
	if lost := w.lost(); lost != "" {
		t.Error(lost)
	}
	w.buffer.Destroy()
}

func init() {
	setDescriptors := func(n uint64) {
		var r unix.Rlimit
		_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &r)
		r.Cur = n
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
			fmt.Print(err)
		}
	}
	children["runs out of descriptors"] = func() {
		w := newWitness()
		setDescriptors(0)
		refused, other := during(100, locked.FileDescriptors)
		if !w.buffer.EqualTo(secret(32)) {
			other += "; the open buffer is lost"
		}
		setDescriptors(256)
		lost := w.lost()
		switch again := panics(func() { memguard.NewBuffer(32).Destroy() }); {
		case other != "" || lost != "" || again != nil:
			fmt.Print(other, lost, again)
		case refused < 50 && usesDescriptors():
			fmt.Print("only ", refused, " were refused")
		default:
			fmt.Print("well")
		}
	}
	children["has no descriptor"] = func() {
		if !usesDescriptors() {
			fmt.Print("SKIPPED: the backend needs none")
			return
		}
		setDescriptors(0)
		_, other := during(3, locked.FileDescriptors)
		setDescriptors(256)
		w := newWitness()
		if lost := w.lost(); other != "" || lost != "" {
			fmt.Print(other, lost)
			return
		}
		fmt.Print("well")
	}
	children["runs out of mappings"] = outOfMappings
	children["runs out of address space"] = outOfAddressSpace
}

// usesDescriptors reports whether the backend in use opens a file for each mapping.
func usesDescriptors() bool {
	l, err := locked.CurrentLimits()
	return err == nil && (l.Backend == locked.MemfdSecret || l.Backend == locked.Memfd)
}

// outOfMappings takes all mappings that the system gives this process, and then
// wants buffers.
func outOfMappings() {
	raw, err := os.ReadFile("/proc/sys/vm/max_map_count")
	if err != nil {
		fmt.Print("SKIPPED: ", err)
		return
	}
	most, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || most > 1<<18 {
		fmt.Print("SKIPPED: vm.max_map_count is ", most)
		return
	}
	if len(testenv.Emulator()) > 0 || testenv.Race || math.MaxInt == math.MaxInt32 {
		fmt.Print("SKIPPED: others than the program take mappings, and die without; with 32 bits the runtime does")
		return
	}
	testenv.RoomForRuntime(nil)
	w := newWitness()
	var open []*memguard.LockedBuffer
	// One reservation, of which every second page is given an access of its own.
	page := os.Getpagesize()
	pages, err := unix.Mmap(-1, 0, 2*most*page, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		fmt.Print(err)
		return
	}
	n := 0
	for ; n < most && unix.Mprotect(pages[2*n*page:(2*n+1)*page], unix.PROT_READ) == nil; n++ {
	}
	refused, other := during(100, locked.Mappings)
	lost := ""
	if !w.buffer.EqualTo(secret(32)) {
		lost = "the open buffer is lost"
	}
	opened, openErr := w.enclave.Open()
	if limit, ok := asLimit(openErr); openErr != nil && (!ok || limit.Resource != locked.Mappings) {
		lost = openErr.Error()
	}
	if opened != nil {
		open = append(open, opened)
	}
	// Give them back: then all goes on.
	for i := range n {
		if err := unix.Mprotect(pages[2*i*page:(2*i+1)*page], unix.PROT_NONE); err != nil && lost == "" {
			lost = err.Error()
		}
	}
	if lost == "" {
		lost = w.lost()
	}
	for _, b := range open {
		b.Destroy()
	}
	switch again := panics(func() { memguard.NewBuffer(32).Destroy() }); {
	case other != "" || lost != "" || again != nil:
		fmt.Print(other, lost, again)
	case refused == 0:
		fmt.Print("none was refused, with ", n, " of ", most, " mappings taken")
	default:
		fmt.Print("well")
	}
}

// outOfAddressSpace lowers RLIMIT_AS to what is in use.
func outOfAddressSpace() {
	if len(testenv.Emulator()) > 0 || testenv.Race {
		fmt.Print("SKIPPED: others than the program take address space")
		return
	}
	testenv.RoomForRuntime(nil)
	w := newWitness()
	f, err := os.Open("/proc/self/statm")
	if err != nil {
		fmt.Print("SKIPPED: ", err)
		return
	}
	var pages uint64
	if _, err := fmt.Fscan(bufio.NewReader(f), &pages); err != nil {
		fmt.Print(err)
		return
	}
	var before unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_AS, &before)
	low := before
	low.Cur = (pages + 4) * uint64(os.Getpagesize())
	if err := unix.Setrlimit(unix.RLIMIT_AS, &low); err != nil {
		fmt.Print(err)
		return
	}
	refused, other := during(20, locked.AddressSpace)
	if err := unix.Setrlimit(unix.RLIMIT_AS, &before); err != nil {
		fmt.Print(err)
		return
	}
	if lost := w.lost(); other != "" || lost != "" || refused == 0 {
		fmt.Print(refused, " refused; ", other, lost)
		return
	}
	fmt.Print("well")
}
