package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/edwards25519"

	"github.com/memkeep/memkeep/internal/testenv"
)

// A server that loaded its keys from a file and signed with them for many clients
// has nothing in ordinary memory, at rest and scanned from outside, that would do in
// place of a key. That the same needles are found when the standard library signs
// is enclave/keys' own test.
func TestServerLeavesNothingOfItsKeys(t *testing.T) {
	t.Parallel()
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's shadow memory takes minutes to scan")
	}
	seed, key, control := random32(), random32(), fmt.Sprintf("control-%x", random32())
	var file []byte
	for _, line := range []keyLine{
		{control, "ed25519", b64(seed)},
		{"mac", "hmac-sha256", b64(key)},
	} {
		raw, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		file = append(append(file, raw...), '\n')
	}
	path := filepath.Join(publicDir(t), "keys.ndjson")
	writeFile(t, path, string(file))
	server, scan := startToScan(t, "-load", path)
	c := server.client()
	c.signMany(control, "mac")
	c.http.CloseIdleConnections()

	memory := scan()
	// The name of a key is no secret, and lies on the heap.
	memory.MustFind(t, []byte(control))
	for what, needle := range needles(t, seed, key) {
		if n := memory.Pieces(needle); n > 0 {
			t.Errorf("%s: a piece is left %d times: %s", what, n, memory.Places(needle))
		}
	}
}

// The same of keys that follow files: one in PEM that is watched, and one in a folder
// that is polled, each rotated once. Neither version is left.
func TestServerLeavesNothingOfKeysThatFollowFiles(t *testing.T) {
	t.Parallel()
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's shadow memory takes minutes to scan")
	}
	dir := publicDir(t)
	folder := filepath.Join(dir, "keys")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	control, pemFile, macFile := fmt.Sprintf("control-%x", random32()), filepath.Join(dir, "pem"), filepath.Join(folder, "mac")
	var scan func() *testenv.Memory
	var c *client
	all := map[string][]byte{}
	for version := range 2 {
		seed, key := random32(), random32()
		key[31] |= 0x80 // no line end, which would be no part of the key
		private := ed25519.NewKeyFromSeed(seed)
		file := pemOf(t, private)
		put(t, pemFile, file)
		put(t, macFile, string(key))
		if version == 0 {
			var server *child
			server, scan = startToScan(t, "-key", control+"=file:"+pemFile, "-keys-dir", folder, "-reload-interval", "50ms")
			c = server.client()
		}
		for name, want := range map[string][]byte{control: ed25519.Sign(private, manyMessage), "mac": macOf(key, manyMessage)} {
			for { // until the version is in use
				a := c.call(http.StatusOK, "POST", keyPath(name)+"/sign", messageBody(manyMessage))
				if bytes.Equal(a.Signature, want) {
					break
				}
			}
		}
		c.signMany(control, "mac")
		for what, needle := range needles(t, seed, key) {
			all[fmt.Sprintf("version %d: %s", version, what)] = needle
		}
		// In PKCS #8 the seed begins at byte 16, so that the base64 of bytes 18 to 48 is
		// its own.
		_, body, _ := strings.Cut(file, "\n")
		all[fmt.Sprintf("version %d: Ed25519 seed in PEM", version)] = []byte(body[24:64])
	}
	c.http.CloseIdleConnections()
	memory := scan()
	memory.MustFind(t, []byte(control))
	for what, needle := range all {
		if n := memory.Pieces(needle); n > 0 {
			t.Errorf("%s: a piece is left %d times: %s", what, n, memory.Places(needle))
		}
	}
}

// startToScan starts a server. scan reads its ordinary memory at rest, once the frames of
// signals that came until now are overwritten. What the server has open for a moment, as
// while it looks whether a file has changed, is in locked pages.
func startToScan(t *testing.T, args ...string) (server *child, scan func() *testenv.Memory) {
	t.Helper()
	var emulators func(testenv.Mapping) bool
	server = start(t, spec{args: args, before: func(cmd *exec.Cmd) { emulators = testenv.EmulatorsMemory(cmd) }})
	return server, func() *testenv.Memory {
		// They are overwritten with a refresh of the shares: the next one may have begun.
		c := server.client()
		for last := refreshes(c) + 2; refreshes(c) < last; {
			time.Sleep(10 * time.Millisecond) // looks from time to time
		}
		c.http.CloseIdleConnections()
		return testenv.ReadMemory(t, server.cmd.Process.Pid, emulators, testenv.IsLocked)
	}
}

