// Package harness runs the workloads: it starts children, asks them in an order
// that is drawn anew for each repeat, one at a time, and writes down what they
// answer.
package harness

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/memkeep/memkeep/benchmarks/workload"
)

// A process is a child with one contender in it.
type process struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan []byte // closed when the child is gone
	stderr  complaint
}

// command returns the child's command, not started. A limit of zero leaves the
// limit on locked memory as it is.
func command(ctx context.Context, contender string, limit int) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS == "linux" {
		// The folder that the program lies in may be closed to whoever runs it.
		self = "/proc/self/exe"
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), workload.EnvContender+"="+contender)
	if limit > 0 {
		cmd.Env = append(cmd.Env, workload.EnvLimit+"="+strconv.Itoa(limit))
		cmd.SysProcAttr = workload.Unprivileged()
		cmd.Dir = os.TempDir()
	}
	return cmd, nil
}

func start(ctx context.Context, contender string, limit int) (*process, error) {
	cmd, err := command(ctx, contender, limit)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, answers: make(chan []byte)}
	p.cmd.Stderr = &p.stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.answers)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			p.answers <- bytes.Clone(lines.Bytes())
		}
	}()
	return p, nil
}

// A goneError says why the child can't be asked any more.
type goneError struct{ why string }

func (e *goneError) Error() string { return e.why }

// ask sends the request and waits for the sample. A child that does not answer
// in time is killed; the error says so, or what it died of, and the sample is
// the last unfinished one.
func (p *process) ask(ctx context.Context, r workload.Request, limit time.Duration) (workload.Sample, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return workload.Sample{}, err
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		return workload.Sample{}, p.epitaph()
	}
	timeout := time.NewTimer(limit)
	defer timeout.Stop()
	var s workload.Sample
	for {
		select {
		case <-ctx.Done():
			return s, context.Cause(ctx)
		case <-timeout.C:
			_ = p.end(0) // it is killed
			return s, &goneError{fmt.Sprintf("hangs: no answer within %v", limit.Round(time.Millisecond))}
		case answer, ok := <-p.answers:
			if !ok {
				return s, p.epitaph()
			}
			s = workload.Sample{}
			if err := json.Unmarshal(answer, &s); err != nil {
				return s, fmt.Errorf("the child answers %q: %w", answer, err)
			}
			if s.Unfinished {
				continue
			}
			if s.Error != "" {
				return s, errors.New(s.Error)
			}
			return s, nil
		}
	}
}

// epitaph waits for the child and says what it died of.
func (p *process) epitaph() error {
	err := p.end(5 * time.Second)
	if why := p.stderr.reason(); why != "" {
		return &goneError{"dies: " + why}
	}
	return &goneError{fmt.Sprintf("dies: %v", err)}
}

// end closes the child's input, waits for it to end by itself, and kills it when
// that takes too long.
func (p *process) end(patience time.Duration) error {
	_ = p.in.Close() // it may be gone already
	kill := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	for range p.answers { // until its output is closed
	}
	return p.cmd.Wait()
}

// A complaint keeps the beginning of what a child says to stderr, where the reason is.
type complaint struct {
	mu   sync.Mutex // protects text
	text []byte
}

const complaintSize = 64 << 10

func (t *complaint) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.text) < complaintSize {
		t.text = append(t.text, b...)
	}
	return len(b), nil
}

// reason returns the line that says what the child died of.
func (t *complaint) reason() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	first := ""
	for line := range strings.Lines(string(t.text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") || strings.HasPrefix(line, "SIG") {
			return line
		}
		if first == "" {
			first = line
		}
	}
	return first
}
