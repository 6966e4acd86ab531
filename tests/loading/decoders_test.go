package loading

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/caarlos0/env/v11"
	"gopkg.in/yaml.v3"

	"github.com/memkeep/memkeep/enclave/load"
)

// A config holds references as programs would.
type config struct {
	Name     string              `yaml:"name" toml:"name" json:"name" env:"NAME"`
	Password load.Ref            `yaml:"password" toml:"password" json:"password" env:"PASSWORD"`
	Key      *load.Ref           `yaml:"key" toml:"key" json:"key" env:"KEY"`
	Unset    load.Ref            `yaml:"unset,omitempty" toml:"unset,omitzero" json:"unset,omitzero" env:"UNSET"`
	Tenants  map[string]load.Ref `yaml:"tenants" toml:"tenants" json:"tenants"`
	List     []load.Ref          `yaml:"list" toml:"list" json:"list"`
}

func ref(t *testing.T, text string) load.Ref {
	t.Helper()
	r, err := load.ParseRef(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func want(t *testing.T) config {
	key := ref(t, "credential:key#/a/0")
	return config{
		Name:     "db",
		Password: ref(t, "file:/run/secrets/db"),
		Key:      &key,
		Tenants:  map[string]load.Ref{"a": ref(t, "env:A"), "b": ref(t, `cmd:["op","read","a b"]`)},
		List:     []load.Ref{ref(t, "fd:3"), ref(t, "file:/x")},
	}
}

func TestDecodersReadAndWriteReferences(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		marshal   func(any) ([]byte, error)
		unmarshal func([]byte, any) error
		text      string
	}{
		"encoding/json": {json.Marshal, json.Unmarshal, `{"name":"db","password":"file:/run/secrets/db","key":"credential:key#/a/0",
			"tenants":{"a":"env:A","b":"cmd:[\"op\",\"read\",\"a b\"]"},"list":["fd:3","file:/x"]}`},
		"yaml.v3": {yaml.Marshal, yaml.Unmarshal, "name: db\npassword: file:/run/secrets/db\nkey: credential:key#/a/0\n" +
			"tenants:\n  a: env:A\n  b: 'cmd:[\"op\",\"read\",\"a b\"]'\nlist:\n- fd:3\n- file:/x\n"},
		"BurntSushi/toml": {toml.Marshal, toml.Unmarshal, "name = 'db'\npassword = 'file:/run/secrets/db'\nkey = 'credential:key#/a/0'\n" +
			"list = ['fd:3', 'file:/x']\n[tenants]\na = 'env:A'\nb = 'cmd:[\"op\",\"read\",\"a b\"]'\n"},
	} {
		var got, again config
		if err := c.unmarshal([]byte(c.text), &got); err != nil || !reflect.DeepEqual(got, want(t)) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		raw, err := c.marshal(got)
		if err == nil {
			err = c.unmarshal(raw, &again)
		}
		if err != nil || !reflect.DeepEqual(again, want(t)) {
			t.Errorf("%s: written as %s, it is %+v, %v", name, raw, again, err)
		}

		// Somebody put the secret itself there.
		const secret = "hunter2"
		err = c.unmarshal([]byte(strings.Replace(c.text, "file:/run/secrets/db", secret, 1)), &got)
		if !errors.Is(err, load.ErrInvalidRef) && (err == nil || !strings.Contains(err.Error(), load.ErrInvalidRef.Error())) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %q shows the secret", name, err)
		}
	}
}

func TestAnEnvironmentLibraryReadsReferences(t *testing.T) {
	t.Parallel()
	var got config
	err := env.ParseWithOptions(&got, env.Options{Environment: map[string]string{
		"NAME": "db", "PASSWORD": "file:/run/secrets/db", "KEY": "credential:key#/a/0",
	}})
	w := want(t)
	w.Tenants, w.List = nil, nil
	if err != nil || !reflect.DeepEqual(got, w) {
		t.Errorf("%+v, %v", got, err)
	}
	err = env.ParseWithOptions(&got, env.Options{Environment: map[string]string{"PASSWORD": "hunter2"}})
	if err == nil || !strings.Contains(err.Error(), load.ErrInvalidRef.Error()) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}
