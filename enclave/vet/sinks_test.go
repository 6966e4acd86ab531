package vet

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestEveryFunctionThatCopiesAKeyIsInTheTestData(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/src/libraries/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text...)
	}
	for name := range ciphers {
		if want := "want `" + short(name) + " copies the secret"; !bytes.Contains(all, []byte(want)) {
			t.Errorf("no test data has %q", want)
		}
	}
}
