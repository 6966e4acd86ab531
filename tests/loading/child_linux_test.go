package loading

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"gopkg.in/yaml.v3"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

// The child's orders. wayEnv says how it loads, dirEnv where its files are, and
// limitEnv that it may lock little.
const (
	wayEnv   = "MEMKEEP_LOAD_WAY"
	dirEnv   = "MEMKEEP_LOAD_DIR"
	limitEnv = "MEMKEEP_LOAD_LIMIT"
	ourEnv   = "MEMKEEP_LOAD_OURS"
	usualEnv = "MEMKEEP_LOAD_USUAL"
)

// times is how often the child loads what can be loaded again.
const times = 100

// kept is what the program goes on using: the enclaves, and the control.
var kept []any

func TestMain(m *testing.M) {
	name := os.Getenv(wayEnv)
	if name == "" {
		testenv.RunWaiting(m)
	}
	if err := child(name); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child loads a secret, uses it, says so, and waits for the end of its input.
func child(name string) error {
	if os.Getenv(limitEnv) != "" {
		limit := uint64(testenv.SmallLimit())
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
			return err
		}
	}
	w := ways[name]
	dir := os.Getenv(dirEnv)
	if err := w.ours(dir); err != nil {
		return err
	}
	for _, e := range kept {
		e, ok := e.(*enclave.Enclave)
		if !ok {
			continue
		}
		if err := e.Use(func([]byte) error { return nil }); err != nil {
			return err
		}
	}
	control, err := w.usual(dir)
	if err != nil {
		return err
	}
	kept = append(kept, control)
	rest()
	fmt.Println("ready")
	_, err = bufio.NewReader(os.Stdin).ReadByte()
	if err == io.EOF {
		err = nil
	}
	// The collector must not have them before.
	if len(kept) == 0 {
		return errors.New("nothing was kept")
	}
	return err
}

// rest waits until the key's shares were refreshed after the work: then what a
// signal saved of the registers, in the middle of a decryption, is overwritten.
func rest() {
	for first := enclave.Default().Stats().Refreshes; enclave.Default().Stats().Refreshes < first+2; {
		time.Sleep(10 * time.Millisecond)
	}
}

// keep remembers an enclave, or returns the error.
func keep(e *enclave.Enclave, err error) error {
	kept = append(kept, e)
	return err
}

