package leaving

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/ssh"

	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

// A server takes the secrets of 10,000 tenants from a configuration of references to
// files, fields of JSON, the environment and systemd's credentials, as nobody under
// a limit of 64 KiB. It verifies webhooks, issues and checks JSON Web Tokens, is a TLS and
// an SSH server, calls an API over both versions of HTTP and logs in to PostgreSQL with
// them. Some of each kind change under load, and no request fails. Nothing is left of what
// was signed, authenticated or logged in with, and of the API's tokens no more than is
// documented.
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
	if !testenv.Long() {
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
	c := &clients{t: t, digests: e.digests}
	if _, err := fmt.Sscan(p.hear(), &c.http, &c.tls, &c.ssh); err != nil {
		t.Fatal(err)
	}
	if err := inParallel(n, func(i int) error { _, err := c.use(e.tenants[i]); return err }); err != nil {
		t.Fatal(err)
	}
	c.rotate(e)
	http.DefaultClient.CloseIdleConnections()

	p.tell("rest\n")
	var peak, retries, dials1, dials2 int
	if _, err := fmt.Sscanf(p.hear(), "resting %d %d %d %d", &peak, &retries, &dials1, &dials2); err != nil {
		t.Fatal(err)
	}
	if peak > testenv.SmallLimit() {
		t.Errorf("%d bytes were locked", peak)
	}
	t.Logf("%d tenants, %d requests, %d logins tried again, at most %d bytes locked", n, c.requests.Load(), retries, peak)
	memory := testenv.ReadMemory(t, cmd.Process.Pid)
	memory.MustFind(t, []byte(e.tenants[0].name)) // no secret
	// A token is in the buffers of its connections, and in some of crypto/tls.
	most := map[string]int{isHTTP1: dials1 + outgrown, isHTTP2: 4*dials2 + outgrown}
	for kind, needles := range e.needles {
		t.Run(kind, func(t *testing.T) {
			if kind == isRole && e.database == nil {
				t.Skipf("SKIPPED, NOTHING TESTED: no %s of PostgreSQL", lacking())
			}
			left := 0
			for _, n := range needles {
				count := memory.Pieces(n.bytes)
				left += count
				if count > 0 && most[kind] == 0 {
					t.Errorf("%s: %d copies are left", n.what, count)
				}
			}
			if left > most[kind] {
				t.Errorf("%d copies are left, documented are %d", left, most[kind])
			}
			t.Logf("%s: %d tenants, %d copies are left, documented are at most %d", kind, e.count[kind], left, most[kind])
		})
	}
}

