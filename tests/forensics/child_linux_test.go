//go:build amd64 || arm64

package forensics

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/memkeep/memkeep/coffer"
	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/internal/xchacha"
	"github.com/memkeep/memkeep/locked"
)

// The child is told by these what it is.
const (
	roleEnv    = "MEMKEEP_FORENSICS"
	boardEnv   = "MEMKEEP_FORENSICS_BOARD"
	backendEnv = "MEMKEEP_FORENSICS_BACKEND"
	coreEnv    = "MEMKEEP_FORENSICS_CORE"
	bornEnv    = "MEMKEEP_FORENSICS_BORN" // wait for a word before anything else
)

var roles = map[string]func(*child) error{
	"load":      (*child).load,
	"frames":    (*child).frames,
	"memkeep":   (*child).memkeep,
	"newx":      (*child).newX,
	"idle":      func(c *child) error { c.say("idle"); c.await(); return nil },
	"swapguard": swapGuard,
}

// A child is the process under examination.
type child struct {
	board *board
	in    *bufio.Scanner

	session *enclave.Session
	coffer  *coffer.Coffer
	slots   [secrets]atomic.Pointer[enclave.Enclave]
	owners  [secrets]sync.Mutex
	stop    atomic.Bool
	never   chan struct{} // closed when the child ends
}

// What lies in ordinary memory for the examiner to find.
var (
	control    []byte
	controlKey []byte
	// The control again, in pages of its own that nothing touches: they are
	// among the first to be swapped out.
	controlPages [64 * 4096]byte
)

func runChild(role string) int {
	debug.SetGCPercent(50)
	if os.Getenv(coreEnv) != "" {
		var limit syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_CORE, &limit); err == nil {
			limit.Cur = limit.Max
			_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit) // without, there is no core to be found
		}
	}
	c := &child{in: bufio.NewScanner(os.Stdin), never: make(chan struct{})}
	if os.Getenv(bornEnv) != "" {
		c.say("born")
		c.await()
	}
	if path := os.Getenv(boardEnv); path != "" {
		var err error
		if c.board, err = mapBoard(path); err != nil {
			fmt.Fprintln(os.Stderr, "board:", err)
			return 1
		}
		control, controlKey = make([]byte, 32), make([]byte, 32)
		putWords(control, &c.board.maskedControl[0])
		putWords(controlKey, &c.board.maskedKey[0])
		for at := 0; at < len(controlPages); at += 4096 {
			putWords(controlPages[at+64:at+96], &c.board.maskedControl[0])
		}
		c.board.anchor = anchorPC()
	}
	if err := roles[role](c); err != nil {
		fmt.Fprintln(os.Stderr, role+":", err)
		return 1
	}
	runtime.KeepAlive(control)
	runtime.KeepAlive(controlKey)
	return 0
}

func (c *child) say(line string) { fmt.Println(line) }

// await returns the examiner's next word, "" when it is gone.
func (c *child) await() string {
	if !c.in.Scan() {
		return ""
	}
	return c.in.Text()
}

// Secret words go through one register at a time, in functions of their own: a
// preemption between two words saves eight bytes, no piece.

//go:noinline
func maskWord(dst, src *uint64) { *dst = *src ^ maskOfWord }

//go:noinline
func maskByte(dst *byte, src byte, at int) { *dst = src ^ maskAt(at) }

//go:noinline
func wordDiffers(a, masked *uint64) bool { return *a^maskOfWord != *masked }

func maskAt(at int) byte {
	var m [8]byte
	binary.NativeEndian.PutUint64(m[:], maskOfWord)
	return m[at%8]
}

// putWords writes what the masked words stand for to dst, byte by byte where
// dst is not aligned.
func putWords(dst []byte, masked *uint64) {
	n := len(dst)
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(masked)), n)
	at := 0
	if uintptr(unsafe.Pointer(&dst[0]))%8 == 0 {
		words := unsafe.Slice(masked, n/8)
		for ; at+8 <= n; at += 8 {
			maskWord((*uint64)(unsafe.Pointer(&dst[at])), &words[at/8])
		}
	}
	for ; at < n; at++ {
		maskByte(&dst[at], bytes[at], at)
	}
}

