package leaving

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/ssh"
	"gopkg.in/yaml.v3"

	"github.com/memkeep/memkeep/internal/testenv"
)

// Tenants as the test knows them.
type knownTenant struct {
	name    string
	secrets [][]byte      // of an HMAC: one after the other
	signer  crypto.Signer // of a private key
	path    string        // of its file, if it has one of its own
}

// An estate is all secrets of a server, where it finds them, and what to look for in
// its memory.
type estate struct {
	t       *testing.T
	dir     string
	env     []string
	tenants []*knownTenant
	tokens  []*knownTenant
	needles []needle // none of which may be left
	markers struct{ mac, private, token []byte }
}

// rotating is among how many tenants, and how many tokens, those are whose file
// changes.
const rotating = 20

// A server takes the secrets of 10,000 tenants from a configuration of references to
// files, fields of JSON, the environment and systemd's credentials, as nobody under
// a limit of 64 KiB; it verifies webhooks, issues tokens, and is a TLS and an SSH
// server with them, and calls an API. Some change under load, and no request fails.
// Nothing is left of what was signed or authenticated with, and of the tokens no
// more than is documented.
func TestTenThousandTenantsLeaveNothing(t *testing.T) {
	t.Parallel()
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's shadow memory takes minutes to scan")
	}
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED, NOTHING TESTED: an emulator has copies of its own of what a program reads")
	}
	testenv.Lockable(t, os.Getpagesize())
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	e := newEstate(t, n)
	cmd := testenv.Reexec()
	cmd.Dir = os.TempDir()
	cmd.Env = append(append(os.Environ(), taskEnv+"=tenants", dirEnv+"="+e.dir), e.env...)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	p := startChild(t, cmd)
	defer p.end()
	c := &clients{t: t}
	if _, err := fmt.Sscan(p.hear(), &c.http, &c.tls, &c.ssh); err != nil {
		t.Fatal(err)
	}
	if err := inParallel(n, func(i int) error { return c.use(e.tenants[i], i) }); err != nil {
		t.Fatal(err)
	}
	c.rotate(e)
	http.DefaultClient.CloseIdleConnections()

	p.tell("rest\n")
	var peak int
	if _, err := fmt.Sscanf(p.hear(), "resting %d", &peak); err != nil || peak > testenv.SmallLimit() {
		t.Errorf("%d bytes were locked, %v", peak, err)
	}
	memory := testenv.ReadMemory(t, cmd.Process.Pid)
	memory.MustFind(t, []byte(e.tenants[0].name)) // no secret
	for _, n := range e.needles {
		if count := memory.Pieces(n.bytes); count > 0 {
			t.Errorf("%s: %d copies are left", n.what, count)
		}
	}
	// Each connection to the API, of which each token has at most one for each
	// request at once, has its token in a buffer.
	left := memory.Whole(e.markers.token)
	if most := 2 * len(e.tokens) * callers; left > most {
		t.Errorf("%d copies of %d tokens are left, documented are %d", left, len(e.tokens), most)
	}
	t.Logf("%d tenants, %d requests, at most %d bytes locked; 0 copies of keys, %d of %d tokens", n, c.requests.Load(), peak, left, len(e.tokens))
}

// newEstate makes the secrets of n tenants, and writes them where the server looks.
func newEstate(t *testing.T, n int) *estate {
	t.Helper()
	dir, err := os.MkdirTemp("", "tenants")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	e := &estate{t: t, dir: dir}
	for _, folder := range []string{"credentials", "files"} {
		if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	e.markers.mac, e.markers.private, e.markers.token = text(24), randomBytes(16), text(24)
	e.needles = append(e.needles, needle{"marker of HMAC keys", e.markers.mac}, needle{"marker of private keys", e.markers.private},
		needle{"marker of private keys, as words", reversed(e.markers.private)})
	refs, tokens, rotates := map[string]string{}, map[string]string{}, []string{}
	for i := range n {
		k := e.newTenant(i)
		e.tenants = append(e.tenants, k)
		refs[k.name] = e.place(k, i, e.secretOf(k))
		if i < rotating && k.signer == nil {
			rotates = append(rotates, k.name)
		}
	}
	var digests []string
	for i := range 2 * rotating {
		k := &knownTenant{name: fmt.Sprintf("token%d", i), path: filepath.Join(dir, "files", fmt.Sprintf("token%d", i))}
		e.tokens = append(e.tokens, k)
		for range 2 {
			token := slices.Concat(text(24), e.markers.token)
			k.secrets = append(k.secrets, token)
			digests = append(digests, digest("Bearer "+string(token)))
		}
		tokens[k.name] = "file:" + k.path
		e.write(k.path, k.secrets[0])
	}
	var api, roots string
	if _, err := fmt.Sscan(serve(t, "api", digestEnv+"="+strings.Join(digests, ",")), &api, &roots); err != nil {
		t.Fatal(err)
	}
	config, err := yaml.Marshal(map[string]any{"api": api, "roots": roots, "tenants": refs, "tokens": tokens, "rotates": rotates})
	if err != nil {
		t.Fatal(err)
	}
	e.write(filepath.Join(dir, "server.yaml"), config)
	if os.Getuid() == 0 {
		err = filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, nobody, nobody))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return e
}

