// Package peers has keys of enclave/keys work with programs that others wrote:
// openssl, curl and OpenSSH. Each test runs in a process of its own, exempt from
// nothing, under the limit on locked memory that an unconfigured container gives.
//
//	MEMKEEP_LONG=1 go test -v ./tests/peers    # what .ci/run peers runs
package peers

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/internal/testenv"
)

// signing are the algorithms that the peers know signatures of.
var signing = []keys.Algorithm{keys.Ed25519, keys.ECDSAP256, keys.ECDSAP384, keys.RSA2048}

// alone is testenv.UnderLimit, for a test that runs the commands: where one is
// missing, the test is skipped.
func alone(t *testing.T, commands ...string) bool {
	t.Helper()
	for _, name := range commands {
		if command(name) == "" {
			t.Skipf("SKIPPED: no %s", name)
		}
	}
	return testenv.UnderLimit(t, testenv.SmallLimit())
}

// command returns the path of a program, "" if there is none. A user's path
// often lacks the folder of servers.
func command(name string) string {
	for _, name := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// scaled is how many of something a test takes: in its long form, in that of the
// README's test command, and where everything takes many times as long.
func scaled(long, usual, short int) int {
	switch {
	case testing.Short():
		return short
	case testenv.Long():
		return long
	}
	return usual
}

// patience is how long a program may take, in seconds that only a broken one uses
// up.
const patience = 4 * time.Minute

// try runs a program on input and returns what it prints, errors included.
func try(t *testing.T, input []byte, name string, args ...string) (string, error) {
	t.Helper()
	return tryWith(t, nil, input, name, args...)
}

// tryWith is try with more variables in the environment.
func tryWith(t *testing.T, env []string, input []byte, name string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, command(name), args...)
	cmd.Env = append(append(os.Environ(), "LC_ALL=C"), env...)
	cmd.Stdin = bytes.NewReader(input)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// run is try where the program has to succeed.
func run(t *testing.T, input []byte, name string, args ...string) string {
	t.Helper()
	out, err := try(t, input, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// A folder has files that a program reads and writes.
type folder string

// newFolder returns one that is gone when the test ends. Its path is short, as that
// of a socket has to be.
func newFolder(t *testing.T) folder {
	t.Helper()
	dir, err := os.MkdirTemp("", "peers")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return folder(dir)
}

func (f folder) path(name string) string { return filepath.Join(string(f), name) }

// write writes a file and returns its path.
func (f folder) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(f.path(name), content, 0o600); err != nil {
		t.Fatal(err)
	}
	return f.path(name)
}

// read returns the content of a file.
func (f folder) read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(f.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// remove removes a file, if it is there.
func (f folder) remove(t *testing.T, name string) {
	t.Helper()
	if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

// writePublic writes a public key as openssl reads it, and returns the path.
func (f folder) writePublic(t *testing.T, name string, k *keys.PrivateKey) string {
	t.Helper()
	return f.write(t, name, publicPEM(t, k.Public()))
}

// publicPEM encodes a public key as openssl does.
func publicPEM(t *testing.T, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// generate makes a key.
func generate(t *testing.T, alg keys.Algorithm) *keys.PrivateKey {
	t.Helper()
	k, err := keys.Generate(t.Context(), alg)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// checkLimit fails if more was locked than may be, or something is still open.
func checkLimit(t *testing.T) {
	t.Helper()
	stats, limit := enclave.Default().Stats(), testenv.SmallLimit()
	if locked := testenv.LockedBytes(t); locked > limit || stats.LockedBytesPeak > limit {
		t.Errorf("%d bytes locked, %d at most, limit %d", locked, stats.LockedBytesPeak, limit)
	}
	if stats.OpenBuffers != 0 || stats.Waiters != 0 || stats.Failures != 0 {
		t.Errorf("left behind: %+v", stats)
	}
}
