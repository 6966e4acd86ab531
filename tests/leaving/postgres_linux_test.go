package leaving

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A postgres is a PostgreSQL server of the test's own, on loopback, with SCRAM.
type postgres struct {
	dsn   string // without a password, up to the role's name
	admin *pgx.Conn
}

// role is the one of tests that need no more.
const role = "tenant"

// lacking returns the program of PostgreSQL that is not installed, "" if all are.
func lacking() string {
	for _, name := range []string{"initdb", "postgres"} {
		if command(name) == "" {
			return name
		}
	}
	return ""
}

// startPostgres starts a server that ends with the test. Where PostgreSQL is not
// installed the test is skipped.
func startPostgres(t *testing.T) *postgres {
	t.Helper()
	if name := lacking(); name != "" {
		t.Skipf("SKIPPED, NOTHING TESTED: no %s of PostgreSQL", name)
	}
	// PostgreSQL does not run as root, and its folder is its own.
	dir, err := os.MkdirTemp("", "postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	password := string(text(32))
	passwordFile := filepath.Join(dir, "password")
	if err := os.WriteFile(passwordFile, []byte(password), 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := errors.Join(os.Chown(dir, nobody, nobody), os.Chown(passwordFile, nobody, nobody)); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	initialize := asNobody(command("initdb"), "-D", data, "-U", "admin", "-A", "scram-sha-256", "--pwfile", passwordFile,
		"--no-sync", "--no-instructions", "--locale=C", "-E", "UTF8")
	if out, err := initialize.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	p := &postgres{}
	port := freePort(t)
	server := asNobody(command("postgres"), "-D", data, "-h", "127.0.0.1", "-p", port, "-k", dir, "-F",
		"-c", "shared_buffers=16MB", "-c", "max_connections=100", "-c", "log_min_messages=warning", "-c", "lc_messages=C")
	log, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var said strings.Builder
	ready := make(chan bool, 1)
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(log)
		for lines.Scan() {
			if strings.Contains(lines.Text(), "ready to accept connections") {
				ready <- true
			}
			fmt.Fprintln(&said, lines.Text())
		}
		close(ready)
	}()
	t.Cleanup(func() {
		// A fast shutdown: it ends the sessions.
		_ = server.Process.Signal(syscall.SIGINT)
		<-ended
		if err := server.Wait(); err != nil {
			t.Errorf("postgres: %v\n%s", err, &said)
		}
	})
	if !<-ready {
		<-ended
		t.Fatalf("postgres:\n%s", &said)
	}
	p.dsn = fmt.Sprintf("host=127.0.0.1 port=%s dbname=postgres sslmode=disable user=", port)
	admin, err := pgx.ParseConfig(p.dsn + "admin")
	if err != nil {
		t.Fatal(err)
	}
	admin.Password = password
	if p.admin, err = pgx.ConnectConfig(t.Context(), admin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.admin.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return p
}

// nobody's ids on every Linux.
const nobody = 65534

// asNobody returns a command that a root's tests run as nobody.
func asNobody(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = os.TempDir()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	}
	return cmd
}

// command returns the path of one of PostgreSQL's programs, "" if there is none.
// Debian has those of servers in a folder of each version.
func command(name string) string {
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	paths, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name) // the pattern is well-formed
	if len(paths) == 0 {
		return ""
	}
	return paths[len(paths)-1]
}

// freePort returns a port of loopback that nobody listens on, and that is not among those
// which the system gives to others in the meantime: ip(7), ip_local_port_range.
func freePort(t *testing.T) string {
	t.Helper()
	for {
		port := strconv.Itoa(10_000 + rand.N(20_000))
		listener, err := net.Listen("tcp", "127.0.0.1:"+port)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		listener.Close()
		return port
	}
}

// setPassword gives a role a password, which it makes if it is not there.
func (p *postgres) setPassword(t *testing.T, role string, password []byte) {
	t.Helper()
	name := pgx.Identifier{role}.Sanitize()
	for _, statement := range []string{
		"DO $$BEGIN CREATE ROLE " + name + " LOGIN; EXCEPTION WHEN duplicate_object THEN END$$",
		"ALTER ROLE " + name + " PASSWORD '" + string(password) + "'",
	} {
		if _, err := p.admin.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// passwordSecret returns a new password, and what PBKDF2 makes of it.
func passwordSecret(*testing.T) ([]byte, []needle) {
	password := text(40)
	return password, macNeedles("password", password)
}

// loginNeedles are what a login makes of a role's password (RFC 5802), with which one
// can log in as well.
func (p *postgres) loginNeedles(t *testing.T, role string, password []byte) []needle {
	t.Helper()
	salted := p.salted(t, role, password)
	return append(macNeedles("salted password", salted), needle{"client key", clientKey(salted)})
}

func (p *postgres) salted(t *testing.T, role string, password []byte) []byte {
	t.Helper()
	var stored string
	if err := p.admin.QueryRow(t.Context(), "SELECT rolpassword FROM pg_authid WHERE rolname = $1", role).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	var iterations int
	var rest string
	if _, err := fmt.Sscanf(stored, "SCRAM-SHA-256$%d:%s", &iterations, &rest); err != nil {
		t.Fatalf("%q: %v", stored, err)
	}
	encoded, _, _ := strings.Cut(rest, "$")
	salt, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	key, err := pbkdf2.Key(sha256.New, string(password), salt, iterations, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// clientKey is what the client's proof is made of.
func clientKey(salted []byte) []byte {
	h := hmac.New(sha256.New, salted)
	_, _ = io.WriteString(h, "Client Key") // a hash takes all
	return h.Sum(nil)
}

// pool returns a pool that opens a connection for each operation.
func (u *user) pool(ctx context.Context) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(u.address)
	if err != nil {
		return nil, err
	}
	cfg.MaxConns = 4
	cfg.AfterRelease = func(*pgx.Conn) bool { return false }
	switch u.way {
	case heap:
		cfg.ConnConfig.Password = string(u.onHeap)
	case obvious:
		cfg.BeforeConnect = func(ctx context.Context, c *pgx.ConnConfig) error {
			return u.secret.UseContext(ctx, func(secret []byte) error {
				c.Password = string(secret)
				return nil
			})
		}
	case recommended:
		usePassword(cfg, u.secret)
	}
	return pgxpool.NewWithConfig(ctx, cfg)
}

// query opens connections.
func (u *user) query() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	pool, err := u.pool(ctx)
	if err != nil {
		return err
	}
	u.keeping = pool
	return inParallel(u.operations, func(i int) error {
		var got int
		err := pool.QueryRow(ctx, "SELECT $1::int", i).Scan(&got)
		if err == nil && got != i {
			err = fmt.Errorf("%d, want %d", got, i)
		}
		return err
	})
}
