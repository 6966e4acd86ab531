package loading

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

// descriptors is how many pipes with the secret the child has, from 3 on.
const descriptors = 10

// documented is how many copies of a secret may be left, where that is not none:
// -1 for any number.
var documented = map[string]int{"literal, yaml.v3": -1}

// TestLoadingLeavesNothing scans the memory of a process that loaded a secret, from outside,
// for any 16 bytes of it. The control, another secret that the same process
// loaded in the usual way, must be found.
func TestLoadingLeavesNothing(t *testing.T) {
	t.Parallel()
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's shadow memory takes minutes to scan")
	}
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED, NOTHING TESTED: an emulator has copies of its own of what a program reads")
	}
	type row struct{ ours, usual int }
	var mu sync.Mutex // protects table
	table := map[string]row{}
	t.Cleanup(func() {
		for _, name := range slices.Sorted(maps.Keys(table)) {
			t.Logf("%-24s %d copies; the usual way %d", name, table[name].ours, table[name].usual)
		}
	})
	for name := range ways {
		if name == "tenants" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testenv.Lockable(t, os.Getpagesize()) // the children lock memory of their own
			for _, limited := range []bool{false, true} {
				s := prepare(t, name, limited)
				memory := s.memory()
				r := row{count(memory, s.ours), count(memory, s.usual)}
				if r.usual == 0 {
					t.Error("the scan does not find the control: it proves nothing")
				}
				if most := documented[name]; most >= 0 && r.ours > most {
					t.Errorf("limited %v: %d copies are left, documented are %d", limited, r.ours, most)
				}
				mu.Lock()
				table[name] = row{max(table[name].ours, r.ours), max(table[name].usual, r.usual)}
				mu.Unlock()
			}
		})
	}
}

// count returns in how many places a secret is: of the 16 bytes that are there
// most often.
func count(memory *testenv.Memory, secrets [][]byte) (n int) {
	for _, secret := range secrets {
		n = max(n, memory.Pieces(secret))
	}
	return n
}

// A subject is a child and what to look for in it.
type subject struct {
	t           *testing.T
	cmd         *exec.Cmd
	dir         string // its files
	ours, usual [][]byte
}

// text returns a random secret that any format can hold.
func text(size int) []byte {
	b := make([]byte, size)
	if _, err := rand.Read(b); err != nil {
		panic(err)
	}
	return []byte(base64.RawURLEncoding.EncodeToString(b)[:size])
}

// encoded is what PEM makes of a secret, without line ends.
func encoded(secret []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(secret)) }

// prepare makes secrets, all the places that the ways load them from, and the
// child, not started yet.
func prepare(t *testing.T, name string, limited bool) *subject {
	t.Helper()
	const size, large = 48, 10_000
	ours, usual, big := text(size), text(size), text(large)
	s := &subject{t: t, ours: [][]byte{ours, big, encoded(ours)}, usual: [][]byte{usual}}
	dir, err := os.MkdirTemp("", "load")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s.dir = dir
	for folder, secret := range map[string][]byte{"ours": ours, "usual": usual, "large": big} {
		folder = filepath.Join(dir, folder)
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		asJSON, err := json.Marshal(map[string]string{"user": "alice", "password": string(secret)})
		if err != nil {
			t.Fatal(err)
		}
		asLiteral, err := json.Marshal(map[string]string{"password": "literal:" + string(secret)})
		if err != nil {
			t.Fatal(err)
		}
		for file, content := range map[string][]byte{
			"secret":       append(bytes.Clone(secret), '\n'),
			"json":         asJSON,
			"broken":       asJSON[:len(asJSON)-2],
			"literal.json": asLiteral,
			"pem":          pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}),
		} {
			if err := os.WriteFile(filepath.Join(folder, file), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Symlink("ours", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	s.cmd = testenv.Reexec()
	s.cmd.Stderr = os.Stderr
	s.cmd.Env = append(os.Environ(), wayEnv+"="+name, dirEnv+"="+dir)
	switch name {
	case "Env":
		s.cmd.Env = append(s.cmd.Env, ourEnv+"="+string(ours), usualEnv+"="+string(usual))
	case "FD":
		for n := range descriptors + 1 {
			s.pipe([][]byte{ours, usual}[n/descriptors])
		}
	case "Terminal":
		s.terminal(ours, usual)
	}
	if limited {
		s.limit()
	}
	return s
}

// limit has the child run under the smallest limit, as somebody whom it holds.
func (s *subject) limit() {
	s.cmd.Env = append(s.cmd.Env, limitEnv+"=1")
	if os.Getuid() == 0 {
		s.asNobody(s.dir)
	}
}

// pipe gives the child a pipe that holds the secret.
func (s *subject) pipe(secret []byte) {
	r, w, err := os.Pipe()
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { r.Close() })
	defer w.Close()
	if _, err := w.Write(secret); err != nil {
		s.t.Fatal(err)
	}
	s.cmd.ExtraFiles = append(s.cmd.ExtraFiles, r)
}

// asNobody has the child run as a user whom the limit holds, and to whom its
// files belong.
func (s *subject) asNobody(dir string) {
	const nobody = 65534
	if s.cmd.SysProcAttr == nil {
		s.cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	s.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	s.cmd.Dir = os.TempDir()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, nobody, nobody)
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// memory returns what can be read of the child's memory once it has loaded.
func (s *subject) memory() *testenv.Memory {
	s.t.Helper()
	in, err := s.cmd.StdinPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := s.cmd.Wait(); err != nil {
			s.t.Errorf("the child: %v", err)
		}
	}()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		s.t.Fatalf("%v: the child says %q, %v", s.cmd.Env[len(s.cmd.Env)-2:], line, err)
	}
	return testenv.ReadMemory(s.t, s.cmd.Process.Pid)
}
