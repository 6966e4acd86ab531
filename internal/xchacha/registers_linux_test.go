//go:build (amd64 || arm64) && !purego

package xchacha

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/crypto/chacha20"

	"github.com/memkeep/memkeep/internal/testenv"
)

// When a program dies by a signal, Go prints the general registers. So none may
// hold four bytes of a secret at any moment. A second process runs the assembly
// one instruction at a time, and this one looks at its registers after each.
//
// Poly1305's key and accumulator are the exception: the processor multiplies in
// general registers.
func TestGeneralRegistersNeverHoldASecret(t *testing.T) {
	t.Parallel()
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED: an emulator can't be traced instruction by instruction")
	}
	if testenv.Race {
		t.Skip("SKIPPED: the assembly is the same without the race detector, and faster")
	}
	again := registerOps(1)
	for i, op := range registerOps(0) {
		t.Run(op.name, func(t *testing.T) {
			t.Parallel()
			found := stepThrough(t, i, 0, op.secrets(t))
			if len(found) == 0 {
				return
			}
			// Four bytes of an address, where much is looked for, are some of a secret now
			// and then. They are not some of another in the same place.
			same := stepThrough(t, i, 1, again[i].secrets(t))
			for what := range found {
				if same[what] {
					t.Error(what)
				}
			}
		})
	}
}

// registersEnv tells the second process the number of its operation, and the draw.
const registersEnv = "MEMKEEP_TEST_REGISTERS"

// A registerOp is what the second process does, and what must not show then.
type registerOp struct {
	name    string
	prepare func() (run func())
	secrets func(t *testing.T) map[string][]byte
}

// registerOps are the operations on the secrets of one draw.
func registerOps(draw byte) []registerOp {
	var ops []registerOp
	random := newSource(30 + draw)
	for _, n := range []int{5, 13, 29, 100} {
		secret := random.bytes(n)
		other, room := make([]byte, n), make([]byte, n+1)
		alone := func(*testing.T) map[string][]byte { return map[string][]byte{"the secret": secret} }
		name := func(what string) string { return fmt.Sprintf("%s/%d", what, n) }
		ops = append(ops,
			registerOp{name("Equal"), func() func() { return func() { Equal(secret, other) } }, alone},
			registerOp{name("Copy"), func() func() { return func() { Copy(room, secret) } }, alone},
			registerOp{name("Copy within itself"), func() func() { copy(room, secret); return func() { Copy(room[1:], room[:n]) } }, alone},
		)
	}
	a, b := random.bytes(KeySize), random.bytes(KeySize)
	ops = append(ops, registerOp{"XOR", func() func() { return func() { XOR((*[KeySize]byte)(a), (*[KeySize]byte)(b)) } }, func(*testing.T) map[string][]byte {
		return map[string][]byte{"a share": slices.Clone(a), "the other one": b}
	}})
	for _, k := range kernels() {
		if k == portable {
			continue
		}
		for _, n := range ways(k) {
			key, nonce, plaintext := random.bytes(KeySize), random.nonce(), random.bytes(n)
			ops = append(ops, messageOps(k, key, nonce, plaintext)...)
		}
	}
	return ops
}

// ways returns sizes of messages that go all ways there are through a kernel. What a
// processor does one instruction at a time takes a thousand times as long.
func ways(k kernel) []int {
	switch k.String() {
	case "AVX512":
		return []int{13, 300, 470, 700, 1500, 3600}
	case "AVX512Paced": // beside those that it shares with AVX512
		return []int{13, 100, 470}
	}
	return []int{13, 300, 470, 700, 1500}
}

func messageOps(k kernel, key []byte, nonce *[NonceSize]byte, plaintext []byte) []registerOp {
	secrets := func(t *testing.T) map[string][]byte {
		shares := split(t, key)
		subkey, err := chacha20.HChaCha20(key, nonce[:16])
		if err != nil {
			t.Fatal(err)
		}
		c, err := chacha20.NewUnauthenticatedCipher(subkey, append(make([]byte, 4), nonce[16:]...))
		if err != nil {
			t.Fatal(err)
		}
		stream := make([]byte, 64+len(plaintext))
		c.XORKeyStream(stream, stream)
		return map[string][]byte{
			"the key": key, "the left share": shares.Left[:], "the subkey": subkey,
			"keystream": stream[64:], "the plaintext": plaintext,
		}
	}
	message := func(open bool) func() {
		t := new(testing.T) // for helpers that only fail on wrong lengths
		shares, ciphertext, s := split(t, key), sealed(t, key, nonce, plaintext), newState()
		dst := make([]byte, len(ciphertext))
		if open {
			return func() { k.openMessage(s, dst[:len(plaintext)], ciphertext, nonce, shares) }
		}
		return func() { k.sealMessage(s, dst, plaintext, nonce, shares) }
	}
	name := fmt.Sprintf("%v/%d", k, len(plaintext))
	return []registerOp{
		{name + "/seal", func() func() { return message(false) }, secrets},
		{name + "/open", func() func() { return message(true) }, secrets},
	}
}

