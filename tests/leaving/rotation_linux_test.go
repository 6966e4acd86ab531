package leaving

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sys/unix"

	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

func init() { servers["queries"] = queryWhileThePasswordRotates }

// queryWhileThePasswordRotates queries the database until it is told to rest, over
// connections that come and go, with a password that follows its file.
func queryWhileThePasswordRotates() error {
	limit := uint64(testenv.SmallLimit())
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	var ref load.Ref
	if err := ref.UnmarshalText([]byte("file:" + os.Getenv(dirEnv))); err != nil {
		return err
	}
	password, err := load.NewRotating(ctx, ref, load.RotatingConfig{Settle: time.Millisecond})
	if err != nil {
		return err
	}
	cfg, err := pgxpool.ParseConfig(os.Getenv(addressEnv))
	if err != nil {
		return err
	}
	cfg.MaxConns = callers
	var connections, queries, retries atomic.Int64
	cfg.AfterRelease = func(*pgx.Conn) bool { return connections.Add(1)%4 != 0 }
	usePassword(cfg, password)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	commands := bufio.NewReader(os.Stdin)
	resting := make(chan struct{})
	go func() {
		defer close(resting)
		_, _ = commands.ReadString('\n') // the end of the input is a rest, too
	}()
	fmt.Println("querying")
	err = inParallel(callers, func(int) error {
		for i := 0; ; i++ {
			select {
			case <-resting:
				return nil
			default:
			}
			conn, err := acquire(ctx, pool, password, &retries)
			if err != nil {
				return err
			}
			var got int
			err = conn.QueryRow(ctx, "SELECT $1::int", i).Scan(&got)
			conn.Release()
			if err != nil || got != i {
				return errors.Join(err, fmt.Errorf("%d, want %d", got, i))
			}
			queries.Add(1)
		}
	})
	if err != nil {
		return err
	}
	if err := testenv.AwaitSweep(); err != nil {
		return err
	}
	fmt.Println(queries.Load(), pool.Stat().NewConnsCount(), retries.Load(), password.Stats().Version)
	_, err = io.Copy(io.Discard, commands)
	runtime.KeepAlive(pool)
	return errors.Join(err, password.Close())
}

// acquire returns a connection. Between the change of the role's password and that of
// the file, the server refuses the one that the program has: then it is read again. A
// password that does not change is nil.
func acquire(ctx context.Context, pool *pgxpool.Pool, password *load.Rotating, retries *atomic.Int64) (*pgxpool.Conn, error) {
	const invalidPassword = "28P01"
	for {
		conn, err := pool.Acquire(ctx)
		var refused *pgconn.PgError
		if err == nil || password == nil || !errors.As(err, &refused) || refused.Code != invalidPassword {
			return conn, err
		}
		retries.Add(1)
		if err := password.Reload(ctx); err != nil {
			return nil, err
		}
	}
}

// A role's password changes while connections come and go, under a limit of 64 KiB. No
// query fails, and nothing is left of any of the passwords.
func TestThePasswordOfPostgreSQLRotatesUnderLoad(t *testing.T) {
	t.Parallel()
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's shadow memory takes minutes to scan")
	}
	if len(testenv.Emulator()) > 0 {
		t.Skip("SKIPPED, NOTHING TESTED: an emulator has copies of its own of what a program reads")
	}
	testenv.Lockable(t, os.Getpagesize())
	server := startPostgres(t)
	dir, err := os.MkdirTemp("", "rotation")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "password")
	put := func(password []byte) {
		next := path + ".next"
		if err := os.WriteFile(next, password, 0o600); err != nil {
			t.Fatal(err)
		}
		if os.Getuid() == 0 {
			if err := os.Chown(next, nobody, nobody); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Rename(next, path); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() == 0 {
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	const rotations = 5
	var needles []needle
	change := func(fileFirst bool) {
		password := text(40)
		if fileFirst {
			put(password)
		}
		server.setPassword(t, role, password)
		if !fileFirst {
			put(password)
		}
		needles = slices.Concat(needles, macNeedles("password", password), server.loginNeedles(t, role, password))
	}
	change(true)
	cmd := testenv.Reexec()
	cmd.Dir = os.TempDir()
	cmd.Env = append(os.Environ(), taskEnv+"=queries", dirEnv+"="+path, addressEnv+"="+server.dsn+role)
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	p := startChild(t, cmd)
	defer p.end()
	if said := p.hear(); said != "querying" {
		t.Fatalf("the child says %q", said)
	}
	// The role's connections under the new password show that it is in use.
	for i := range rotations {
		change(i%2 == 0)
		server.awaitLogins(t, 2*callers)
	}
	p.tell("rest\n")
	var queries, connections, retries, version int
	if _, err := fmt.Sscan(p.hear(), &queries, &connections, &retries, &version); err != nil {
		t.Fatal(err)
	}
	if version != rotations+1 {
		t.Errorf("version %d of the password is in use, not %d", version, rotations+1)
	}
	memory := testenv.ReadMemory(t, cmd.Process.Pid)
	memory.MustFind(t, []byte(server.dsn)) // no secret
	for _, n := range needles {
		if count := memory.Pieces(n.bytes); count > 0 {
			t.Errorf("%s: %d copies are left", n.what, count)
		}
	}
	t.Logf("%d passwords, %d connections, %d queries, none failed; %d logins were tried again", version, connections, queries, retries)
}

// awaitLogins waits until the role has logged in that often.
func (p *postgres) awaitLogins(t *testing.T, n int) {
	t.Helper()
	const query = "SELECT backend_start FROM pg_stat_activity WHERE usename = $1 AND backend_start > $2"
	var since time.Time
	if err := p.admin.QueryRow(t.Context(), "SELECT clock_timestamp()").Scan(&since); err != nil {
		t.Fatal(err)
	}
	seen := map[time.Time]bool{}
	for deadline := time.Now().Add(4 * time.Minute); len(seen) < n; {
		if time.Now().After(deadline) {
			t.Fatalf("%d logins of %d", len(seen), n)
		}
		rows, err := p.admin.Query(t.Context(), query, role, since)
		if err != nil {
			t.Fatal(err)
		}
		starts, err := pgx.CollectRows(rows, pgx.RowTo[time.Time])
		if err != nil {
			t.Fatal(err)
		}
		for _, start := range starts {
			seen[start] = true
		}
	}
}
