//go:build amd64 || arm64

package forensics

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/memkeep/memkeep/internal/page"
	"github.com/memkeep/memkeep/internal/testenv"
)

var long = flag.Bool("long", false, "look ten times as often as .ci/run does")

func TestMain(m *testing.M) {
	if role := os.Getenv(roleEnv); role != "" {
		os.Exit(runChild(role))
	}
	flag.Parse()
	os.Exit(m.Run())
}

// subjectEnv names another command to examine, instead of this binary: the same
// tests, compiled for another processor, behind an emulator.
const subjectEnv = "MEMKEEP_FORENSICS_SUBJECT"

func emulated() bool { return os.Getenv(subjectEnv) != "" }

func command() *exec.Cmd {
	if words := strings.Fields(os.Getenv(subjectEnv)); len(words) > 0 {
		return exec.Command(words[0], words[1:]...)
	}
	return testenv.Reexec()
}

// need skips where there is nothing to examine.
func need(t *testing.T, backend string) {
	t.Helper()
	if raceEnabled {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's shadow memory takes minutes to search")
	}
	if _, err := page.Open(backend, nil); err != nil {
		t.Skipf("SKIPPED, NOTHING TESTED: %v", err)
	}
	limits, err := page.ReadLimits()
	if err != nil {
		t.Fatal(err)
	}
	if limits.Lockable() < 60<<10 {
		t.Skipf("SKIPPED, NOTHING TESTED: the process may lock %d bytes", limits.Lockable())
	}
}

// A subject is a child process under examination.
type subject struct {
	t      *testing.T
	pid    int
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	errs   bytes.Buffer
	board  *board
	x      *examiner
	h      history
	ended  bool
	frames int // signal frames with something secret, so far
	stops  int
}

func start(t *testing.T, role, backend string, env ...string) *subject {
	t.Helper()
	return startCommand(t, command(), role, backend, env...)
}

func startCommand(t *testing.T, cmd *exec.Cmd, role, backend string, env ...string) *subject {
	t.Helper()
	s := &subject{t: t, cmd: cmd}
	var path string
	s.board, path = newBoard(t)
	s.cmd.Env = append(os.Environ(), roleEnv+"="+role, boardEnv+"="+path, backendEnv+"="+backend)
	s.cmd.Env = append(s.cmd.Env, env...)
	s.cmd.Stderr = &s.errs
	s.cmd.Dir = t.TempDir()
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.out = bufio.NewScanner(out)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = s.cmd.Process.Pid
	t.Cleanup(s.end)
	return s
}

// end lets the child end by itself, which must work.
func (s *subject) end() {
	if s.x != nil {
		s.x.close()
	}
	if s.ended {
		return
	}
	s.ended = true
	s.in.Close()
	if s.t.Failed() {
		_ = s.cmd.Process.Kill() // it may be stopped, or wait for ever
	}
	if err := s.cmd.Wait(); err != nil && !s.t.Failed() {
		s.t.Errorf("the child: %v\n%s", err, s.errs.String())
	}
}

func (s *subject) tell(line string) {
	s.t.Helper()
	if _, err := io.WriteString(s.in, line+"\n"); err != nil {
		s.t.Fatalf("telling the child %q: %v\n%s", line, err, s.errs.String())
	}
}

// expect returns what the child says after the word. The child's memory is opened
// when it says the first one: before its exec is through, what is opened can still
// be this process's memory, and exec.Cmd.Start may return as early as that.
func (s *subject) expect(word string) string {
	s.t.Helper()
	if !s.out.Scan() {
		s.fatal("the child ended instead of %q", word)
	}
	said, rest, _ := strings.Cut(s.out.Text(), " ")
	if said != word {
		s.fatal("the child says %q, not %q", s.out.Text(), word)
	}
	if s.x == nil {
		var err error
		if s.x, err = newExaminer(s.pid); err != nil {
			s.t.Skipf("SKIPPED, NOTHING TESTED: reading another process's memory: %v", err)
		}
	}
	return rest
}

func (s *subject) fatal(format string, args ...any) {
	s.t.Helper()
	_ = s.cmd.Process.Kill()
	s.in.Close()
	s.ended = true
	err := s.cmd.Wait()
	s.t.Fatalf(format+": %v\n%s", append(args, err, s.errs.String())...)
}