// refreshes returns how often the server has refreshed its key's shares.
func refreshes(c *client) (n int) {
	_, rest, found := strings.Cut(c.call(http.StatusOK, "GET", "/metrics", "").raw, "\nmemkeep_key_refreshes_total ")
	if _, err := fmt.Sscan(rest, &n); err != nil || !found {
		c.t.Fatalf("no count of refreshes: %v", err)
	}
	return n
}

func random32() []byte {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // fills its argument or ends the program
	return b
}

// needles are what would do in place of the keys, in the forms that a program has
// them in memory.
func needles(t *testing.T, seed, key []byte) map[string][]byte {
	t.Helper()
	expanded := sha512.Sum512(seed)
	nonce := sha512.Sum512(slices.Concat(expanded[32:], manyMessage))
	scalar, err := edwards25519.NewScalar().SetBytesWithClamping(expanded[:32])
	if err != nil {
		t.Fatal(err)
	}
	r, err := edwards25519.NewScalar().SetUniformBytes(nonce[:])
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]byte{
		"Ed25519 seed":                 seed,
		"Ed25519 seed in base64":       []byte(b64(seed)[:32]),
		"Ed25519 expanded seed":        expanded[:],
		"Ed25519 scalar":               scalar.Bytes(),
		"Ed25519 scalar, as Go has it": montgomery(t, scalar),
		"Ed25519 scalar, as digits":    radix16(scalar),
		"Ed25519 nonce":                nonce[:],
		"Ed25519 nonce, reduced":       r.Bytes(),
		"Ed25519 nonce, as Go has it":  montgomery(t, r),
		"Ed25519 nonce, as digits":     radix16(r),
		"HMAC-SHA-256 key":             key,
		"HMAC-SHA-256 key in base64":   []byte(b64(key)[:32]),
	}
	found["Ed25519 expanded seed, hash state"] = words64(expanded[:])
	found["Ed25519 nonce, hash state"] = words64(nonce[:])
	for pad, xor := range map[string]byte{"inner": 0x36, "outer": 0x5c} {
		block := bytes.Repeat([]byte{xor}, sha256.BlockSize)
		for i := range key {
			block[i] ^= key[i]
		}
		h := sha256.New()
		h.Write(block)
		state, err := h.(encoding.BinaryMarshaler).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		chain := state[4:][:sha256.Size]
		found["HMAC-SHA-256 "+pad+" block"] = block[:len(key)]
		found["HMAC-SHA-256 "+pad+" chaining value"] = chain
		found["HMAC-SHA-256 "+pad+" chaining value, hash state"] = words32(chain)
	}
	return found
}

// montgomery is a scalar in the Montgomery form that edwards25519.Scalar has in
// memory: times 2^256, four little-endian words.
func montgomery(t *testing.T, s *edwards25519.Scalar) []byte {
	t.Helper()
	two128 := make([]byte, 32)
	two128[16] = 1
	factor, err := edwards25519.NewScalar().SetCanonicalBytes(two128)
	if err != nil {
		t.Fatal(err)
	}
	factor.Multiply(factor, factor)
	return factor.Multiply(factor, s).Bytes()
}

// radix16 is the middle of a scalar's signed digits, which a multiplication has on
// its stack.
func radix16(s *edwards25519.Scalar) []byte {
	var digits []byte
	carry := byte(0)
	for _, b := range s.Bytes() {
		for _, nibble := range []byte{b & 15, b >> 4} {
			digit := nibble + carry
			carry = (digit + 8) >> 4
			digits = append(digits, digit-carry<<4)
		}
	}
	return digits[16:48]
}

// words32 is a big-endian chaining value as a hash has it in memory.
func words32(b []byte) []byte {
	var out []byte
	for ; len(b) > 0; b = b[4:] {
		out = binary.NativeEndian.AppendUint32(out, binary.BigEndian.Uint32(b))
	}
	return out
}

func words64(b []byte) []byte {
	var out []byte
	for ; len(b) > 0; b = b[8:] {
		out = binary.NativeEndian.AppendUint64(out, binary.BigEndian.Uint64(b))
	}
	return out
}