// holds reports whether b is what the masked words stand for.
func holds(b []byte, masked *uint64) bool {
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(masked)), len(b))
	at := 0
	if uintptr(unsafe.Pointer(&b[0]))%8 == 0 {
		words := unsafe.Slice(masked, len(b)/8)
		for ; at+8 <= len(b); at += 8 {
			if wordDiffers((*uint64)(unsafe.Pointer(&b[at])), &words[at/8]) {
				return false
			}
		}
	}
	for ; at < len(b); at++ {
		if b[at]^maskAt(at) != bytes[at] {
			return false
		}
	}
	return true
}

func (c *child) masked(i int) *uint64 { return &c.board.maskedSecrets[i][0] }

func (c *child) count(kind int) { atomic.AddUint64(&c.board.counts[kind], 1) }

// open makes the session and its first enclaves.
func (c *child) open() error {
	cfg := enclave.Config{RefreshInterval: -1, Backend: locked.Backend(os.Getenv(backendEnv)), MaxLockedBytes: 2 << 20}
	s, err := enclave.NewSession(cfg)
	if err != nil {
		return err
	}
	c.session, c.coffer = s, cofferOf(s)
	c.tellShares()
	for i := range secrets {
		if err := c.reseal(i, 0); err != nil {
			return err
		}
	}
	return nil
}

// tellShares puts the shares on the board. Nobody else changes them.
func (c *child) tellShares() {
	left, right, prefix := sharesOf(c.coffer)
	s := &c.board.shares[c.board.sharesAll%snapshots]
	for i := range left {
		maskWord(&s.maskedLeft[i], &left[i])
		maskWord(&s.maskedRight[i], &right[i])
	}
	s.prefix = prefix
	atomic.AddUint64(&c.board.sharesAll, 1)
}

// tellUse puts the nonce of an operation on the board.
func (c *child) tellUse(worker int, e *enclave.Enclave) {
	if sealed := sealedBytes(e); sealed != nil {
		n := c.board.recentAll[worker]
		c.board.recent[worker][n%recent] = binary.LittleEndian.Uint64(sealed) + 1
		atomic.AddUint64(&c.board.recentAll[worker], 1)
	}
}

