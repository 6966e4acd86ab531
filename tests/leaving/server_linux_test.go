package leaving

import (
	"bufio"
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
	"gopkg.in/yaml.v3"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/bearer"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/sigframe"
	"github.com/memkeep/memkeep/internal/testenv"
	memkeepjwt "github.com/memkeep/memkeep/tests/jwt"
)

func init() { servers["tenants"] = serveTenants }

// dirEnv is the folder that the tenants' server finds its configuration in.
const dirEnv = "MEMKEEP_LEAVING_DIR"

// A configuration is the server's, in YAML. It holds no secret, only where each is.
type configuration struct {
	API     string              // of which each token is for
	Roots   string              // certificate of the API, in hexadecimal
	Tenants map[string]load.Ref // a key of HMAC, or a private key in PEM
	Tokens  map[string]load.Ref
	Rotates []string // tenants and tokens whose files change
}

// A tenant has a key of one kind.
type tenant struct {
	mac     atomic.Pointer[keys.MAC] // replaced when its file changes
	private *keys.PrivateKey
	der     []byte // a certificate, of one with a private key
}

// A server serves webhooks and tokens by HTTP, and private keys by TLS and SSH.
type server struct {
	session *enclave.Session
	tenants map[string]*tenant
	tokens  map[string]*http.Client
	api     string
	close   []io.Closer
}

// serveTenants runs the server, under the limit of an unconfigured container.
func serveTenants() error {
	limit := uint64(testenv.SmallLimit())
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	dir := os.Getenv(dirEnv)
	if err := os.Setenv("CREDENTIALS_DIRECTORY", filepath.Join(dir, "credentials")); err != nil {
		return err
	}
	raw, err := os.ReadFile(filepath.Join(dir, "server.yaml"))
	if err != nil {
		return err
	}
	var c configuration
	if err := yaml.Unmarshal(raw, &c); err != nil {
		return err
	}
	s := &server{session: enclave.Default(), api: c.API, tenants: map[string]*tenant{}, tokens: map[string]*http.Client{}}
	if err := s.load(&c); err != nil {
		return err
	}
	listeners := make([]net.Listener, 3)
	for i := range listeners {
		if listeners[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
	}
	hooks := &http.Server{Handler: s.handler(), ErrorLog: log.New(io.Discard, "", 0)}
	go hooks.Serve(listeners[0])
	go accept(listeners[1], s.tls)
	go accept(listeners[2], s.ssh)
	fmt.Println(listeners[0].Addr(), listeners[1].Addr(), listeners[2].Addr())
	in := bufio.NewReader(os.Stdin)
	if _, err := in.ReadString('\n'); err != nil {
		return err
	}
	time.Sleep(2 * sigframe.Interval) // at rest
	fmt.Println("resting", enclave.Default().Stats().LockedBytesPeak)
	_, err = io.Copy(io.Discard, in)
	for _, c := range append(s.close, hooks, listeners[1], listeners[2]) {
		err = errors.Join(err, c.Close())
	}
	return err
}

// load resolves all references of the configuration.
func (s *server) load(c *configuration) error {
	ctx := context.Background()
	changing := map[string]bool{}
	for _, name := range c.Rotates {
		changing[name] = true
	}
	follow := func(ref load.Ref, changed func(load.RotatingStats)) (*load.Rotating, error) {
		r, err := load.NewRotating(ctx, ref, load.RotatingConfig{Settle: time.Millisecond, OnReload: changed})
		if err == nil {
			s.close = append(s.close, r)
		}
		return r, err
	}
	for name, ref := range c.Tenants {
		t := new(tenant)
		s.tenants[name] = t
		if changing[name] {
			if err := t.follow(s.session, ref, follow); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			continue
		}
		e, err := ref.Resolve(ctx)
		if err != nil {
			return err
		}
		if err := t.take(s.session, name, e); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		e.Destroy()
	}
	der, err := hex.DecodeString(c.Roots)
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	for name, ref := range c.Tokens {
		token, err := follow(ref, nil)
		if err != nil {
			return err
		}
		transport, err := bearer.New(token, bearer.Config{Host: c.API, Base: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}})
		if err != nil {
			return err
		}
		s.tokens[name] = &http.Client{Transport: transport}
	}
	return nil
}

