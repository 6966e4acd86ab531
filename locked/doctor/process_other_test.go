//go:build !linux && !ios

package main

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
)

// beServer is for Linux.
func beServer() {}

func TestAnotherProcessIsNotSeenOnThisSystem(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	status := run([]string{"-pid", "1"}, examine, &out, &errs)
	if status != noReport || out.Len() > 0 || !strings.Contains(errs.String(), runtime.GOOS+" shows no other process's memory: unsupported operation") {
		t.Errorf("exit status %d, output %q, errors %q", status, &out, &errs)
	}
}
