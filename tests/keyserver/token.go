package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/tests/keyserver/internal/api"
)

// maxSecretFile is the size of the largest file that readSecret takes, in bytes.
const maxSecretFile = 1024

// loadToken reads the API's token from the file that the options name. It returns
// nil if they name none.
func loadToken(o options, session *enclave.Session) (*api.Token, error) {
	if o.tokenFile == "" {
		return nil, nil
	}
	t := &api.Token{}
	return t, reloadToken(o, session, t)
}

// reloadToken reads the token again. After an error it stays as it was.
func reloadToken(o options, session *enclave.Session, t *api.Token) error {
	e, err := readSecret(session, o.tokenFile)
	if err != nil {
		return fmt.Errorf("the token: %w", err)
	}
	t.Set(e)
	return nil
}

// readSecret reads a file of one line, which is a secret, straight into locked
// memory. The end of the line is no part of it.
func readSecret(session *enclave.Session, path string) (*enclave.Enclave, error) {
	// Before it is opened: to open a FIFO may take for ever.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	b, err := session.ReadAll(io.LimitReader(file, maxSecretFile+1))
	if errors.Is(err, enclave.ErrNothingRead) {
		return nil, fmt.Errorf("%s is empty", path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var e *enclave.Enclave
	err = b.Use(func(secret []byte) error {
		line := bytes.TrimSuffix(bytes.TrimSuffix(secret, []byte("\n")), []byte("\r"))
		switch {
		case len(secret) > maxSecretFile:
			return fmt.Errorf("%s has more than %d bytes", path, maxSecretFile)
		case len(line) == 0:
			return fmt.Errorf("%s is empty", path)
		case bytes.ContainsAny(line, "\r\n"):
			return fmt.Errorf("%s has more than one line", path)
		}
		var err error
		e, err = session.NewCopy(line)
		return err
	})
	return e, errors.Join(err, b.Destroy())
}
