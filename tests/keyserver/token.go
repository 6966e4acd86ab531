package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/memkeep/memkeep/enclave/load"
)

// maxToken is the size of the longest token, in bytes.
const maxToken = 1024

// tokenName is what the token is called among the sources.
const tokenName = "token"

// followToken reads the API's token and follows its source.
func (s *sources) followToken(ref load.Ref) (err error) {
	s.token, err = load.NewRotating(s.ctx, ref, load.RotatingConfig{
		Loader: s.loader, Interval: s.interval,
		Check:    checkToken,
		OnReload: func(stats load.RotatingStats) { s.note(tokenName, stats.LastError) },
	})
	return err
}

// checkToken refuses what no header can hold.
func checkToken(token []byte) error {
	switch {
	case len(token) > maxToken:
		return fmt.Errorf("it has more than %d bytes", maxToken)
	case bytes.ContainsAny(token, "\r\n"):
		return errors.New("it has more than one line")
	case bytes.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("it has a space, or a character that is not ASCII")
	}
	return nil
}

// pathOf returns the path of a reference's file, for a shell; empty if it has none.
func pathOf(ref load.Ref) string {
	kind, arg, _ := strings.Cut(ref.String(), ":")
	arg, _, _ = strings.Cut(arg, "#")
	switch kind {
	case "file":
		return arg
	case "credential":
		return filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), arg)
	}
	return ""
}
