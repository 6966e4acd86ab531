//go:build amd64 || arm64

package forensics

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/nacl/secretbox"
	//lint:ignore SA1019 to compute a subkey of others, it takes the operation that nobody should use
	"golang.org/x/crypto/salsa20/salsa"

	"github.com/memkeep/memkeep/internal/testenv"
)

// TestTable prints what is left in ordinary memory of a process at rest that
// opened the same secrets as often, with the library and with others.
func TestTable(t *testing.T) {
	t.Parallel()
	rows := []struct {
		name, role string
		patterns   func(s *subject, t *testing.T) *patterns
	}{
		{"memkeep", "memkeep", func(s *subject, _ *testing.T) *patterns { return s.all() }},
		{"memguard v0.23", "memguard", (*subject).memguardPatterns},
		{"chacha20poly1305.NewX", "newx", (*subject).newXPatterns},
	}
	table := make([]string, len(rows))
	t.Run("rows", func(t *testing.T) {
		for i, row := range rows {
			t.Run(row.role, func(t *testing.T) {
				t.Parallel()
				need(t, "")
				cmd := command()
				if row.role == "memguard" {
					cmd = withMemguard(t)
				}
				s := startCommand(t, cmd, row.role, "")
				s.expect("resting")
				s.freezeHandled()
				set := row.patterns(s, t)
				v := s.search(set)
				s.thaw()
				if row.role == "memkeep" && v.leaks() > 0 {
					t.Errorf("left behind: %s\n%s", describe(v.outside), strings.Join(v.where, "\n"))
				}
				table[i] = fmt.Sprintf("| %s |", row.name)
				for q := range ofControl {
					table[i] += fmt.Sprintf(" %d |", v.outside[q]+v.inFrames[q])
				}
			})
		}
	})
	head, line := "| |", "|---|"
	for q := range ofControl {
		head, line = head+" "+quantityNames[q]+" |", line+"---|"
	}
	t.Logf("16-byte pieces in ordinary memory after %d opens of %d secrets:\n%s", tableOpens, secrets,
		strings.Join(append([]string{head, line}, table...), "\n"))
}

// withMemguard compiles this package's tests with memguard in them.
func withMemguard(t *testing.T) *exec.Cmd {
	t.Helper()
	if !testenv.Long() {
		t.Skip("SKIPPED: memguard leaves the same behind everywhere, MEMKEEP_LONG is not set")
	}
	compiler, err := exec.LookPath("go")
	if err != nil {
		t.Skipf("SKIPPED, NOTHING TESTED: %v", err)
	}
	binary := filepath.Join(t.TempDir(), "memguard.test")
	if out, err := exec.Command(compiler, "test", "-c", "-tags", "memguard", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, NOTHING TESTED: compiling with memguard: %v\n%s", err, out)
	}
	return exec.Command(binary)
}

// newXPatterns: the key is known, and every nonce stands before its message.
func (s *subject) newXPatterns(*testing.T) *patterns {
	set := known(s.board, nil)
	key := unmask(s.board.maskedNewX[:])
	set.add(ofKey, key)
	for i := range secrets {
		set.addMessage(key, s.board.peer[i][:24], size(i))
	}
	return set
}

// memguardPatterns finds memguard's key the way that root would: its locked
// pages can be read, and each ends with what it holds.
func (s *subject) memguardPatterns(t *testing.T) *patterns {
	m, err := s.x.read()
	if err != nil {
		t.Fatal(err)
	}
	var held [][]byte
	for _, c := range m.chunks {
		const page = 4096
		for at := page; c.of.locked && at <= len(c.bytes); at += page {
			if end := c.bytes[at-32 : at]; !bytes.Equal(end, make([]byte, 32)) {
				held = append(held, bytes.Clone(end))
			}
		}
	}
	const smallest = 1 // 16 bytes, so that all of the message is on the board
	message := s.board.peer[smallest]
	for _, left := range held {
		for _, right := range held {
			key := blake2b.Sum256(right)
			for i := range key {
				key[i] ^= left[i]
			}
			if _, ok := secretbox.Open(nil, message[24:24+secretbox.Overhead+size(smallest)], (*[24]byte)(message[:24]), &key); ok {
				return s.secretboxPatterns(key, left, right)
			}
		}
	}
	t.Fatalf("no two of %d locked pages give memguard's key", len(held))
	return nil
}

// secretboxPatterns: NaCl's secretbox is XSalsa20-Poly1305, whose first 32
// bytes of keystream are Poly1305's key.
func (s *subject) secretboxPatterns(key [32]byte, left, right []byte) *patterns {
	set := known(s.board, nil)
	set.add(ofKey, key[:])
	set.add(ofShare, left)
	set.add(ofShare, right)
	for i := range secrets {
		nonce := s.board.peer[i][:24]
		var subkey [32]byte
		salsa.HSalsa20(&subkey, (*[16]byte)(nonce), &key, &salsa.Sigma)
		set.add(ofSubkey, subkey[:])
		var counter [16]byte
		copy(counter[:], nonce[16:])
		stream := make([]byte, 32+min(size(i), 128))
		salsa.XORKeyStream(stream, stream, &counter, &subkey)
		set.add(ofPoly1305, stream[:32])
		set.add(ofPoly1305, clamped(stream[:16]))
		set.add(ofKeystream, stream[32:])
	}
	return set
}