// In the second process the operation runs before any test, on the thread that
// is traced.
func init() {
	var i int
	var draw byte
	if n, _ := fmt.Sscan(os.Getenv(registersEnv), &i, &draw); n != 2 {
		return
	}
	run := registerOps(draw)[i].prepare()
	pid, self := os.Getpid(), syscall.Gettid()
	_ = syscall.Tgkill(pid, self, syscall.SIGUSR1)
	run()
	_ = syscall.Tgkill(pid, self, syscall.SIGUSR2)
	os.Exit(0)
}

// stepThrough starts the second process, and returns where one of its general registers
// holds four bytes of a secret inside the assembly.
func stepThrough(t *testing.T, number, draw int, secrets map[string][]byte) (found map[string]bool) {
	t.Helper()
	// ptrace(2): the tracer is a thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := testenv.Reexec("-test.run=^$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d", registersEnv, number, draw), "GODEBUG=asyncpreemptoff=1", "GOGC=off")
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		t.Skip("SKIPPED: tracing is refused:", err)
	}
	pid := cmd.Process.Pid
	defer end(cmd)
	until(t, pid, syscall.SIGTRAP, syscall.PtraceCont) // after its exec
	until(t, pid, syscall.SIGUSR1, syscall.PtraceCont)
	pieces := piecesOf(secrets)
	found = map[string]bool{}
	steps := 0
	until(t, pid, syscall.SIGUSR2, func(pid, signal int) error {
		var regs syscall.PtraceRegs
		if err := syscall.PtraceGetRegs(pid, &regs); err != nil {
			return err
		}
		if where, ok := inAssembly(uintptr(regs.PC())); ok {
			steps++
			if what := holds(&regs, pieces); what != "" {
				found[what+" in "+where] = true
			}
		}
		return singleStep(pid, signal)
	})
	if steps == 0 {
		t.Error("the assembly did not run")
	}
	return found
}

func end(cmd *exec.Cmd) {
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
}

// until lets the process go on, by next with the signal that stopped it, until
// the wanted signal comes.
func until(t *testing.T, pid int, wanted syscall.Signal, next func(pid, signal int) error) {
	t.Helper()
	deliver := 0
	for first := true; ; first = false {
		if !first || wanted != syscall.SIGTRAP {
			if err := next(pid, deliver); err != nil {
				t.Fatal(err)
			}
		}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != nil {
			t.Fatal(err)
		}
		if !status.Stopped() {
			t.Fatalf("the process ended with %v", status)
		}
		signal := status.StopSignal()
		if signal == wanted {
			return
		}
		deliver = int(signal)
		if signal == syscall.SIGTRAP {
			deliver = 0
		}
	}
}

// singleStep is PTRACE_SINGLESTEP, with the signal that is to be delivered.
func singleStep(pid, signal int) error {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_PTRACE, syscall.PTRACE_SINGLESTEP, uintptr(pid), 0, uintptr(signal), 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// inAssembly reports whether pc, in a process that runs this binary, is inside of
// this package's assembly.
func inAssembly(pc uintptr) (string, bool) {
	f := runtime.FuncForPC(pc)
	if f == nil || !strings.Contains(f.Name(), "internal/xchacha.") {
		return "", false
	}
	file, line := f.FileLine(pc)
	return fmt.Sprintf("%s, line %d", f.Name(), line), strings.HasSuffix(file, ".s")
}

// piecesOf maps each four bytes of a secret to its name.
func piecesOf(secrets map[string][]byte) map[uint32]string {
	pieces := map[uint32]string{}
	for what, secret := range secrets {
		for i := range len(secret) - 3 {
			pieces[binary.LittleEndian.Uint32(secret[i:])] = what
		}
	}
	return pieces
}

// holds names the secret that a register has four bytes of.
func holds(regs *syscall.PtraceRegs, pieces map[uint32]string) string {
	for _, word := range unsafe.Slice((*uint64)(unsafe.Pointer(regs)), unsafe.Sizeof(*regs)/8) {
		for shift := 0; shift <= 32; shift += 8 {
			if what, ok := pieces[uint32(word>>shift)]; ok {
				return what
			}
		}
	}
	return ""
}
