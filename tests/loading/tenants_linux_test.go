package loading

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"gopkg.in/yaml.v3"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/load"
	"github.com/memkeep/memkeep/internal/testenv"
)

// tenantsEnv is the beginning of the tenants' variables.
const tenantsEnv = "MEMKEEP_TENANT_"

func init() {
	ways["tenants"] = way{tenants, usualFile}
}

// tenants loads what a configuration in YAML refers to, and checks that each
// tenant has its own secret.
func tenants(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "tenants.yaml"))
	if err != nil {
		return err
	}
	os.Setenv("CREDENTIALS_DIRECTORY", filepath.Join(dir, "credentials"))
	var config struct{ Tenants map[string]load.Ref }
	if err := yaml.Unmarshal(text, &config); err != nil {
		return err
	}
	for name, ref := range config.Tenants {
		e, err := ref.Resolve(context.Background())
		if err != nil {
			return err
		}
		kept = append(kept, e)
		err = e.Use(func(secret []byte) error {
			if !bytes.HasPrefix(secret, []byte(name+" ")) {
				return errors.New("another tenant's secret")
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	kept = append(kept, &config)
	_, err = enclave.NewRandom(32)
	return err
}

// A server's 10,000 tenants, from files, fields of JSON, the environment and
// systemd's credentials, named by a configuration in YAML, as nobody under 64 KiB.
func TestTenantsOfAConfigurationLeaveNothing(t *testing.T) {
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
	s := prepare(t, "tenants", false)
	marker := text(32) // every tenant's secret has it
	s.ours = [][]byte{marker}
	put := func(folder, name, content string) string {
		path := filepath.Join(s.dir, folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, folder := range []string{"files", "credentials"} {
		if err := os.Mkdir(filepath.Join(s.dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var config bytes.Buffer
	fmt.Fprintln(&config, "tenants:")
	for i := range n {
		name := fmt.Sprintf("t%d", i)
		secret := fmt.Sprintf("%s %s", name, marker)
		var ref string
		switch {
		case i%100 == 0:
			s.cmd.Env = append(s.cmd.Env, tenantsEnv+name+"="+secret)
			ref = "env:" + tenantsEnv + name
		case i%100 == 1:
			put("credentials", name, secret+"\n")
			ref = "credential:" + name
		case i%2 == 0:
			ref = "file:" + put("files", name+".json", fmt.Sprintf(`{"user":"x","password":%q}`, secret)) + "#password"
		default:
			ref = "file:" + put("files", name, secret+"\n")
		}
		fmt.Fprintf(&config, "  %s: %s\n", name, ref)
	}
	put("", "tenants.yaml", config.String())
	s.limit()
	memory := s.memory()
	if count(memory, s.usual) == 0 {
		t.Error("the scan does not find the control: it proves nothing")
	}
	if c := count(memory, s.ours); c > 0 {
		t.Errorf("%d copies of %d tenants' secrets are left", c, n)
	}
	t.Logf("%d tenants, 0 copies expected, %d found", n, count(memory, s.ours))
}
