package load_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/memkeep/memkeep/enclave/load"
)

// mounted makes a folder as a container finds it, for the examples.
func mounted(files map[string]string) (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "secrets")
	if err != nil {
		log.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			log.Fatal(err)
		}
	}
	return dir, func() { _ = os.RemoveAll(dir) }
}

func Example() {
	dir, remove := mounted(map[string]string{"db": "hunter2\n"})
	defer remove()

	password, err := load.File(filepath.Join(dir, "db"))
	if err != nil {
		log.Fatal(err)
	}
	err = password.Use(func(secret []byte) error {
		// Connect with it here.
		fmt.Println(len(secret), "bytes")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(password)
	// Output:
	// 7 bytes
	// [REDACTED 7 bytes]
}

func ExampleDir() {
	dir, remove := mounted(map[string]string{"db": "hunter2\n", "api": "swordfish"})
	defer remove()

	secrets, err := load.Dir(dir)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(secrets["db"], secrets["api"])
	// Output: [REDACTED 7 bytes] [REDACTED 9 bytes]
}

func ExampleField() {
	dir, remove := mounted(map[string]string{"db.json": `{"user": "alice", "password": "hunter2"}`})
	defer remove()

	file, err := load.File(filepath.Join(dir, "db.json"))
	if err != nil {
		log.Fatal(err)
	}
	password, err := load.Field(file, "password")
	if err != nil {
		log.Fatal(err)
	}
	file.Destroy()
	fmt.Println(password)
	// Output: [REDACTED 7 bytes]
}

func ExampleRef() {
	var config struct {
		Listen   string
		Password load.Ref
	}
	text := `{"Listen": ":8080", "Password": "file:/run/secrets/db#password"}`
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		log.Fatal(err)
	}
	fmt.Println(config)

	// password, err := config.Password.Resolve(ctx)

	err := json.Unmarshal([]byte(`{"Password": "hunter2"}`), &config)
	fmt.Println(err)
	// Output:
	// {:8080 file:/run/secrets/db#password}
	// load: reference: invalid: want file:PATH, env:NAME, credential:NAME, fd:NUMBER, cmd:PROGRAM ARGUMENTS or literal:VALUE
}

func ExampleLoader_Resolve() {
	ref, err := load.ParseRef("cmd:pass show db")
	if err != nil {
		log.Fatal(err)
	}
	// Without Commands, Resolve runs nothing.
	loader := load.Loader{Commands: []string{"/usr/bin/op"}}
	_, err = loader.Resolve(context.Background(), ref)
	fmt.Println(err)
	// Output: load: cmd:pass: the program does not allow this command
}

func ExampleNewRotating() {
	dir, remove := mounted(map[string]string{"db": "hunter2"})
	defer remove()

	ref, err := load.ParseRef("file:" + filepath.Join(dir, "db"))
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	password, err := load.NewRotating(ctx, ref, load.RotatingConfig{
		OnReload: func(s load.RotatingStats) {
			fmt.Println("version", s.Version, s.LastError)
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer password.Close()

	// Somebody else writes a new version, and renames it.
	next := filepath.Join(dir, ".next")
	if err := os.WriteFile(next, []byte("correct horse"), 0o600); err != nil {
		log.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(dir, "db")); err != nil {
		log.Fatal(err)
	}
	// It is noticed without that; a program reloads like this on SIGHUP.
	if err := password.Reload(ctx); err != nil {
		log.Fatal(err)
	}
	err = password.Use(func(secret []byte) error {
		fmt.Println(len(secret), "bytes")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// version 2 <nil>
	// 13 bytes
}
