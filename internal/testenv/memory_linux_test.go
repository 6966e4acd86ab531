package testenv_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/internal/testenv"
)

// scannedEnv makes the test binary the process that is scanned.
const scannedEnv = "MEMKEEP_SCANNED"

func TestMain(m *testing.M) {
	if os.Getenv(scannedEnv) == "" {
		os.Exit(m.Run())
	}
	if err := scanned(); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

const copies = 5

// scanned reads masked secrets, and keeps the first whole, in several places, the
// second in part, the third in a locked page, and the fourth where no read can be.
func scanned() error {
	page := os.Getpagesize()
	mapped, err := unix.Mmap(-1, 0, 3*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	var in [4][32]byte
	for i := range in {
		if _, err := io.ReadFull(os.Stdin, in[i][:]); err != nil {
			return err
		}
	}
	kept := make([]byte, 1<<20)
	for i := range copies {
		copy(kept[i*12345:], in[0][:])
		testenv.Mask(kept[i*12345:][:len(in[0])])
	}
	copy(kept[500_001:], in[1][16:])
	testenv.Mask(kept[500_001:][:16])
	locked := mapped[page : 2*page]
	if err := unix.Mlock(locked); err != nil {
		return err
	}
	testenv.Mask(locked[copy(locked, in[2][:])-32:][:32])
	closed := mapped[2*page:]
	testenv.Mask(closed[copy(closed, in[3][:])-32:][:32])
	if err := unix.Mprotect(closed, unix.PROT_NONE); err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(kept)
	return err
}

// A scan counts each copy of a secret in another process, whole and in part, and
// leaves out what it is told to; the process goes on afterwards.
func TestScanCountsEachCopy(t *testing.T) {
	t.Parallel()
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's shadow memory takes minutes to scan")
	}
	testenv.Lockable(t, os.Getpagesize())
	var secrets [4][]byte
	var masked []byte
	for i := range secrets {
		secrets[i] = make([]byte, 32)
		if _, err := rand.Read(secrets[i]); err != nil {
			t.Fatal(err)
		}
		masked = append(masked, testenv.Mask(bytes.Clone(secrets[i]))...)
	}
	child := testenv.Reexec()
	child.Env = append(os.Environ(), scannedEnv+"=1")
	in, out := testenv.StartChild(t, child)
	if _, err := in.Write(masked); err != nil {
		t.Fatal(err)
	}
	if ready := make([]byte, len("ready\n")); !readFull(out, ready) {
		t.Fatalf("the child says %q", ready)
	}
	for range 2 {
		m := testenv.ReadMemory(t, child.Process.Pid)
		m.MustFind(t, secrets[0])
		unlocked := testenv.ReadMemory(t, child.Process.Pid, testenv.IsLocked)
		for _, want := range []struct {
			what string
			got  int
			want int
		}{
			{"whole, in ordinary memory", m.Whole(secrets[0]), copies},
			{"in pieces, in ordinary memory", m.Pieces(secrets[0]), copies},
			{"whole, of which half is there", m.Whole(secrets[1]), 0},
			{"in pieces, of which half is there", m.Pieces(secrets[1]), 1},
			{"in pieces, of which the last 12 bytes are not", m.Pieces(slices.Concat(secrets[1], secrets[3][:12])), 1},
			{"in a locked page", m.Whole(secrets[2]), 1},
			{"in a locked page that is left out", unlocked.Whole(secrets[2]), 0},
			{"in ordinary memory, locked pages left out", unlocked.Whole(secrets[0]), copies},
			{"in a page that the process itself can't read", m.Whole(secrets[3]), 0},
		} {
			if want.got != want.want {
				t.Errorf("a secret %s is found %d times, not %d", want.what, want.got, want.want)
			}
		}
	}
}

func readFull(r io.Reader, b []byte) bool {
	_, err := io.ReadFull(r, b)
	return err == nil
}
