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
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
	"gopkg.in/yaml.v3"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/bearer"
	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
	memkeepjwt "github.com/memkeep/memkeep/tests/jwt"
)

func init() { servers["tenants"] = serveTenants }

// dirEnv is the folder that the tenants' server finds its configuration in.
const dirEnv = "MEMKEEP_LEAVING_DIR"

// A configuration is the server's, in YAML. It holds no secret, only where each is.
type configuration struct {
	API      string              // that the tokens are for
	Roots    string              // certificate of the API, in hexadecimal
	Database string              // that the roles log in to, up to the role's name
	Tenants  map[string]load.Ref // by names that begin with the kind of secret
	Rotates  []string            // tenants whose files change
}

// The kinds of secrets.
const (
	isMAC     = "mac"
	isEd25519 = "ed"
	isP256    = "ec"
	isHTTP1   = "http1" // a token, sent over HTTP/1.1
	isHTTP2   = "http2"
	isRole    = "role" // the password of a role of PostgreSQL
)

// kindOf returns which kind of secret the tenant of that name has.
func kindOf(name string) string {
	kind, _, _ := strings.Cut(name, "-")
	return kind
}

// A tenant has its secret in the form in which it is used.
type tenant struct {
	key      atomic.Pointer[key] // replaced when its file changes
	client   *http.Client        // sends a token
	pool     *pgxpool.Pool       // logs in with a password
	rotating *load.Rotating      // nil if the secret does not change
}

// A key is a MAC, or a private key and its certificate.
type key struct {
	mac     *keys.MAC
	private *keys.PrivateKey
	der     []byte
}