// reseal replaces an enclave by a new one, made with New or Seal in turn, whose
// plaintext comes from locked memory.
func (c *child) reseal(i, worker int) error {
	c.owners[i].Lock()
	defer c.owners[i].Unlock()
	b, err := c.session.NewBuffer(size(i))
	for errors.Is(err, locked.ErrExhausted) {
		runtime.Gosched()
		b, err = c.session.NewBuffer(size(i))
	}
	if errors.Is(err, locked.ErrDestroyed) { // by a purge that came meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	var e *enclave.Enclave
	err = b.Use(func(secret []byte) error {
		putWords(secret, c.masked(i))
		if worker%2 == 0 {
			return nil
		}
		c.count(kindNew)
		e, err = c.session.New(secret)
		return err
	})
	if errors.Is(err, locked.ErrDestroyed) { // a purge came first
		return nil
	}
	if err != nil {
		return err
	}
	if e == nil {
		c.count(kindSeal)
		if e, err = c.session.Seal(b); errors.Is(err, locked.ErrDestroyed) {
			return nil
		} else if err != nil {
			return err
		}
	}
	c.slots[i].Store(e)
	if sealed := sealedBytes(e); sealed != nil {
		atomic.StoreUint64(&c.board.sealed[i], binary.LittleEndian.Uint64(sealed)+1)
	}
	c.tellUse(worker, e)
	return b.Destroy()
}

var errWrongSecret = errors.New("another secret")

// check is what a caller does with a secret: it computes, its stack grows and
// shrinks, it gives way.
func (c *child) check(i int) func([]byte) error {
	return func(secret []byte) error {
		if len(secret) != size(i) || !holds(secret, c.masked(i)) {
			// A purge while Buffer.Use runs is no reason: the bytes stay.
			return fmt.Errorf("secret %d: %w", i, errWrongSecret)
		}
		if i%5 == 0 {
			grow(2 + i)
		}
		return nil
	}
}

//go:noinline
func grow(depth int) byte {
	var frame [1024]byte
	frame[depth] = byte(depth)
	if depth == 0 {
		return frame[0]
	}
	return grow(depth-1) + frame[depth]
}

// work is one operation of a worker.
func (c *child) work(worker int, random *rand.Rand) error {
	i := random.IntN(secrets)
	e := c.slots[i].Load()
	if e == nil {
		return c.reseal(i, worker)
	}
	c.tellUse(worker, e)
	var err error
	switch n := random.IntN(100); {
	case n < 8:
		err = c.reseal(i, worker)
	case n < 60:
		c.count(kindUse)
		err = e.Use(c.check(i))
	case n < 75:
		other := random.IntN(secrets)
		if c.slots[other].Load() == nil {
			return nil
		}
		c.count(kindUseAll)
		err = enclave.UseAll(func(both [][]byte) error {
			if err := c.check(i)(both[0]); err != nil {
				return err
			}
			return c.check(other)(both[1])
		}, e, c.slots[other].Load())
	default:
		err = c.openAndCompare(i, e)
	}
	if errors.Is(err, enclave.ErrPurged) { // purged
		return c.reseal(i, worker)
	}
	if errors.Is(err, locked.ErrDestroyed) || errors.Is(err, locked.ErrExhausted) {
		return nil
	}
	return err
}

// openAndCompare opens a buffer, copies it to another one, and compares them.
func (c *child) openAndCompare(i int, e *enclave.Enclave) error {
	c.count(kindOpen)
	b, err := e.Open()
	if err != nil {
		return err
	}
	defer b.Destroy()
	if i%3 > 0 {
		return b.Use(c.check(i))
	}
	other, err := c.session.NewBuffer(size(i))
	if err != nil {
		return err
	}
	defer other.Destroy()
	c.count(kindEqual)
	return other.Use(func(dst []byte) error {
		err := b.Use(func(src []byte) error { xchacha.Copy(dst, src); return nil })
		if err == nil && !b.Equal(dst) && b.Alive() {
			return errWrongSecret
		}
		return err
	})
}

// load works until it is told to rest, and then to do this or that.
func (c *child) load() error {
	if err := c.open(); err != nil {
		return err
	}
	c.say("loaded")
	var wg sync.WaitGroup
	failed := make(chan error, workers+2)
	for w := range workers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(w), 1))
			for n := 0; !c.stop.Load(); n++ {
				if err := c.work(w, random); err != nil {
					failed <- err
					return
				}
				if n%64 == 0 {
					// A fresh goroutine has a small stack, which grows and is
					// thrown away.
					done := make(chan byte)
					go func() { done <- grow(n / 64 % 30) }()
					<-done
				}
			}
		})
	}
	wg.Go(func() {
		for n := 1; !c.stop.Load(); n++ {
			// Twice, since a frame that signals left must not outlive a change.
			change, kind := c.coffer.Refresh, kindRekey
			if n%100 == 0 {
				change, kind = c.session.Purge, kindPurge
			}
			if err := change(); err != nil {
				failed <- err
				return
			}
			c.count(kind)
			c.tellShares()
			time.Sleep(time.Millisecond) // the pace of the load, no more
		}
	})
	wg.Go(func() {
		for !c.stop.Load() {
			runtime.GC() // which preempts everybody, and shrinks stacks
			c.count(kindGC)
			time.Sleep(2 * time.Millisecond)
		}
	})
	c.await()
	c.stop.Store(true)
	wg.Wait()
	close(failed)
	if err := <-failed; err != nil {
		return err
	}
	return c.rest()
}