// again calls f as often as the child loads.
func again(f func() error) error {
	for range times {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// A way is one to load a secret. ours uses the package, on what the test
// prepared for it; usual is what programs do otherwise, on the control's.
type way struct {
	ours  func(dir string) error
	usual func(dir string) (any, error)
}

func usualFile(dir string) (any, error) { return os.ReadFile(filepath.Join(dir, "usual", "secret")) }

var ways = map[string]way{
	"File": {func(dir string) error {
		return again(func() error { return keep(load.File(filepath.Join(dir, "ours", "secret"))) })
	}, usualFile},

	"File, large": {func(dir string) error {
		return again(func() error { return keep(load.File(filepath.Join(dir, "large", "secret"))) })
	}, usualFile},

	"Dir": {func(dir string) error {
		return again(func() error {
			secrets, err := load.Dir(filepath.Join(dir, "ours"))
			return keep(secrets["secret"], err)
		})
	}, usualFile},

	"Credential": {func(dir string) error {
		os.Setenv("CREDENTIALS_DIRECTORY", filepath.Join(dir, "ours"))
		return again(func() error { return keep(load.Credential("secret")) })
	}, usualFile},

	"FD": {func(string) error {
		for n := 3; n < 3+descriptors; n++ {
			if err := keep(load.FD(n)); err != nil {
				return err
			}
		}
		return nil
	}, func(string) (any, error) { return io.ReadAll(os.NewFile(3+descriptors, "usual")) }},

	"Reader": {func(dir string) error {
		return again(func() error {
			f, err := os.Open(filepath.Join(dir, "ours", "secret"))
			if err != nil {
				return err
			}
			defer f.Close()
			return keep(load.Reader(f))
		})
	}, func(dir string) (any, error) {
		f, err := os.Open(filepath.Join(dir, "usual", "secret"))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return io.ReadAll(f)
	}},

	"Reader, large": {func(dir string) error {
		return again(func() error {
			f, err := os.Open(filepath.Join(dir, "large", "secret"))
			if err != nil {
				return err
			}
			defer f.Close()
			return keep(load.Reader(f)) // the buffer grows
		})
	}, usualFile},

	"Command": {func(dir string) error {
		for range 10 {
			if err := keep(load.Command(context.Background(), "cat", filepath.Join(dir, "ours", "secret"))); err != nil {
				return err
			}
		}
		return nil
	}, func(dir string) (any, error) {
		return exec.Command("cat", filepath.Join(dir, "usual", "secret")).Output()
	}},

	"Terminal": {func(string) error { return keep(load.Terminal(prompt)) },
		func(string) (any, error) { return bufio.NewReader(os.NewFile(3, "terminal")).ReadString('\n') }},

	"Env": {func(string) error { return keep(load.Env(ourEnv)) },
		func(string) (any, error) { return os.Getenv(usualEnv), nil }},

	"Field": {func(dir string) error {
		file, err := load.File(filepath.Join(dir, "ours", "json"))
		if err != nil {
			return err
		}
		return again(func() error { return keep(load.Field(file, "password")) })
	}, func(dir string) (any, error) {
		raw, err := os.ReadFile(filepath.Join(dir, "usual", "json"))
		if err != nil {
			return nil, err
		}
		var fields map[string]string
		err = json.Unmarshal(raw, &fields)
		return fields, err
	}},

	"PEM": {func(dir string) error {
		file, err := load.File(filepath.Join(dir, "ours", "pem"))
		if err != nil {
			return err
		}
		return again(func() error { return keep(load.PEM(file, "PRIVATE KEY")) })
	}, func(dir string) (any, error) {
		raw, err := os.ReadFile(filepath.Join(dir, "usual", "pem"))
		block, _ := pem.Decode(raw)
		return block, err
	}},

	"Ref": {func(dir string) error {
		return again(func() error {
			var config struct{ A, B load.Ref }
			text := strings.ReplaceAll(`{"A":"file:DIR/ours/secret","B":"file:DIR/ours/json#password"}`, "DIR", dir)
			if err := json.Unmarshal([]byte(text), &config); err != nil {
				return err
			}
			return errors.Join(keep(config.A.Resolve(context.Background())), keep(config.B.Resolve(context.Background())))
		})
	}, usualFile},

	"Rotating": {func(dir string) error {
		var ref load.Ref
		if err := ref.UnmarshalText([]byte("file:" + filepath.Join(dir, "link", "secret"))); err != nil {
			return err
		}
		r, err := load.NewRotating(context.Background(), ref, load.RotatingConfig{Settle: -1})
		if err != nil {
			return err
		}
		kept = append(kept, r)
		next := filepath.Join(dir, "next")
		for i := range 2 * times {
			to := []string{"ours", "large"}[i%2]
			if err := errors.Join(os.Symlink(to, next), os.Rename(next, filepath.Join(dir, "link")), r.Reload(context.Background())); err != nil {
				return err
			}
			if err := r.Use(func([]byte) error { return nil }); err != nil {
				return err
			}
		}
		if s := r.Stats(); s.Version < 2*times-1 {
			return fmt.Errorf("%+v", s)
		}
		return nil
	}, usualFile},

	"errors": {func(dir string) error {
		small := load.Loader{MaxSize: 20}
		ctx := context.Background()
		file, err := load.File(filepath.Join(dir, "ours", "broken"))
		if err != nil {
			return err
		}
		return again(func() error {
			f, err := os.Open(filepath.Join(dir, "ours", "secret"))
			if err != nil {
				return err
			}
			defer f.Close()
			for _, try := range []func() (*enclave.Enclave, error){
				func() (*enclave.Enclave, error) { return small.Reader(ctx, f) },
				func() (*enclave.Enclave, error) { return load.Field(file, "password") },
				func() (*enclave.Enclave, error) { return load.PEM(file, "PRIVATE KEY") },
			} {
				e, err := try()
				if e != nil || err == nil {
					return fmt.Errorf("%v, %v", e, err)
				}
				kept = append(kept, err)
			}
			return nil
		})
	}, usualFile},

	"literal, encoding/json": {func(dir string) error {
		return again(func() error { return literal(filepath.Join(dir, "ours", "literal.json"), json.Unmarshal) })
	}, func(dir string) (any, error) { return os.ReadFile(filepath.Join(dir, "usual", "literal.json")) }},

	"literal, yaml.v3": {func(dir string) error {
		return literal(filepath.Join(dir, "ours", "literal.json"), yaml.Unmarshal) // YAML too
	}, func(dir string) (any, error) { return os.ReadFile(filepath.Join(dir, "usual", "literal.json")) }},
}

// literal decodes a configuration that holds its secret, in locked memory.
func literal(path string, unmarshal func([]byte, any) error) error {
	file, err := load.File(path)
	if err != nil {
		return err
	}
	return file.Use(func(text []byte) error {
		config := new(struct {
			Password load.Ref `json:"password" yaml:"password"`
		})
		kept = append(kept, config)
		return unmarshal(text, config)
	})
}