// follow has the tenant's key follow its file. A key that was replaced is left to the
// collector: a request may still use it, and what it holds is sealed.
func (t *tenant) follow(session *enclave.Session, ref load.Ref,
	follow func(load.Ref, func(load.RotatingStats)) (*load.Rotating, error)) error {
	var r *load.Rotating
	started := make(chan struct{})
	r, err := follow(ref, func(stats load.RotatingStats) {
		<-started
		if mac, err := macOf(session, r); err == nil && stats.LastError == nil {
			t.mac.Store(mac)
		}
	})
	if err != nil {
		return err
	}
	close(started)
	mac, err := macOf(session, r)
	t.mac.CompareAndSwap(nil, mac)
	return err
}

// take makes the tenant's secret a key: a private one if it is PEM.
func (t *tenant) take(session *enclave.Session, name string, e *enclave.Enclave) (err error) {
	if strings.HasPrefix(name, "mac") {
		mac, err := macOf(session, e)
		t.mac.Store(mac)
		return err
	}
	if t.private, err = keys.In(session).FromEnclave(e); err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	t.der, err = x509.CreateCertificate(nil, template, template, t.private.Public(), t.private)
	return err
}

// macOf makes a key of a secret, which stays as it is. NewMAC wipes the key that it is
// given, and what Use gives may only be read.
func macOf(session *enclave.Session, secret bearer.Token) (mac *keys.MAC, err error) {
	ctx, size := context.Background(), 0
	if err := secret.UseContext(ctx, func(secret []byte) error { size = len(secret); return nil }); err != nil {
		return nil, err
	}
	b, err := session.NewBufferContext(ctx, size)
	if err != nil {
		return nil, err
	}
	err = secret.UseContext(ctx, func(secret []byte) error { copy(b.Bytes(), secret); return nil })
	if err == nil {
		mac, err = keys.In(session).NewMAC(crypto.SHA256, b.Bytes())
	}
	return mac, errors.Join(err, b.Destroy())
}

// handler serves webhooks, tokens, and calls of the API.
func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	handle := func(pattern string, f func(r *http.Request, name string) (string, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			answer, err := f(r, r.PathValue("name"))
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			_, _ = io.WriteString(w, answer) // a client that left is no error here
		})
	}
	handle("POST /hook/{name}", func(r *http.Request, name string) (string, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return "", err
		}
		return "", verifyAny(s.tenants[name].mac.Load(), body, r.Header[signatureHeader])
	})
	handle("GET /token/{name}", func(_ *http.Request, name string) (string, error) {
		t, claims := s.tenants[name], jwt.MapClaims{"sub": name}
		if t.private != nil {
			method := memkeepjwt.EdDSA
			if t.private.Algorithm() == keys.ECDSAP256 {
				method = memkeepjwt.ES256
			}
			return jwt.NewWithClaims(method, claims).SignedString(t.private)
		}
		return jwt.NewWithClaims(memkeepjwt.HS256, claims).SignedString(t.mac.Load())
	})
	handle("GET /call/{name}", func(_ *http.Request, name string) (string, error) {
		resp, err := s.tokens[name].Get("https://" + s.api)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return "", errors.New(resp.Status)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		return resp.Header.Get(numberHeader), err
	})
	return mux
}

// verifyAny verifies one of several signatures: while a key is replaced, a sender
// signs with the old one and the new one.
func verifyAny(mac *keys.MAC, body []byte, signatures []string) (err error) {
	for _, signature := range signatures {
		var tag []byte
		if tag, err = hex.DecodeString(signature); err == nil {
			if err = mac.Verify(body, tag); err == nil {
				return nil
			}
		}
	}
	return err
}

// accept has serve serve each connection until the listener is closed.
func accept(l net.Listener, serve func(net.Conn)) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			serve(c)
		}()
	}
}

// tls serves the tenant that the client names.
func (s *server) tls(c net.Conn) {
	conn := tls.Server(c, &tls.Config{GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		t := s.tenants[hello.ServerName]
		if t == nil || t.private == nil {
			return nil, errors.New("no such tenant")
		}
		return &tls.Certificate{Certificate: [][]byte{t.der}, PrivateKey: t.private}, nil
	}})
	_, _ = io.Copy(conn, conn) // the client has the other end of the error
}

// ssh serves the tenant that the client's first line names.
func (s *server) ssh(c net.Conn) {
	var name [16]byte
	if _, err := io.ReadFull(c, name[:]); err != nil {
		return
	}
	host, err := ssh.NewSignerFromSigner(s.tenants[strings.TrimRight(string(name[:]), " ")].private)
	if err != nil {
		return
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(host)
	conn, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		for channel := range channels {
			_ = channel.Reject(ssh.Prohibited, "") // nobody asks for one
		}
	}()
	_ = conn.Wait()
}