// newTenant makes a tenant's secret: of ten tenants, six have a key of HMAC, two an
// Ed25519 key, and two a P-256 key.
func (e *estate) newTenant(i int) *knownTenant {
	marker := e.markers.private
	switch i % 10 {
	case 6, 7:
		return &knownTenant{name: fmt.Sprintf("ed%d.example", i), signer: ed25519.NewKeyFromSeed(append(randomBytes(16), marker...))}
	case 8, 9:
		scalar := append(randomBytes(16), marker...)
		scalar[0] &= 0x7f // less than the order
		k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
		if err != nil {
			e.t.Fatal(err)
		}
		return &knownTenant{name: fmt.Sprintf("ec%d.example", i), signer: k}
	}
	k := &knownTenant{name: fmt.Sprintf("mac%d-%s", i, text(16))}
	for range 2 {
		k.secrets = append(k.secrets, slices.Concat(text(24), e.markers.mac))
	}
	if i < rotating {
		for version, secret := range k.secrets {
			e.needles = append(e.needles, macNeedles(fmt.Sprintf("key %d of %s", version, k.name), secret)...)
		}
	}
	return k
}

// secretOf returns what a tenant's file holds.
func (e *estate) secretOf(k *knownTenant) []byte {
	if k.signer == nil {
		return k.secrets[0]
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.signer)
	if err != nil {
		e.t.Fatal(err)
	}
	// Of the marker's base64, what does not depend on its neighbours.
	at := (bytes.Index(der, e.markers.private) + 2) / 3 * 3
	e.needles = slices.DeleteFunc(e.needles, func(n needle) bool { return n.what == k.name[:2]+" in base64" })
	e.needles = append(e.needles, needle{k.name[:2] + " in base64", []byte(base64.StdEncoding.EncodeToString(der[at : at+12]))})
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// place writes a tenant's secret to one of the places, and returns the reference.
func (e *estate) place(k *knownTenant, i int, secret []byte) string {
	path := filepath.Join(e.dir, "files", strconv.Itoa(i))
	switch {
	case i < rotating && k.signer == nil:
		k.path = path
		e.write(path, append(slices.Clone(secret), '\n'))
	case i%100 == 30:
		e.env = append(e.env, fmt.Sprintf("MEMKEEP_TENANT_%d=%s", i, secret))
		return fmt.Sprintf("env:MEMKEEP_TENANT_%d", i)
	case i%100 == 31:
		e.write(filepath.Join(e.dir, "credentials", k.name), secret)
		return "credential:" + k.name
	case i%2 == 0:
		e.write(path, fmt.Appendf(nil, `{"user":"x","secret":%q}`, secret))
		return "file:" + path + "#secret"
	default:
		e.write(path, append(slices.Clone(secret), '\n'))
	}
	return "file:" + path
}

func (e *estate) write(path string, content []byte) {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// clients use the server.
type clients struct {
	t              *testing.T
	http, tls, ssh string
	requests       atomic.Int64
}

// ask sends a request and returns the answer.
func (c *clients) ask(method, path string, body []byte, signatures ...string) (string, error) {
	c.requests.Add(1)
	req, err := http.NewRequest(method, "http://"+c.http+path, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header[signatureHeader] = signatures
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	answer, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s %s: %s: %s", method, path, resp.Status, answer)
	}
	return string(answer), nil
}

// hook sends a webhook that is signed with each of the keys.
func (c *clients) hook(k *knownTenant, with ...[]byte) error {
	body, signatures := []byte(`{"event":1}`), []string(nil)
	for _, key := range with {
		h := hmac.New(sha256.New, key)
		h.Write(body)
		signatures = append(signatures, hex.EncodeToString(h.Sum(nil)))
	}
	_, err := c.ask(http.MethodPost, "/hook/"+k.name, body, signatures...)
	return err
}

// token has the server issue a token, and returns which of the tenant's keys signed
// it.
func (c *clients) token(k *knownTenant) (int, error) {
	token, err := c.ask(http.MethodGet, "/token/"+k.name, nil)
	if err != nil {
		return 0, err
	}
	if k.signer != nil {
		_, err = jwt.Parse(token, func(*jwt.Token) (any, error) { return k.signer.Public(), nil })
		return 0, err
	}
	for i, secret := range k.secrets {
		if _, err = jwt.Parse(token, func(*jwt.Token) (any, error) { return secret, nil }); err == nil {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s: %w", k.name, err)
}

// use uses a tenant's secret in all ways of its kind; SSH, which takes ten times as
// long as the others, with one of ten.
func (c *clients) use(k *knownTenant, i int) error {
	if _, err := c.token(k); err != nil {
		return err
	}
	if k.signer == nil {
		return c.hook(k, k.secrets[0])
	}
	conn, err := tls.Dial("tcp", c.tls, &tls.Config{ServerName: k.name, InsecureSkipVerify: true})
	if err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	c.requests.Add(1)
	if public, ok := k.signer.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(conn.ConnectionState().PeerCertificates[0].PublicKey) {
		return fmt.Errorf("%s: another tenant's certificate", k.name)
	}
	if err := conn.Close(); err != nil || i%100 > 10 {
		return err
	}
	return c.login(k)
}

// login opens an SSH connection.
func (c *clients) login(k *knownTenant) error {
	public, err := ssh.NewPublicKey(k.signer.Public())
	if err != nil {
		return err
	}
	c.requests.Add(1)
	raw, err := net.Dial("tcp", c.ssh)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(raw, "%-16s", k.name); err != nil {
		return err
	}
	conn, channels, requests, err := ssh.NewClientConn(raw, c.ssh, &ssh.ClientConfig{User: "x", HostKeyCallback: ssh.FixedHostKey(public)})
	if err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	return ssh.NewClient(conn, channels, requests).Close()
}

// rotate replaces files while requests come, none of which may fail, until the new
// secrets are in use.
func (c *clients) rotate(e *estate) {
	c.t.Helper()
	var changing []*knownTenant
	for _, k := range e.tenants[:rotating] {
		if k.signer == nil {
			changing = append(changing, k)
		}
	}
	tokens := e.tokens[:rotating]
	done := make(chan struct{})
	var group sync.WaitGroup
	failed := make([]error, callers)
	for i := range callers {
		group.Go(func() {
			for n := i; failed[i] == nil; n++ {
				select {
				case <-done:
					return
				default:
				}
				k := changing[n%len(changing)]
				_, err := c.token(k)
				_, callErr := c.call(e.tokens[n%len(e.tokens)])
				failed[i] = errors.Join(err, callErr, c.hook(k, k.secrets...))
			}
		})
	}
	for _, k := range slices.Concat(changing, tokens) {
		next := k.path + ".next"
		e.write(next, k.secrets[1])
		if os.Getuid() == 0 {
			if err := os.Chown(next, nobody, nobody); err != nil {
				c.t.Error(err)
			}
		}
		if err := os.Rename(next, k.path); err != nil {
			c.t.Error(err)
		}
	}
	deadline := time.Now().Add(time.Minute)
	until := func(k *knownTenant, version func(*knownTenant) (int, error)) {
		for {
			v, err := version(k)
			if err != nil {
				c.t.Error(err)
			}
			if err != nil || v == 1 {
				return
			}
			if time.Now().After(deadline) {
				c.t.Errorf("%s: the new secret is not in use", k.name)
				return
			}
		}
	}
	for _, k := range changing {
		until(k, c.token)
	}
	for _, k := range tokens {
		until(k, c.call)
	}
	close(done)
	group.Wait()
	if err := errors.Join(failed...); err != nil {
		c.t.Errorf("while secrets changed: %v", err)
	}
	for _, k := range changing {
		if err := c.hook(k, k.secrets[1]); err != nil {
			c.t.Error(err)
		}
		if err := c.hook(k, k.secrets[0]); err == nil {
			c.t.Errorf("%s: the old key is in use", k.name)
		}
	}
}

// call has the server call the API, and returns which of the tokens it used.
func (c *clients) call(k *knownTenant) (int, error) {
	answer, err := c.ask(http.MethodGet, "/call/"+k.name, nil)
	if err != nil {
		return 0, err
	}
	number, err := strconv.Atoi(answer)
	return number % 2, err
}
