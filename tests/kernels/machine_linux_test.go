package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// alone skips where the test would change a system that others use: as root in a
// machine of .ci/boot's it may. Such tests don't run in parallel.
func alone(t *testing.T) {
	t.Helper()
	if os.Getenv(bootedEnv) == "" {
		t.Skip("SKIPPED, NOTHING TESTED: it changes the whole system: .ci/boot boots one for it")
	}
	if os.Getuid() != 0 {
		t.Skip("SKIPPED, NOTHING TESTED: only root may")
	}
}

// session returns a session of the backend, which lasts as long as the test.
func session(t *testing.T, backend locked.Backend) *enclave.Session {
	t.Helper()
	s, err := enclave.NewSession(enclave.Config{MaxLockedBytes: 16 << 20, Backend: backend})
	if errors.Is(err, locked.ErrUnsupported) {
		t.Skipf("SKIPPED, NOTHING TESTED: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

const maxMapCount = "/proc/sys/vm/max_map_count"

// write writes to a file of the kernel's, in one call of write(2).
func write(t *testing.T, path, what string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(what), 0); err != nil {
		t.Fatal(err)
	}
}

// read returns what a file of the kernel's says.
func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// At the limit of mappings, vm.max_map_count, a call that needs one more says so.
// What there is stays whole, and can be used, changed and destroyed; once the limit is
// raised, all works again.
func TestAtTheLimitOfMappingsNothingIsLost(t *testing.T) {
	alone(t)
	testenv.RoomForRuntime(t)
	for _, backend := range []locked.Backend{locked.MemfdSecret, locked.Memfd, locked.Mlock} {
		t.Run(string(backend), func(t *testing.T) { atTheLimitOfMappings(t, backend) })
	}
}

func atTheLimitOfMappings(t *testing.T, backend locked.Backend) {
	s := session(t, backend)
	want := func(i int) []byte { return fmt.Appendf(nil, "secret number %d of a few", i) }
	var enclaves []*enclave.Enclave
	for i := range 20 {
		e, err := s.New(want(i))
		if err != nil {
			t.Fatal(err)
		}
		enclaves = append(enclaves, e)
	}
	allUsed := func(when string) {
		t.Helper()
		for i, e := range enclaves {
			if err := e.Use(func(secret []byte) error { return same(secret, want(i)) }); err != nil {
				t.Errorf("%s, Use of secret %d: %v", when, i, err)
			}
		}
	}
	allUsed("before")

	before := read(t, maxMapCount)
	raise := func() { write(t, maxMapCount, before) }
	defer raise()
	const more = 200
	write(t, maxMapCount, strconv.Itoa(mappings(t)+more))

	var open []*locked.Buffer
	var refused error
	for range 2 * more {
		b, err := enclaves[len(open)%len(enclaves)].Open()
		if err != nil {
			refused = err
			break
		}
		open = append(open, b)
	}
	t.Logf("%d buffers in %d mappings, then: %v", len(open), mappings(t), refused)
	saysMappings(t, "Open", refused)
	_, err := s.NewBuffer(32)
	saysMappings(t, "NewBuffer", err)

	allUsed("at the limit")
	for i, b := range open {
		if err := same(b.Bytes(), want(i%len(enclaves))); err != nil {
			t.Errorf("open buffer %d: %v", i, err)
		}
	}
	changed := open[0]
	if err := errors.Join(changed.Melt(), changed.Wipe(), changed.Freeze()); err != nil {
		t.Errorf("changing an open buffer: %v", err)
	}
	// The pages of a destroyed buffer are kept: the next one has them, unless the
	// kernel needs more mappings to part the two.
	if err := open[1].Destroy(); err != nil {
		t.Errorf("destroying an open buffer: %v", err)
	}
	if b, err := enclaves[1].Open(); err != nil {
		t.Errorf("opening one more for the one destroyed: %v", err)
	} else {
		open[1] = b
	}
	if n := s.Stats().OpenBuffers; n != len(open) {
		t.Errorf("%d buffers are open, and %d should be", n, len(open))
	}

	raise()
	allUsed("after")
	for i, e := range enclaves {
		b, err := e.Open()
		if err != nil {
			t.Fatalf("Open of secret %d, the limit being raised: %v", i, err)
		}
		if err := same(b.Bytes(), want(i)); err != nil {
			t.Errorf("secret %d: %v", i, err)
		}
		open = append(open, b)
	}
	for i, b := range open {
		if err := b.Destroy(); err != nil {
			t.Errorf("destroying buffer %d: %v", i, err)
		}
	}
	if n := s.Stats().OpenBuffers; n != 0 {
		t.Errorf("%d buffers are still open", n)
	}
}

func same(got, want []byte) error {
	if !bytes.Equal(got, want) {
		return fmt.Errorf("it is %q, not %q", got, want)
	}
	return nil
}

// saysMappings checks that an error says which limit there is, and its remedy.
func saysMappings(t *testing.T, what string, err error) {
	t.Helper()
	var limit *locked.LimitError
	if !errors.As(err, &limit) || limit.Resource != locked.Mappings || !errors.Is(err, syscall.ENOMEM) {
		t.Errorf("%s at the limit of mappings: %v", what, err)
	} else if !strings.Contains(limit.Remedy(), "vm.max_map_count") {
		t.Errorf("the remedy doesn't name vm.max_map_count: %s", limit.Remedy())
	}
}

// mappings returns how many this process has, as the kernel counts them: the line of
// [vsyscall] stands for none.
func mappings(t *testing.T) int {
	t.Helper()
	maps := read(t, "/proc/self/maps")
	return len(strings.Split(maps, "\n")) - strings.Count(maps, "[vsyscall]")
}

const (
	powerState = "/sys/power/state"
	powerDisk  = "/sys/power/disk"
)

// While secret pages are mapped, the kernel refuses to hibernate: an image would have
// them. Before and after, it takes an image, and fails where it looks for a swap device to
// write it to: there is none.
func TestSecretPagesRefuseHibernation(t *testing.T) {
	alone(t)
	if modes, err := os.ReadFile(powerState); err != nil || !strings.Contains(string(modes), "disk") {
		t.Skipf("SKIPPED, NOTHING TESTED: this kernel can't hibernate: %s has %q, %v", powerState, modes, err)
	}
	if swaps := read(t, "/proc/swaps"); strings.Contains(swaps, "\n") {
		t.Fatalf("the machine would hibernate for real: %s", swaps)
	}
	hibernates := func(when string) {
		t.Helper()
		if runtime.GOARCH == "riscv64" {
			// Its machine ends while Linux 6.12 takes an image: there only what the
			// kernel says that it would do is compared.
			modes := read(t, powerDisk)
			t.Logf("%s: not tried; %s: %s", when, powerDisk, modes)
			if strings.Contains(modes, "[disabled]") {
				t.Errorf("hibernation %s: %s: the test proves nothing", when, modes)
			}
			return
		}
		before := images(t)
		err := os.WriteFile(powerState, []byte("disk"), 0)
		t.Logf("%s: %v; %s: %s", when, err, powerDisk, read(t, powerDisk))
		if errors.Is(err, syscall.EPERM) || images(t) == before {
			t.Errorf("hibernation %s: %v, and no image was taken: the test proves nothing", when, err)
		}
	}
	hibernates("before")
	t.Run("mapped", func(t *testing.T) {
		s := session(t, locked.MemfdSecret)
		b, err := s.NewBuffer(32)
		if err != nil {
			t.Fatal(err)
		}
		before := images(t)
		err = os.WriteFile(powerState, []byte("disk"), 0)
		t.Logf("secret pages being mapped: %v; %s: %s", err, powerDisk, read(t, powerDisk))
		if !errors.Is(err, syscall.EPERM) || images(t) != before {
			t.Errorf("hibernation with secret pages mapped: %v, %d images taken", err, images(t)-before)
		}
		if err := b.Destroy(); err != nil {
			t.Error(err)
		}
	})
	hibernates("after")
}

// images returns how many images for hibernation the kernel's log tells of: it looks
// for swap once it has one.
func images(t *testing.T) int {
	t.Helper()
	log := make([]byte, 4<<20)
	const readAll = 3 // SYSLOG_ACTION_READ_ALL of syslog(2)
	n, err := syscall.Klogctl(readAll, log)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(log[:n], []byte("Cannot get swap writer"))
}