// A server serves webhooks and tokens by HTTP, and private keys by TLS and SSH. It calls
// an API and a database.
type server struct {
	session       *enclave.Session
	configuration configuration
	roots         *x509.CertPool
	tenants       map[string]*tenant
	dials         map[string]*atomic.Int64 // of the API, by kinds of tokens
	retries       atomic.Int64             // of logins to the database
	close         []io.Closer
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
	s := &server{session: enclave.Default(), tenants: map[string]*tenant{}, dials: map[string]*atomic.Int64{isHTTP1: {}, isHTTP2: {}}}
	if err := yaml.Unmarshal(raw, &s.configuration); err != nil {
		return err
	}
	if err := s.load(); err != nil {
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
	if err := testenv.AwaitSweep(); err != nil {
		return err
	}
	fmt.Println("resting", s.session.Stats().LockedBytesPeak, s.retries.Load(), s.dials[isHTTP1].Load(), s.dials[isHTTP2].Load())
	_, err = io.Copy(io.Discard, in)
	for _, c := range append(s.close, hooks, listeners[1], listeners[2]) {
		err = errors.Join(err, c.Close())
	}
	return err
}

// load resolves all references of the configuration.
func (s *server) load() error {
	der, err := hex.DecodeString(s.configuration.Roots)
	if err != nil {
		return err
	}
	s.roots = x509.NewCertPool()
	s.roots.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	for name, ref := range s.configuration.Tenants {
		t := new(tenant)
		s.tenants[name] = t
		resolve := s.resolve
		if slices.Contains(s.configuration.Rotates, name) {
			resolve = s.follow
		}
		if err := resolve(t, name, ref); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// resolve takes a secret that does not change.
func (s *server) resolve(t *tenant, name string, ref load.Ref) error {
	e, err := ref.Resolve(context.Background())
	if err != nil {
		return err
	}
	return s.take(t, name, e)
}

// follow takes a secret that changes with its file. A key that was replaced is left to the
// collector: a request may still use it, and what it holds is sealed.
func (s *server) follow(t *tenant, name string, ref load.Ref) error {
	taken := make(chan struct{})
	defer close(taken)
	var r *load.Rotating
	changed := func(stats load.RotatingStats) {
		<-taken
		err := stats.LastError
		if err == nil && t.key.Load() != nil {
			err = s.take(t, name, r)
		}
		if err != nil {
			log.Printf("%s: %v", name, err)
		}
	}
	r, err := load.NewRotating(context.Background(), ref, load.RotatingConfig{Settle: time.Millisecond, OnReload: changed})
	if err != nil {
		return err
	}
	s.close = append(s.close, r)
	t.rotating = r
	return s.take(t, name, r)
}

// take makes a secret what it is used as. Tokens and passwords are taken anew for
// each use.
func (s *server) take(t *tenant, name string, secret bearer.Token) (err error) {
	switch kind := kindOf(name); kind {
	case isHTTP1, isHTTP2:
		dial := func(ctx context.Context, network, address string) (net.Conn, error) {
			s.dials[kind].Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		}
		base := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: s.roots}, ForceAttemptHTTP2: kind == isHTTP2,
			MaxIdleConnsPerHost: callers, MaxConnsPerHost: callers}
		transport, err := bearer.New(secret, bearer.Config{Host: s.configuration.API, Base: base})
		t.client = &http.Client{Transport: transport}
		return err
	case isRole:
		cfg, err := pgxpool.ParseConfig(s.configuration.Database + name)
		if err != nil {
			return err
		}
		cfg.AfterRelease = func(*pgx.Conn) bool { return false } // each request logs in
		usePassword(cfg, secret)
		t.pool, err = pgxpool.NewWithConfig(context.Background(), cfg)
		return err
	}
	k, err := s.key(name, secret)
	if err == nil {
		t.key.Store(k)
	}
	return err
}

// key makes a key of a secret, which stays as it is.
func (s *server) key(name string, secret bearer.Token) (*key, error) {
	var e *enclave.Enclave
	err := secret.UseContext(context.Background(), func(secret []byte) (err error) {
		e, err = s.session.NewCopy(secret)
		return err
	})
	if err != nil {
		return nil, err
	}
	defer e.Destroy()
	k := new(key)
	if kindOf(name) == isMAC {
		k.mac, err = keys.In(s.session).MACFromEnclave(crypto.SHA256, e)
		return k, err
	}
	if k.private, err = keys.In(s.session).FromEnclave(e); err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	k.der, err = x509.CreateCertificate(nil, template, template, k.private.Public(), k.private)
	return k, err
}

// handler serves webhooks, tokens, and calls of the API and the database.
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
		return "", verifyAny(s.tenants[name].key.Load().mac, body, r.Header[signatureHeader])
	})
	handle("GET /token/{name}", func(_ *http.Request, name string) (string, error) {
		k := s.tenants[name].key.Load()
		switch {
		case k.private == nil:
			return issue(memkeepjwt.HS256, k.mac, k.mac, name)
		case k.private.Algorithm() == keys.ECDSAP256:
			return issue(memkeepjwt.ES256, k.private, k.private.Public(), name)
		}
		return issue(memkeepjwt.EdDSA, k.private, k.private.Public(), name)
	})
	handle("GET /call/{name}", func(_ *http.Request, name string) (string, error) {
		resp, err := s.tenants[name].client.Get("https://" + s.configuration.API)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return "", errors.New(resp.Status)
		}
		proto, err := io.ReadAll(resp.Body)
		return fmt.Sprintf("%s %s", resp.Header.Get(numberHeader), proto), err
	})
	handle("GET /query/{name}", func(r *http.Request, name string) (user string, err error) {
		t := s.tenants[name]
		conn, err := acquire(r.Context(), t.pool, t.rotating, &s.retries)
		if err != nil {
			return "", err
		}
		defer conn.Release()
		err = conn.QueryRow(r.Context(), "SELECT current_user").Scan(&user)
		return user, err
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
		if t == nil || t.key.Load() == nil {
			return nil, errors.New("no such tenant")
		}
		k := t.key.Load()
		return &tls.Certificate{Certificate: [][]byte{k.der}, PrivateKey: k.private}, nil
	}})
	_, _ = io.Copy(conn, conn) // the client has the other end of the error
}

// ssh serves the tenant that the client's first line names.
func (s *server) ssh(c net.Conn) {
	var name [16]byte
	if _, err := io.ReadFull(c, name[:]); err != nil {
		return
	}
	host, err := ssh.NewSignerFromSigner(s.tenants[strings.TrimRight(string(name[:]), " ")].key.Load().private)
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
