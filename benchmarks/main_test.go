package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/memkeep/memkeep/benchmarks/contenders"
	"github.com/memkeep/memkeep/benchmarks/report"
	"github.com/memkeep/memkeep/benchmarks/workload"
)

// The test binary is the children's program too.
func TestMain(m *testing.M) {
	workload.Child()
	os.Exit(m.Run())
}

func TestQuickRunMeasuresEveryContenderAndWritesItsFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: -short")
	}
	folder := t.TempDir()
	var out, progress bytes.Buffer
	if err := run(t.Context(), []string{"-quick", "-out", folder}, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, &progress)
	}
	r, err := report.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Contenders {
		if c.Rejected != "" {
			t.Errorf("%s was not timed: %s", c.Name, c.Rejected)
		}
	}
	for _, l := range contenders.Lines() {
		if l.Skipped != "" {
			t.Log("SKIPPED: " + l.Label() + ": " + l.Skipped)
			continue
		}
		for _, k := range []report.Key{
			{Workload: report.Open, Line: l.Label(), Size: 32, Goroutines: 1},
			{Workload: report.Open, Line: l.Label(), Size: 65536, Goroutines: 1},
			{Workload: report.Seal, Line: l.Name, Size: 32, Goroutines: 1},
			{Workload: report.Parallel, Line: l.Label(), Size: 32, Goroutines: 8},
			{Workload: report.Latency, Line: l.Label(), Size: 32, Goroutines: 1},
			{Workload: report.Populate, Line: l.Name, Size: 32, Secrets: 1000},
			{Workload: report.First, Line: l.Name, Size: 32},
		} {
			c := r.Find(k)
			switch {
			case c == nil:
				t.Errorf("%+v: not in the results", k)
			case l.Name == contenders.Memkeep && c.Error != "":
				t.Errorf("%+v: %s", k, c.Error)
			case c.Error == "" && len(c.Samples) == 0:
				t.Errorf("%+v: neither measured nor failed", k)
			}
			if !strings.Contains(out.String(), l.Label()) {
				t.Errorf("%s is not in the tables", l.Label())
			}
		}
	}
	for _, target := range report.Targets(r) {
		// A full run alone has 100,000.
		if strings.Contains(target.Verdict, "not measured") && !strings.Contains(target.What, "locked bytes") && !strings.Contains(target.What, "100,000") {
			t.Errorf("no figure for the target %q", target.What)
		}
	}
	plots, _ := filepath.Glob(filepath.Join(folder, "*.svg")) // the pattern is well-formed
	if len(plots) < 3 {
		t.Errorf("only %d plots", len(plots))
	}
	page, err := os.ReadFile(filepath.Join(folder, report.RunFile))
	if err != nil || !strings.Contains(string(page), r.Environment.Command) {
		t.Errorf("the run's page does not name the command: %v", err)
	}
}

func TestAnInterruptedRunEndsWithoutResults(t *testing.T) {
	folder := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := run(ctx, []string{"-quick", "-out", folder}, new(bytes.Buffer), new(bytes.Buffer))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ends with %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, report.File)); err == nil {
		t.Error("has written results")
	}
}

// The figures in the README come from the files that the command wrote.
func TestReadmeShowsTheCommittedResults(t *testing.T) {
	root, err := findRoot()
	if err != nil {
		t.Fatal(err)
	}
	runs, err := report.ReadAll(filepath.Join(root, published))
	if err != nil {
		t.Fatal(err)
	}
	got, err := report.ReadmeSection(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := report.Section(runs, published); got != want {
		t.Errorf("the README's section is not what %s gives: go run ./benchmarks -readme\nhas:\n%s\nwant:\n%s", published, got, want)
	}
}