// freeze stops all threads of the child: waitpid(2) returns when the last one
// has stopped.
func (s *subject) freeze() {
	s.t.Helper()
	if err := syscall.Kill(s.pid, syscall.SIGSTOP); err != nil {
		s.t.Fatal(err)
	}
	var status syscall.WaitStatus
	for {
		_, err := syscall.Wait4(s.pid, &status, syscall.WUNTRACED, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || !status.Stopped() {
			s.ended = true
			s.in.Close()
			s.t.Fatalf("the child ended: %v, %v\n%s", status, err, s.errs.String())
		}
		return
	}
}

func (s *subject) thaw() {
	s.t.Helper()
	if err := syscall.Kill(s.pid, syscall.SIGCONT); err != nil {
		s.t.Fatal(err)
	}
}

// freezeHandled stops the child when every signal it was sent is handled.
func (s *subject) freezeHandled() {
	s.t.Helper()
	for s.freeze(); s.signalsPending(); s.freeze() {
		s.thaw()
	}
}

func (s *subject) threads() []int {
	s.t.Helper()
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", s.pid))
	if err != nil {
		s.t.Fatal(err)
	}
	var tids []int
	for _, e := range list {
		tid, err := strconv.Atoi(e.Name())
		if err != nil {
			s.t.Fatal(err)
		}
		tids = append(tids, tid)
	}
	return tids
}

func (s *subject) signalsPending() bool {
	s.t.Helper()
	for _, tid := range s.threads() {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/status", s.pid, tid))
		if err != nil {
			s.t.Fatal(err)
		}
		set := func(name string) uint64 {
			_, rest, _ := strings.Cut(string(status), name+":")
			line, _, _ := strings.Cut(rest, "\n")
			signals, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return signals
		}
		pending := set("SigPnd")
		if emulated() { // the emulator has a thread of its own, which takes none
			pending &^= set("SigBlk")
		}
		if pending&(1<<(syscall.SIGURG-1)) != 0 {
			return true
		}
	}
	return false
}

// provoke sends each thread the signal that preempts goroutines.
func (s *subject) provoke() {
	for _, tid := range s.threads() {
		// It may have ended since.
		if err := syscall.Tgkill(s.pid, tid, syscall.SIGURG); err != nil && !errors.Is(err, syscall.ESRCH) {
			s.t.Fatal(err)
		}
	}
}

// at returns the chunk that the address lies in.
func (m memory) at(addr uint64) (chunk, bool) {
	for _, c := range m.chunks {
		if c.start <= addr && addr < c.start+uint64(len(c.bytes)) {
			return c, true
		}
	}
	return chunk{}, false
}

// A verdict is what a search found.
type verdict struct {
	outside  [quantities]int // pieces in ordinary memory
	inFrames [quantities]int // pieces in signal frames
	inLocked [quantities]int
	where    []string // of the first ones outside
	memory   memory
}

func (v *verdict) leaks() int {
	n := 0
	for q, count := range v.outside {
		if q != ofControl {
			n += count
		}
	}
	return n
}

// search reads the memory of the frozen child and searches it.
func (s *subject) search(set *patterns) verdict {
	s.t.Helper()
	m, err := s.x.read()
	if err != nil {
		s.t.Fatal(err)
	}
	v := verdict{memory: m}
	words := map[[piece]byte]bool{}
	slide := s.board.anchor - anchorPC()
	for _, c := range m.chunks {
		for _, h := range set.find(c.bytes) {
			addr := c.start + uint64(h.at)
			if c.of.locked {
				v.inLocked[h.kind]++
				continue
			}
			if h.kind == ofControl {
				v.outside[h.kind]++
				continue
			}
			inFrame, where := inSignalFrame(m, addr, slide)
			if inFrame {
				v.inFrames[h.kind]++
				continue
			}
			v.outside[h.kind]++
			if h.kind == ofBroadcast {
				words[[piece]byte(c.bytes[h.at:])] = true
			}
			if len(v.where) < 8 {
				at := c.bytes[max(0, h.at-32):min(len(c.bytes), h.at+64)]
				v.where = append(v.where, fmt.Sprintf("%s at %x, %s %s%s: %x", quantityNames[h.kind], addr, c.of.perms, c.of.path, where, at))
			}
		}
	}
	if len(words) == 1 {
		s.t.Logf("one word of a subkey, many times, by chance: %s", strings.Join(v.where, "\n"))
		v.outside[ofBroadcast] = 0
	}
	if v.outside[ofControl] < 2 {
		s.t.Fatalf("the search does not find the control in ordinary memory (%d bytes): it proves nothing", m.total)
	}
	return v
}

// inFlight returns the patterns that matter at this moment.
func (s *subject) inFlight() *patterns {
	shares, counters := s.h.learn(s.board)
	set := known(s.board, s.h.current())
	set.addBroadcasts(s.board, s.h.current())
	set.addShares(shares)
	for _, c := range counters {
		for _, e := range s.h.current() {
			set.addMessage(e.key, nonceOf(c, e.prefix), 64)
		}
	}
	return set
}

// all returns the patterns of all that was ever learned.
func (s *subject) all() *patterns {
	shares, _ := s.h.learn(s.board)
	set := known(s.board, s.h.current())
	set.addShares(shares)
	for one := range s.h.shares {
		set.addShares([]snapshot{one})
	}
	for _, e := range s.h.epochs {
		set.add(ofKey, e.key)
	}
	for use := range s.h.used {
		set.addMessage([]byte(use.key), nonceOf(use.counter, []byte(use.prefix)), 64)
	}
	return set
}

// stopOnce stops the child at a random moment under load, and examines it.
func (s *subject) stopOnce() {
	s.t.Helper()
	time.Sleep(time.Duration(rand.IntN(4000)) * time.Microsecond) // the moment is to be random
	s.provoke()
	s.freeze()
	v := s.search(s.inFlight())
	s.stops++
	for _, n := range v.inFrames {
		s.frames += n
	}
	if v.leaks() > 0 {
		s.t.Errorf("stop %d: in ordinary memory: %s\n%s", s.stops, describe(v.outside), strings.Join(v.where, "\n"))
	}
	s.thaw()
}

// stopsOf is how often the load is stopped.
func stopsOf() int {
	switch {
	case *long:
		return 2000
	case testenv.Long():
		return 200
	}
	return 40
}
