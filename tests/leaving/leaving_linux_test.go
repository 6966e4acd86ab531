package leaving

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

// A subject is a use of a secret by a library.
type subject struct {
	name string

	// make returns a new secret, and all that would do in its place.
	make func(t *testing.T) (secret []byte, needles []needle)

	// run uses the secret in the child.
	run func(u *user) error

	// peer starts the other side. What it returns has it take a secret, and returns
	// its address, and more that would do in place of the secret. It is nil where the
	// child is the server.
	peer func(t *testing.T) func(secret []byte) (address string, more []needle)

	// drive uses the child's server.
	drive func(t *testing.T, address string, secret []byte)

	// most is how many copies the recommended way may leave.
	most row

	// cleared is whether the obvious way leaves no more than that after two collections,
	// inside runtime/secret.
	cleared bool

	// least is how many copies the other ways leave after two collections: the control.
	least map[string]int
}

// A needle is what the scan looks for.
type needle struct {
	what  string
	bytes []byte
}

func find(name string) *subject {
	for _, s := range subjects {
		if s.name == name {
			return s
		}
	}
	return nil
}

// scaled is how often a child uses the secret.
func scaled() int {
	if testenv.Long() {
		return 2000
	}
	return 200
}

// A row is what was found in one child: at once, and after two collections.
type row struct{ atOnce, collected int }

// check holds what was found to what is documented.
func (s *subject) check(t *testing.T, way string, found row) {
	t.Helper()
	most := row{math.MaxInt, math.MaxInt}
	switch {
	case way == recommended:
		most = s.most
	case way == obvious && runtimeSecret && s.cleared:
		most.collected = s.most.collected
	}
	if found.atOnce > most.atOnce || found.collected > most.collected {
		t.Errorf("%s: %v copies are left, documented are at most %v", way, found, most)
	}
	if least := s.least[way]; found.collected < least && !(way == obvious && runtimeSecret) {
		t.Errorf("%s: %d copies are left, documented are at least %d", way, found.collected, least)
	}
}

// TestLeaving counts the copies of a secret that are left in a process that used it,
// by subject and way, and holds them to what is documented.
func TestLeaving(t *testing.T) {
	t.Parallel()
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's shadow memory takes minutes to scan")
	}
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED, NOTHING TESTED: an emulator has copies of its own of what a program reads")
	}
	var mu sync.Mutex // protects table
	table := map[string]map[string]row{}
	t.Cleanup(func() { show(t, table) })
	for _, s := range subjects {
		table[s.name] = map[string]row{}
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			testenv.Lockable(t, os.Getpagesize()) // the children lock memory of their own
			var peer func([]byte) (string, []needle)
			if s.peer != nil {
				peer = s.peer(t)
			}
			for _, way := range ways() {
				r := s.scan(t, way, peer)
				mu.Lock()
				table[s.name][way] = r
				mu.Unlock()
				s.check(t, way, r)
			}
		})
	}
}

// show prints the table.
func show(t *testing.T, table map[string]map[string]row) {
	var b strings.Builder
	fmt.Fprintf(&b, "%d operations; copies at once → after two collections, runtimesecret %v\n", scaled(), runtimeSecret)
	fmt.Fprintf(&b, "%-20s", "")
	for _, way := range ways() {
		fmt.Fprintf(&b, " | %-28s", way)
	}
	for _, name := range slices.Sorted(maps.Keys(table)) {
		fmt.Fprintf(&b, "\n%-20s", name)
		for _, way := range ways() {
			r := table[name][way]
			fmt.Fprintf(&b, " | %12d → %-13d", r.atOnce, r.collected)
		}
	}
	t.Log(b.String())
}

// scan has a child use a new secret, and counts what is left of it.
func (s *subject) scan(t *testing.T, way string, peer func([]byte) (string, []needle)) row {
	t.Helper()
	secret, needles := s.make(t)
	control := randomBytes(controlSize)
	cmd := testenv.Reexec()
	cmd.Env = append(os.Environ(), taskEnv+"="+s.name+"|"+way)
	if peer != nil {
		address, more := peer(secret)
		cmd.Env = append(cmd.Env, addressEnv+"="+address)
		needles = append(needles, more...)
	}
	c := startChild(t, cmd)
	defer c.end()
	c.tell(string([]byte{byte(len(secret) >> 8), byte(len(secret))}))
	c.tell(string(testenv.Mask(slices.Concat(control, secret))))
	if s.drive != nil {
		s.drive(t, c.hear(), secret)
		c.tell("used\n")
	}
	var r row
	for _, step := range []struct {
		says  string
		found *int
	}{{"worked", &r.atOnce}, {"collected", &r.collected}} {
		if said := c.hear(); said != step.says {
			t.Fatalf("%s, %s: the child says %q", s.name, way, said)
		}
		memory := testenv.ReadMemory(t, cmd.Process.Pid)
		memory.MustFind(t, control)
		for _, n := range needles {
			count := memory.Pieces(n.bytes)
			*step.found += count
			if count > 0 {
				t.Logf("%s, %s, %s: %s %d times", s.name, way, step.says, n.what, count)
			}
		}
		if step.says == "worked" {
			c.tell("collect\n")
		}
	}
	return r
}

// A process is a child with which the test talks by lines.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startChild(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &process{t, cmd, in, bufio.NewReader(out)}
}

func (p *process) tell(what string) {
	p.t.Helper()
	if _, err := io.WriteString(p.in, what); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) hear() string {
	p.t.Helper()
	line, err := p.out.ReadString('\n')
	if err != nil {
		p.t.Fatalf("the child says %q, %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// end closes the child's input, which ends it.
func (p *process) end() {
	p.t.Helper()
	p.in.Close()
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the child: %v", err)
	}
}

// serve starts a server in a process of its own, which ends with the test, and
// returns its address.
func serve(t *testing.T, task string, env ...string) string {
	t.Helper()
	cmd := testenv.Reexec()
	cmd.Env = append(append(os.Environ(), taskEnv+"="+task), env...)
	p := startChild(t, cmd)
	t.Cleanup(p.end)
	return p.hear()
}

func randomBytes(size int) []byte {
	b := make([]byte, size)
	_, _ = rand.Read(b) // fills its argument or ends the program
	return b
}

// text returns a random secret of printable characters.
func text(size int) []byte {
	b := randomBytes(size)
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return bytes.Clone(b)
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
