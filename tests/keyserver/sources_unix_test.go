//go:build unix

package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/memkeep/memkeep/internal/testenv"
)

// pemOf returns a private key as a PEM file.
func pemOf(t testing.TB, private any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// edKey returns the Ed25519 key of that seed.
func edKey(seed string) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(seeded(seed, 32)) }

// put makes a new version of a file, as what rotates secrets does: it writes
// another file, and renames that.
func put(t testing.TB, path, text string) {
	t.Helper()
	next := filepath.Join(filepath.Dir(path), ".next-"+filepath.Base(path))
	writeSecret(t, next, text)
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

// hmacText is an HMAC key as a file has it.
func hmacText(seed string) string { return fmt.Sprintf("%x", seeded(seed, 32)) }

// Keys come from files, from a folder and from systemd's credentials, in both
// types, and a client can't delete them.
func TestKeysComeFromFilesAFolderAndCredentials(t *testing.T) {
	t.Parallel()
	dir := publicDir(t)
	for _, folder := range []string{"keys", "credentials", "keys/folder"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"invoices.pem": pemOf(t, edKey("invoices")), "credentials/hooks": hmacText("hooks") + "\n", "credentials/token": testToken,
		"keys/one": "\n" + pemOf(t, edKey("one")), "keys/two": hmacText("two") + "\r\n", "keys/.hidden": "x",
	} {
		writeSecret(t, filepath.Join(dir, name), text)
	}
	server := start(t, spec{
		args: []string{
			"-key", "invoices=file:" + filepath.Join(dir, "invoices.pem"), "-key", "hooks=credential:hooks",
			"-keys-dir", filepath.Join(dir, "keys"), "-token", "credential:token",
		},
		env: []string{"CREDENTIALS_DIRECTORY=" + filepath.Join(dir, "credentials")},
	})
	c := server.client()
	c.call(http.StatusUnauthorized, "GET", "/v1/keys", "")
	c.token = testToken
	if n := len(c.call(http.StatusOK, "GET", "/v1/keys", "").Keys); n != 4 {
		t.Errorf("there are %d keys, want 4", n)
	}
	message := []byte("message")
	for _, name := range []string{"invoices", "one"} {
		c.checkKey(name, message, ed25519.Sign(edKey(name), message))
	}
	for _, name := range []string{"hooks", "two"} {
		c.checkKey(name, message, macOf([]byte(hmacText(name)), message))
	}
	if a := c.call(http.StatusConflict, "DELETE", "/v1/keys/hooks", ""); a.Error.Code != "follows_a_file" {
		t.Errorf("deleting a key that follows a file: %s", a.raw)
	}
	if page := c.call(http.StatusOK, "GET", "/", "").raw; !strings.Contains(page, "keys that follow a file</th><td>4</td>") {
		t.Errorf("the page:\n%s", page)
	}
	if want := filepath.Join(dir, "credentials/token"); !strings.Contains(server.output(), want) {
		t.Errorf("the curl lines do not read %s:\n%s", want, server.output())
	}
}

// SIGHUP takes what changed, what is new and what is gone. What is no key changes
// nothing, and is said.
func TestSIGHUPReadsKeysAgain(t *testing.T) {
	t.Parallel()
	dir := publicDir(t)
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"changed", "cut", "mistaken", "gone", "same"} {
		writeSecret(t, file(name), pemOf(t, edKey(name)))
	}
	server := start(t, spec{args: []string{"-keys-dir", dir, "-reload-interval", "1h"}})
	c := server.client()
	message := []byte("message")
	signs := func(name, seed string) {
		t.Helper()
		c.checkKey(name, message, ed25519.Sign(edKey(seed), message))
	}

	put(t, file("changed"), pemOf(t, edKey("changed 2")))
	put(t, file("cut"), pemOf(t, edKey("cut 2"))[:60])
	put(t, file("mistaken"), hmacText("mistaken"))
	put(t, file("new"), pemOf(t, edKey("new")))
	put(t, file("strange"), "-----BEGIN PRIVATE KEY-----\n")
	if err := os.Remove(file("gone")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"changed", "cut", "mistaken", "gone", "same"} {
		signs(name, name)
	}
	server.signal(syscall.SIGHUP)
	server.await("reloaded: read 5, changed 1, added 1, gone 1, failed 3")
	signs("changed", "changed 2")
	for _, name := range []string{"cut", "mistaken", "same", "new"} {
		signs(name, name)
	}
	c.call(http.StatusNotFound, "POST", "/v1/keys/gone/sign", messageBody(message))
	c.call(http.StatusNotFound, "POST", "/v1/keys/strange/sign", messageBody(message))
	const stays = "not reloaded, the old version stays in use: "
	for _, want := range []string{stays + "cut: ", stays + "mistaken: the type of a key can't change", stays + "strange: "} {
		if !strings.Contains(server.errors(), want) {
			t.Errorf("it does not say %q:\n%s", want, server.errors())
		}
	}
	page := c.call(http.StatusOK, "GET", "/", "").raw
	for _, want := range []string{"cut: the old version stays in use", "new versions taken</th><td>1, the last one ", "new versions refused</th><td>2</td>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if metrics := c.call(http.StatusOK, "GET", "/metrics", "").raw; !strings.Contains(metrics, "keyserver_sources_failing 2\n") ||
		!strings.Contains(metrics, `keyserver_versions_total{outcome="taken"} 1`) {
		t.Errorf("the metrics:\n%s", metrics)
	}

	// What could not be read, and is again what it was, is no failure any more.
	put(t, file("cut"), pemOf(t, edKey("cut")))
	put(t, file("mistaken"), pemOf(t, edKey("mistaken 2")))
	put(t, file("same"), "")
	put(t, file("strange"), hmacText("strange"))
	server.signal(syscall.SIGHUP)
	server.await("added 0, gone 0, failed 2") // the folder, which can't be read whole, and the key
	signs("mistaken", "mistaken 2")
	signs("same", "same")
	put(t, file("same"), pemOf(t, edKey("same")))
	server.signal(syscall.SIGHUP)
	server.await("added 1, gone 0, failed 0")
	for _, name := range []string{"cut", "same", "new"} {
		signs(name, name)
	}
	c.checkKey("strange", message, macOf([]byte(hmacText("strange")), message))
	if page := c.call(http.StatusOK, "GET", "/", "").raw; strings.Contains(page, "the old version stays in use") {
		t.Errorf("the page still has an alert:\n%s", page)
	}
}

// A request that has begun when its key is rotated succeeds, with the new key.
func TestRequestUnderWayOutlivesARotation(t *testing.T) {
	t.Parallel()
	dir := publicDir(t)
	path := filepath.Join(dir, "k")
	put(t, path, pemOf(t, edKey("first")))
	server := start(t, spec{args: []string{"-keys-dir", dir, "-reload-interval", "1h", "-read-timeout", "60s", "-request-timeout", "60s"}})
	message := []byte("message")
	request, first := server.begin("/v1/keys/k/sign", messageBody(message))
	if first.StatusCode != http.StatusContinue {
		t.Fatalf("status %d", first.StatusCode)
	}
	put(t, path, pemOf(t, edKey("second")))
	server.signal(syscall.SIGHUP)
	server.await("changed 1")
	if a := request.finish(); a.status != http.StatusOK || string(a.Signature) != string(ed25519.Sign(edKey("second"), message)) {
		t.Errorf("status %d: %s", a.status, a.raw)
	}
}

// Two hundred clients sign while each key is rotated five times, by a watched file,
// a polled folder and SIGHUP. Every request succeeds, with a signature of a version
// that the key had.
func TestRotationUnderLoadFailsNoRequest(t *testing.T) {
	t.Parallel()
	memlock := fmt.Sprint(testenv.SmallLimit())
	if len(testenv.Emulator()) > 0 {
		memlock = ""
	}
	rotateUnderLoad(t, memlock)
}

// A followed key is one whose file is replaced while the server uses it.
type followed struct {
	name, path string

	mu    sync.RWMutex // protects signs
	signs map[string]int
}

// followedMessage is what followed keys sign.
var followedMessage = []byte("message")

// follow returns keys of both types, two in files of their own and two in a folder, of
// which the first version is there, and the server's flags for them.
func follow(t testing.TB) (keys []*followed, args []string) {
	t.Helper()
	dir := publicDir(t)
	folder := filepath.Join(dir, "keys")
	if err := os.Mkdir(folder, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"watched-ed", "watched-hmac"} {
		keys = append(keys, &followed{name: name, path: filepath.Join(dir, name), signs: map[string]int{}})
		args = append(args, "-key", name+"=file:"+filepath.Join(dir, name))
	}
	for _, name := range []string{"folder-ed", "folder-hmac"} {
		keys = append(keys, &followed{name: name, path: filepath.Join(folder, name), signs: map[string]int{}})
	}
	for _, k := range keys {
		k.renew(t, 0)
	}
	return keys, append(args, "-keys-dir", folder, "-reload-interval", "100ms")
}

// renew puts a version of the key in its file.
func (k *followed) renew(t testing.TB, version int) {
	t.Helper()
	seed := fmt.Sprint(k.name, version)
	text, signature := hmacText(seed), macOf([]byte(hmacText(seed)), followedMessage)
	if strings.HasSuffix(k.name, "ed") {
		text, signature = pemOf(t, edKey(seed)), ed25519.Sign(edKey(seed), followedMessage)
	}
	k.mu.Lock()
	k.signs[string(signature)] = version
	k.mu.Unlock()
	put(t, k.path, text)
}

// signFollowed has the server sign with the key, and returns the version that did.
func (c *client) signFollowed(k *followed) (version int, err error) {
	a, err := c.expect(http.StatusOK, "POST", keyPath(k.name)+"/sign", messageBody(followedMessage))
	if err != nil {
		return 0, err
	}
	k.mu.RLock()
	defer k.mu.RUnlock()
	version, ok := k.signs[string(a.Signature)]
	if !ok {
		return 0, fmt.Errorf("%s: the signature %x is of no version", k.name, a.Signature)
	}
	return version, nil
}

func rotateUnderLoad(t *testing.T, memlock string) {
	const versions = 6
	clients := 200
	if testing.Short() {
		clients = 40
	}
	keys, args := follow(t)
	token := filepath.Join(publicDir(t), "token")
	put(t, token, testToken)
	server := start(t, spec{memlock: memlock, args: append(args, "-token", "file:"+token, "-request-timeout", "60s", "-read-timeout", "60s", "-log-level", "warn")})
	c := server.client()
	c.token = testToken

	done := make(chan struct{})
	var requests atomic.Int64
	var group sync.WaitGroup
	seen := make([][versions]atomic.Int64, len(keys))
	for i := range clients {
		group.Go(func() {
			key := keys[i%len(keys)]
			for last := 0; ; {
				v, err := c.signFollowed(key)
				if err != nil {
					t.Error(err)
					return
				}
				if v < last {
					t.Errorf("%s: a signature is of version %d, after one of %d", key.name, v, last)
					return
				}
				last = v
				seen[i%len(keys)][v].Add(1)
				requests.Add(1)
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for v := range versions {
		for _, key := range keys {
			if v > 0 {
				key.renew(t, v)
			}
		}
		if v == versions/2 {
			server.signal(syscall.SIGHUP)
		}
		// A version is in use once it signs.
		for i, key := range keys {
			for !t.Failed() {
				now, err := c.signFollowed(key)
				if err != nil {
					t.Fatal(err)
				}
				if now == v && seen[i][v].Load() > 0 {
					break
				}
			}
		}
	}
	close(done)
	group.Wait()
	for i, key := range keys {
		for v := range versions {
			if n := seen[i][v].Load(); n == 0 && !t.Failed() {
				t.Errorf("%s: no client saw version %d", key.name, v)
			}
		}
	}
	t.Logf("%d clients, %d requests, %d versions of each of %d keys, limit %q", clients, requests.Load(), versions, len(keys), memlock)
	if errs := server.errors(); strings.Contains(errs, "stays in use") {
		t.Errorf("a version was refused:\n%s", errs)
	}
	server.signal(syscall.SIGTERM)
	server.wait(exitOK)
}

// What is no key ends the server before it serves, and nothing of it is shown.
func TestFileThatIsNoKeyEndsTheServer(t *testing.T) {
	t.Parallel()
	needLocked(t)
	dir := publicDir(t)
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	const secret = "not-to-be-shown"
	for name, text := range map[string]string{
		"empty": "", "cut": "-----BEGIN PRIVATE KEY-----\n" + secret, "rsa": pemOf(t, private), "long": strings.Repeat(secret, 100), "huge": strings.Repeat(secret, 1000),
	} {
		writeSecret(t, filepath.Join(dir, name), text)
	}
	writeFile(t, filepath.Join(dir, "public"), secret)
	if err := os.Chmod(filepath.Join(dir, "public"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"empty": "is empty", "cut": "", "rsa": "want Ed25519", "long": "wrong key length: 1500 bytes", "huge": "too large",
		"public": "open to every user", "missing": "no such file", ".": "it is a directory",
	} {
		c := launch(t, spec{args: []string{"-key", "k=file:" + filepath.Join(dir, name)}})
		c.wait(exitFailed)
		if e := c.errors(); !strings.Contains(e, `the key "k": `) || !strings.Contains(e, want) || strings.Contains(e, secret) {
			t.Errorf("%s:\n%s", name, e)
		}
	}
	c := launch(t, spec{args: []string{"-keys-dir", dir}})
	c.wait(exitFailed)
	if e := c.errors(); !strings.Contains(e, "empty") || !strings.Contains(e, "public") || strings.Contains(e, secret) {
		t.Errorf("the folder:\n%s", e)
	}
	// A name that two sources have.
	writeSecret(t, filepath.Join(dir, "good"), secret)
	c = launch(t, spec{args: []string{"-key", "k=file:" + filepath.Join(dir, "good"), "-key", "k=file:" + filepath.Join(dir, "good")}})
	c.wait(exitFailed)
	if e := c.errors(); !strings.Contains(e, `the key "k": a key of that name exists`) {
		t.Errorf("a name twice:\n%s", e)
	}
}