// frames works without a pause on a few threads, and no signal but the
// examiner's comes: the collector does not run, nor does the runtime preempt.
func (c *child) frames() error {
	debug.SetGCPercent(-1)
	if err := c.open(); err != nil {
		return err
	}
	const largestOne = 7
	c.say("loaded")
	var wg sync.WaitGroup
	failed := make(chan error, 2)
	for range 2 {
		wg.Go(func() {
			runtime.LockOSThread()
			for atomic.LoadUint64(&c.board.stop) == 0 {
				if err := c.slots[largestOne].Load().Use(func([]byte) error { return nil }); err != nil {
					failed <- err
					return
				}
			}
			<-c.never // the thread stays, with what is on its stacks
		})
	}
	for atomic.LoadUint64(&c.board.stop) == 0 {
		time.Sleep(time.Millisecond) // looks from time to time
	}
	c.say("stopped")
	for c.await() != "" {
		if err := c.coffer.Refresh(); err != nil {
			return err
		}
		c.tellShares()
		c.say("rekeyed")
	}
	close(c.never)
	wg.Wait()
	close(failed)
	return errors.Join(<-failed, c.session.Close())
}

// rest makes sure that all secrets are there, opens one, changes the shares
// once more, and does what it is told.
func (c *child) rest() error {
	for i := range secrets {
		if err := c.reseal(i, i%workers); err != nil {
			return err
		}
	}
	b, err := c.slots[0].Load().Open() //memkeep:allow an error ends the process
	if err != nil {
		return err
	}
	if err := c.coffer.Refresh(); err != nil {
		return err
	}
	c.tellShares()
	c.tellMaps()
	c.say(fmt.Sprintf("resting %x", &b.Bytes()[0]))
	for {
		switch command := c.await(); command {
		case "":
			return errors.Join(b.Destroy(), c.session.Close())
		case "use": // stay inside Use
			err = c.slots[1].Load().Use(func([]byte) error {
				c.coffer.Refresh()
				c.tellShares()
				c.say("using")
				c.await()
				return nil
			})
		case "nil": // die inside Use
			err = c.slots[1].Load().Use(func([]byte) error {
				c.coffer.Refresh()
				c.tellShares()
				var p *int
				*p = 1
				return nil
			})
		case "fork":
			err = c.fork()
		case "exec":
			err = c.exec()
		case "refresh":
			err = c.coffer.Refresh()
			c.tellShares()
			c.say("rekeyed")
		default:
			err = fmt.Errorf("what is %q?", command)
		}
		if err != nil {
			return err
		}
	}
}

// tellMaps puts on the board what this process sees of its own mappings.
func (c *child) tellMaps() {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	c.board.mapsSize = uint64(copy(c.board.maps[:], maps))
}

// fork makes a child that does nothing but wait to be killed. No Go code runs
// in it: it has one thread, and the runtime believes in more.
func (c *child) fork() error {
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
	if errno != 0 {
		return errno
	}
	for pid == 0 {
		syscall.RawSyscall6(syscall.SYS_PPOLL, 0, 0, 0, 0, 0, 0)
	}
	c.say(fmt.Sprintf("forked %d", pid))
	c.await()
	err := syscall.Kill(int(pid), syscall.SIGKILL)
	_, errWait := syscall.Wait4(int(pid), nil, 0, nil)
	c.say("reaped")
	return errors.Join(err, errWait)
}

// exec starts a child the usual way, and waits until it is itself.
func (c *child) exec() error {
	cmd := testenv.Reexec()
	cmd.Env = append(os.Environ(), roleEnv+"=idle", boardEnv+"=")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if lines := bufio.NewScanner(out); !lines.Scan() || lines.Text() != "idle" {
		return fmt.Errorf("the other process says %q, %v", lines.Text(), lines.Err())
	}
	c.say(fmt.Sprintf("started %d", cmd.Process.Pid))
	c.await()
	err = errors.Join(in.Close(), cmd.Wait())
	c.say("reaped")
	return err
}

// anchorPC is where a function lies, for an examiner at another address.
func anchorPC() uint64 {
	f := runChild
	return uint64(**(**uintptr)(unsafe.Pointer(&f)))
}
