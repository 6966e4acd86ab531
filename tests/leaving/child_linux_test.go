package leaving

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
)

// taskEnv makes the test binary a child; its value is the task.
const taskEnv = "MEMKEEP_LEAVING"

// controlSize is the size of the control, which a subject keeps on the heap.
const controlSize = 32

func TestMain(m *testing.M) {
	task := os.Getenv(taskEnv)
	if task == "" {
		testenv.RunWaiting(m)
	}
	if err := child(task); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is a process that the tests start: a server, or one that is scanned.
func child(task string) error {
	if run, ok := servers[task]; ok {
		return run()
	}
	name, way, _ := strings.Cut(task, "|")
	s := find(name)
	if s == nil {
		return fmt.Errorf("no subject %q", name)
	}
	cfg := enclave.Config{RefreshInterval: 20 * time.Millisecond}
	if way == outside {
		way, cfg.NoRuntimeSecret = obvious, true
	}
	session, err := enclave.NewSession(cfg)
	if err != nil {
		return err
	}
	commands := bufio.NewReader(os.Stdin)
	u := &user{session: session, way: way, commands: commands, address: os.Getenv(addressEnv), operations: scaled()}
	control, err := u.receive()
	if err != nil {
		return err
	}
	if err := s.run(u); err != nil {
		return err
	}
	if err := u.rest(); err != nil {
		return err
	}
	runtime.KeepAlive(control)
	return session.Close()
}

// addressEnv is the address of the other side.
const addressEnv = "MEMKEEP_LEAVING_ADDRESS"

// The ways in which a program keeps the secret and hands it to a library.
const (
	heap        = "plain heap"
	obvious     = "enclave, the obvious way"
	outside     = "obvious, NoRuntimeSecret"
	recommended = "enclave, the recommended way"
)

// ways returns those that differ in this program.
func ways() []string {
	if runtimeSecret {
		return []string{heap, obvious, outside, recommended}
	}
	return []string{heap, obvious, recommended}
}

// A user is the process that is scanned: it uses the secret in one of the ways.
type user struct {
	session    *enclave.Session
	way        string
	commands   *bufio.Reader
	address    string // of the other side
	operations int

	secret  *enclave.Enclave
	onHeap  []byte // the secret, in the way that keeps it there
	keeping any    // what lives as long as the process
}

// receive reads the masked control and secret from the input.
func (u *user) receive() (control []byte, err error) {
	var size [2]byte
	if _, err := io.ReadFull(u.commands, size[:]); err != nil {
		return nil, err
	}
	control = make([]byte, controlSize)
	if _, err := io.ReadFull(u.commands, control); err != nil {
		return nil, err
	}
	testenv.Mask(control)
	// The reader's buffer has it masked.
	u.secret, err = u.session.NewFunc(int(size[0])<<8|int(size[1]), func(dst []byte) error {
		_, err := io.ReadFull(u.commands, dst)
		testenv.Mask(dst)
		return err
	})
	if err == nil && u.way == heap {
		err = u.secret.Use(func(secret []byte) error {
			u.onHeap = slices.Clone(secret)
			return nil
		})
	}
	return control, err
}

// with runs f on the secret: on the heap, or in Use.
func (u *user) with(f func(secret []byte) error) error {
	if u.way == heap {
		return f(u.onHeap)
	}
	return u.secret.Use(f)
}

// writable runs f on a copy of the secret in locked memory, which keys take over and
// wipe. What Use gives may only be read.
func (u *user) writable(f func(secret []byte) error) error {
	b, err := u.session.NewBuffer(u.secret.Size())
	if err != nil {
		return err
	}
	err = u.secret.Use(func(secret []byte) error {
		copy(b.Bytes(), secret)
		return nil
	})
	if err == nil {
		err = f(b.Bytes())
	}
	return errors.Join(err, b.Destroy())
}

// serves tells the test where to find this process's server, and waits until the
// test has used it.
func (u *user) serves(address string) error {
	fmt.Println(address)
	return u.told("used")
}

// told waits for the test's word.
func (u *user) told(want string) error {
	got, err := u.commands.ReadString('\n')
	if got != want+"\n" {
		return errors.Join(fmt.Errorf("told %q, not %q", got, want), err)
	}
	return nil
}

// rest says that the work is done, and again when the collector has run twice.
// Between, the session has had the frames of signals overwritten.
func (u *user) rest() error {
	fmt.Println("worked")
	if err := u.told("collect"); err != nil {
		return err
	}
	runtime.GC()
	runtime.GC()
	if err := testenv.AwaitSweep(); err != nil {
		return err
	}
	fmt.Println("collected")
	_, err := io.Copy(io.Discard, u.commands)
	runtime.KeepAlive(u)
	return err
}