// clients use the server.
type clients struct {
	t              *testing.T
	http, tls, ssh string
	digests        []string
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

// use uses a tenant's secret in all ways of its kind, and returns the oldest version that
// was used.
func (c *clients) use(k *knownTenant) (oldest int, err error) {
	var ways []func(*knownTenant) (int, error)
	switch k.kind {
	case isMAC:
		ways = append(ways, c.token, func(k *knownTenant) (int, error) { return 1, c.hook(k, k.secrets[:]...) })
	case isEd25519, isP256:
		ways = append(ways, c.token, c.handshake)
		if k.logsIn { // it takes ten times as long as the others
			ways = append(ways, c.login)
		}
	case isRole:
		ways = append(ways, c.query)
	default:
		ways = append(ways, c.call)
	}
	oldest = 1
	for _, way := range ways {
		version, err := way(k)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", k.name, err)
		}
		oldest = min(oldest, version)
	}
	return oldest, nil
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

// token has the server issue a token, and returns which version of the tenant's key
// signed it.
func (c *clients) token(k *knownTenant) (int, error) {
	token, err := c.ask(http.MethodGet, "/token/"+k.name, nil)
	if err != nil {
		return 0, err
	}
	for version, secret := range k.secrets {
		var key any = secret
		if k.kind != isMAC {
			key = k.publics[version]
		}
		if _, err = jwt.Parse(token, func(*jwt.Token) (any, error) { return key, nil }); err == nil {
			return version, nil
		}
	}
	return 0, err
}

// handshake opens a TLS connection.
func (c *clients) handshake(k *knownTenant) (int, error) {
	c.requests.Add(1)
	conn, err := tls.Dial("tcp", c.tls, &tls.Config{ServerName: k.name, InsecureSkipVerify: true})
	if err != nil {
		return 0, err
	}
	version, err := k.version(conn.ConnectionState().PeerCertificates[0].PublicKey)
	return version, errors.Join(err, conn.Close())
}

// login opens an SSH connection.
func (c *clients) login(k *knownTenant) (version int, err error) {
	c.requests.Add(1)
	raw, err := net.Dial("tcp", c.ssh)
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Fprintf(raw, "%-16s", k.name); err != nil {
		return 0, err
	}
	check := func(_ string, _ net.Addr, public ssh.PublicKey) (err error) {
		version, err = k.version(public.(ssh.CryptoPublicKey).CryptoPublicKey())
		return err
	}
	conn, channels, requests, err := ssh.NewClientConn(raw, c.ssh, &ssh.ClientConfig{User: "x", HostKeyCallback: check})
	if err != nil {
		return 0, err
	}
	return version, ssh.NewClient(conn, channels, requests).Close()
}

// call has the server call the API, and returns which version of the token it sent.
func (c *clients) call(k *knownTenant) (int, error) {
	answer, err := c.ask(http.MethodGet, "/call/"+k.name, nil)
	if err != nil {
		return 0, err
	}
	var number int
	var proto string
	if _, err := fmt.Sscan(answer, &number, &proto); err != nil {
		return 0, err
	}
	if want := map[string]string{isHTTP1: "HTTP/1.1", isHTTP2: "HTTP/2.0"}[k.kind]; proto != want {
		return 0, fmt.Errorf("%s, want %s", proto, want)
	}
	for version, token := range k.secrets {
		if c.digests[number] == digest("Bearer "+string(token)) {
			return version, nil
		}
	}
	return 0, errors.New("another tenant's token")
}

// query has the server query the database, which knows one version of the password, the
// one that its role was given last.
func (c *clients) query(k *knownTenant) (int, error) {
	answer, err := c.ask(http.MethodGet, "/query/"+k.name, nil)
	if err == nil && answer != k.name {
		err = errors.New("logged in as " + answer)
	}
	return 1, err
}

// rotate replaces files while requests come, none of which may fail, until the new
// secrets are in use.
func (c *clients) rotate(e *estate) {
	c.t.Helper()
	changing := e.tenants[:rotating]
	done := make(chan struct{})
	var group sync.WaitGroup
	failed := make([]error, callers)
	for i := range callers {
		group.Go(func() {
			for n := i; failed[i] == nil; n++ {
				if n >= i+len(changing) { // each tenant was used
					select {
					case <-done:
						return
					default:
					}
				}
				_, failed[i] = c.use(changing[n%len(changing)])
			}
		})
	}
	for i, k := range changing {
		// Of a password, either of the two sides has the new one first.
		fileFirst := i%4 < 2
		if fileFirst {
			e.replace(k, 1)
		}
		if k.kind == isRole {
			e.setPassword(k, 1)
		}
		if !fileFirst {
			e.replace(k, 1)
		}
	}
	deadline := time.Now().Add(2 * load.DefaultInterval) // for those that the system had no watch for
	for _, k := range changing {
		for {
			version, err := c.use(k)
			if err != nil {
				c.t.Error(err)
			}
			if err != nil || version == 1 {
				break
			}
			if time.Now().After(deadline) {
				c.t.Errorf("%s: the new secret is not in use", k.name)
				break
			}
		}
	}
	close(done)
	group.Wait()
	if err := errors.Join(failed...); err != nil {
		c.t.Errorf("while secrets changed: %v", err)
	}
	var tokens []*knownTenant
	for _, k := range changing {
		switch k.kind {
		case isMAC:
			if err := c.hook(k, k.secrets[1]); err != nil {
				c.t.Error(err)
			}
			if err := c.hook(k, k.secrets[0]); err == nil {
				c.t.Errorf("%s: the old key is in use", k.name)
			}
		case isHTTP1, isHTTP2:
			tokens = append(tokens, k)
		}
	}
	// What a request leaves on the heap is gone with the next collection or two: so there
	// are some last.
	if err := inParallel(1000, func(i int) error { _, err := c.call(tokens[i%len(tokens)]); return err }); err != nil {
		c.t.Error(err)
	}
}
