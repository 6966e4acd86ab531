package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/memkeep/memkeep/benchmarks/contenders"
	"github.com/memkeep/memkeep/benchmarks/report"
	"github.com/memkeep/memkeep/benchmarks/workload"
)

// keysGroup is the name of the group of keys, and of the measurement of the key
// server.
const keysGroup = "keys"

// keys is keys of enclave/keys beside the standard library's, both in one process.
func (p Plan) keys() group {
	g := group{name: keysGroup, fresh: true}
	add := func(name, algorithm string, op workload.Op, goroutines int) {
		for _, line := range []string{report.LineKeys, report.LineHeapKeys} {
			g.cells = append(g.cells, p.cell(memkeepLine(contenders.Use), line, report.Key{Workload: name, Goroutines: goroutines},
				workload.Request{Op: op, Algorithm: algorithm, Heap: line == report.LineHeapKeys}))
		}
	}
	for _, algorithm := range []string{workload.Ed25519, workload.ECDSAP256, workload.RSA2048, workload.HMACSHA256} {
		for _, n := range []int{1, 2, 64} {
			add(report.KeysSign+algorithm, algorithm, workload.OpSign, n)
		}
	}
	for _, algorithm := range []string{workload.Ed25519, workload.ECDSAP256} {
		add(report.KeysHandshake+algorithm, algorithm, workload.OpHandshake, 1)
	}
	return g
}

// The key server's own benchmark, in which short rounds of this server and of a plain
// one take turns.
const (
	keyserverPackage = "github.com/memkeep/memkeep/tests/keyserver/internal/api"
	keyserverRounds  = 12 // of each repeat
)

// keyserver measures the signatures a second of the tests' key server beside the same
// server with the standard library's keys on the heap.
func (r *runner) keyserver(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "memkeep-keyserver-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	cells := make(map[string]*report.Cell)
	for _, algorithm := range []string{"ed25519", "hmac-sha256"} {
		for _, line := range []string{report.LineKeys, report.LineHeapKeys} {
			c := &report.Cell{Key: report.Key{Workload: report.Keyserver + algorithm, Line: line, Goroutines: 32}}
			cells[algorithm+line] = c
			r.results.Cells = append(r.results.Cells, c)
		}
	}
	program := filepath.Join(folder, "keyserver.test")
	out, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, keyserverPackage).CombinedOutput()
	if err == nil {
		err = r.repeatKeyserver(ctx, program, cells)
	} else {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil { // it is written down, and the run goes on
		for _, c := range cells {
			c.Error = err.Error()
		}
	}
	return nil
}

var keyserverLine = regexp.MustCompile(`BenchmarkSign/(\S+?)(?:-\d+)?\s.*\s([0-9.e+]+) plain-ratio\s+([0-9.e+]+) signatures/s`)

func (r *runner) repeatKeyserver(ctx context.Context, program string, cells map[string]*report.Cell) error {
	for repeat := range r.Repeats {
		r.progress.Begin("the key server")
		out, err := exec.CommandContext(ctx, program, "-test.run=^$", "-test.bench=^BenchmarkSign$",
			"-test.benchtime="+strconv.Itoa(keyserverRounds)+"x").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, bytes.TrimSpace(out))
		}
		found := keyserverLine.FindAllSubmatch(out, -1)
		if len(found) == 0 {
			return errors.New("the key server's benchmark says nothing")
		}
		for _, f := range found {
			ratio, err := strconv.ParseFloat(string(f[2]), 64)
			if err != nil {
				return err
			}
			rate, err := strconv.ParseFloat(string(f[3]), 64)
			if err != nil {
				return err
			}
			for line, ns := range map[string]float64{report.LineKeys: 1e9 / rate, report.LineHeapKeys: 1e9 / rate * ratio} {
				const ops = 1000
				c := cells[string(f[1])+line]
				if c == nil {
					return fmt.Errorf("the key server's benchmark measures %s", f[1])
				}
				c.Samples = append(c.Samples, report.Sample{Repeat: repeat, Ops: ops, Ns: int64(ns * ops)})
			}
		}
	}
	return nil
}
