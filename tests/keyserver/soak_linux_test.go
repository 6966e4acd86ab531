package main

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/memkeep/memkeep/internal/testenv"
)

// soak is how long TestServerUnderAMixForLong loads its servers. The stage soak of
// .ci/run gives an hour.
var soak = flag.Duration("soak", 3*time.Second, "how long to load the servers of the long run")

// pace is how long a client waits between its calls: servers that are never idle would
// show the processor's limits, not theirs.
const pace = 30 * time.Millisecond

// A tally is what clients saw.
type tally struct {
	mu     sync.Mutex // protects what follows
	took   []uint32   // microseconds
	errors map[string]int
}

// add counts a call that began at start.
func (y *tally) add(start time.Time, err error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.took = append(y.took, uint32(min(time.Since(start).Microseconds(), 1<<32-1)))
	if err != nil {
		y.errors[err.Error()]++
	}
}

// String returns how many calls there were, and how long they took.
func (y *tally) String() string {
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(y.took) == 0 {
		return "none"
	}
	slices.Sort(y.took)
	at := func(share float64) time.Duration {
		return time.Duration(y.took[int(share*float64(len(y.took)-1))]) * time.Microsecond
	}
	return fmt.Sprintf("%d, of which failed %d; p50 %v, p99 %v, p99.9 %v, slowest %v", len(y.took), y.failed(), at(.5), at(.99), at(.999), at(1))
}

func (y *tally) failed() (n int) {
	for _, count := range y.errors {
		n += count
	}
	return n
}

// A server under a limit of 64 KiB serves a mix for as long as is wanted: keys that are
// made, signed with and deleted, keys that follow files, and reloads, while the system
// refuses it more locked memory now and then. Beside it another is drained, purged while
// requests are under way, or killed, and starts again. No request to the first fails,
// and it ends with what it began with.
func TestServerUnderAMixForLong(t *testing.T) {
	t.Parallel()
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED, NOTHING TESTED: an emulator has descriptors, mappings and a limit of its own")
	}
	const clients, shared = 32, 2000
	keys, args := follow(t)
	limit := uint64(testenv.SmallLimit())
	server := start(t, spec{memlock: fmt.Sprint(limit), args: append(args, "-keys", fmt.Sprint(shared), "-request-timeout", "60s", "-read-timeout", "60s", "-log-level", "error")})
	c := server.client()
	for i := range clients { // what is made once
		if err := c.round(i, 0); err != nil {
			t.Fatal(err)
		}
	}
	before := server.atRest(c, nil)
	// What it may end with: the heap's mappings are the runtime's.
	most := maps.Clone(before)
	most["mappings"] += 64

	end := time.Now().Add(*soak)
	going := func() bool { return time.Now().Before(end) && !t.Failed() }
	calls, others := &tally{errors: map[string]int{}}, &tally{errors: map[string]int{}}
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			last := 0
			for round := 1; going(); round++ {
				rest(pace)
				start := time.Now()
				if i%2 == 0 {
					calls.add(start, c.round(i, round))
					continue
				}
				version, err := c.signFollowed(keys[i/2%len(keys)])
				if err == nil && version < last {
					err = fmt.Errorf("a signature is of an older version than the one before")
				}
				last = version
				calls.add(start, err)
			}
		})
	}
	versions, refusals, ends := 0, 0, map[string]int{}
	group.Go(func() {
		for v := 1; going(); v++ {
			for _, k := range keys {
				k.renew(t, v)
				versions++
			}
			if v%5 == 0 {
				server.signal(syscall.SIGHUP)
			}
			rest(time.Second)
		}
	})
	group.Go(func() {
		for going() {
			refusals++
			server.limitFor(rand.N(50*time.Millisecond), limit/2, limit)
			rest(2 * time.Second)
		}
	})
	group.Go(func() {
		for n := 0; going(); n++ {
			how := []string{"drained", "purged", "killed"}[n%3]
			endUnderLoad(t, how, others)
			ends[how]++
		}
	})
	group.Wait()

	after := server.atRest(c, most)
	t.Logf("%v: calls %v", *soak, calls)
	t.Logf("new versions %d; the limit was lowered %d times; the other server: ended %v, calls %v", versions, refusals, ends, others)
	t.Logf("%-22s %12s %12s", "", "start", "end")
	for _, name := range slices.Sorted(maps.Keys(before)) {
		t.Logf("%-22s %12.0f %12.0f", name, before[name], after[name])
	}
	for text, n := range calls.errors {
		t.Errorf("%d times: %s", n, text)
	}
	for text, n := range others.errors {
		t.Errorf("the other server, %d times: %s", n, text)
	}
	for _, name := range leaks {
		if after[name] > most[name] {
			t.Errorf("%s: %v at the start, %v at the end", name, before[name], after[name])
		}
	}
	if after["locked bytes"] > float64(limit) {
		t.Errorf("%v bytes are locked, the limit is %d", after["locked bytes"], limit)
	}
	server.signal(syscall.SIGTERM)
	server.wait(exitOK)
}

// rest waits between two steps of a mix.
func rest(most time.Duration) { time.Sleep(min(most, *soak/10)) }

