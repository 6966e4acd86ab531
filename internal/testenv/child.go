package testenv

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"testing"
)

// StartChild starts cmd, and returns its input and output. What it says on its standard
// error passes through. When the test ends, StartChild closes the input, which is to end
// the child, and waits for it.
func StartChild(t testing.TB, cmd *exec.Cmd) (io.Writer, *bufio.Reader) {
	t.Helper()
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the child: %v", err)
		}
	})
	return in, bufio.NewReader(out)
}