// limitFor lowers the server's soft limit on locked memory for so long.
func (c *child) limitFor(while time.Duration, low, high uint64) {
	c.limit(low, high)
	time.Sleep(while)
	c.limit(high, high)
}

// limit sets the server's limits on locked memory. Without CAP_SYS_RESOURCE only a
// process of the same user may.
func (c *child) limit(soft, hard uint64) {
	cmd := exec.Command("prlimit", "--pid", fmt.Sprint(c.cmd.Process.Pid), fmt.Sprintf("--memlock=%d:%d", soft, hard))
	cmd.SysProcAttr = c.cmd.SysProcAttr
	if said, err := cmd.CombinedOutput(); err != nil {
		c.t.Errorf("%v: %v: %s", cmd, err, said)
	}
}

// endUnderLoad starts a server and ends it while clients sign. Until it is told to end
// no request fails, and when it is drained none that has begun.
func endUnderLoad(t *testing.T, how string, y *tally) {
	args := []string{"-keys", "100", "-request-timeout", "60s", "-read-timeout", "60s", "-log-level", "error"}
	if how == "purged" {
		args = append(args, "-drain-timeout", "1ns")
	}
	server := launch(t, spec{memlock: fmt.Sprint(testenv.SmallLimit()), args: args})
	if !server.listens() {
		t.Errorf("the server exited with %d:\n%s", server.code, server.errors())
		return
	}
	c := server.client()
	defer c.http.CloseIdleConnections()
	told := make(chan struct{})
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for {
				rest(pace)
				start := time.Now()
				_, err := c.expect(http.StatusOK, "POST", fmt.Sprintf("/v1/keys/key-%06d/sign", i), messageBody(nil))
				select {
				case <-told:
					if how == "drained" && err != nil && strings.Contains(err.Error(), "status") {
						y.add(start, err)
					}
					return
				default:
				}
				y.add(start, err)
				if err != nil {
					return
				}
			}
		})
	}
	rest(time.Second)
	close(told)
	if how == "killed" {
		_ = server.cmd.Process.Kill() // it runs: it was not told to end
	} else {
		server.signal(syscall.SIGTERM)
	}
	<-server.exited
	group.Wait()
	if ok := server.code == exitOK; ok == (how != "drained") && how != "purged" {
		t.Errorf("%s: the server exited with %d:\n%s", how, server.code, server.errors())
	}
}

// leaks are the figures that grow if something is not given back.
var leaks = []string{"goroutines", "descriptors", "mappings", "keys"}

// atRest returns the server's figures once no connection is left, nothing is under way,
// and what may leak is no more than that; or those after a long wait.
func (c *child) atRest(of *client, most map[string]float64) (figures map[string]float64) {
	c.t.Helper()
	for deadline := time.Now().Add(patience / 4); time.Now().Before(deadline); {
		of.http.CloseIdleConnections()
		figures = c.figures(of)
		over := func(name string) bool { return most != nil && figures[name] > most[name] }
		// One connection asks.
		if figures["connections"] <= 1 && figures["waiting"] == 0 && !slices.ContainsFunc(leaks, over) {
			break
		}
	}
	return figures
}

// figures returns what the system and the server itself say of it.
func (c *child) figures(of *client) map[string]float64 {
	c.t.Helper()
	figures := map[string]float64{}
	proc := fmt.Sprintf("/proc/%d/", c.cmd.Process.Pid)
	names := map[string]string{
		"go_goroutines": "goroutines", "memkeep_waiters": "waiting", "memkeep_locked_bytes": "locked bytes",
		"go_memstats_heap_inuse_bytes": "heap",
		"memkeep_lock_failed":          "memory was refused",
	}
	for line := range strings.Lines(of.call(http.StatusOK, "GET", "/metrics", "").raw) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		value, err := strconv.ParseFloat(text, 64)
		if as, ok := names[name]; ok && err == nil {
			figures[as] = value
		}
		if strings.HasPrefix(name, "keyserver_keys{") {
			figures["keys"] += value
		}
	}
	read := func(name string) []byte {
		content, err := os.ReadFile(proc + name)
		if err != nil {
			c.t.Fatal(err)
		}
		return content
	}
	for line := range strings.Lines(string(read("status"))) {
		for prefix, as := range map[string]string{"VmRSS:": "resident KiB", "VmLck:": "VmLck KiB", "Threads:": "threads"} {
			if rest, ok := strings.CutPrefix(line, prefix); ok {
				figures[as], _ = strconv.ParseFloat(strings.Fields(rest)[0], 64)
			}
		}
	}
	// With cgo a thread has a stack that is mapped, a guard, and an arena of its own: and
	// Go keeps the threads it has made.
	figures["mappings"] = float64(bytes.Count(read("maps"), []byte("\n"))) - 4*figures["threads"]
	open, err := os.ReadDir(proc + "fd")
	if err != nil {
		c.t.Fatal(err)
	}
	for _, fd := range open {
		if to, _ := os.Readlink(proc + "fd/" + fd.Name()); strings.HasPrefix(to, "socket:") {
			figures["connections"]++
		}
	}
	figures["descriptors"] = float64(len(open))
	figures["connections"]-- // one listens
	return figures
}
