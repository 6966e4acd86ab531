package harness

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/memkeep/memkeep/benchmarks/contenders"
	"github.com/memkeep/memkeep/benchmarks/report"
	"github.com/memkeep/memkeep/benchmarks/workload"
)

// The test binary is the children's program too.
func TestMain(m *testing.M) {
	workload.Child()
	os.Exit(m.Run())
}

func child(t *testing.T, name string) *process {
	t.Helper()
	p, err := start(t.Context(), name, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.end(0) })
	return p
}

func TestAChildThatDiesIsReportedWithItsReason(t *testing.T) {
	_, err := child(t, "no such thing").ask(t.Context(), workload.Request{Op: workload.OpOpen, Size: 32}, time.Minute)
	var gone *goneError
	if !errors.As(err, &gone) || !strings.Contains(err.Error(), `no contender is called "no such thing"`) {
		t.Errorf("reported as %v", err)
	}
}

func TestAChildThatHangsIsReportedAndEnded(t *testing.T) {
	p := child(t, contenders.Bare)
	// It takes a minute over this, which nobody waits for.
	_, err := p.ask(t.Context(), workload.Request{Op: workload.OpOpen, Size: 32, For: time.Minute}, 50*time.Millisecond)
	var gone *goneError
	if !errors.As(err, &gone) || !strings.Contains(err.Error(), "hangs") {
		t.Errorf("reported as %v", err)
	}
	if p.cmd.ProcessState == nil {
		t.Error("the child still runs")
	}
}

func TestAnErrorOfAContenderLeavesItsProcessAlive(t *testing.T) {
	p := child(t, contenders.Bare)
	if _, err := p.ask(t.Context(), workload.Request{Op: workload.OpMix}, time.Minute); err == nil {
		t.Error("a mix over nothing is measured")
	}
	s, err := p.ask(t.Context(), workload.Request{Op: workload.OpOpen, Size: 32, For: time.Millisecond}, time.Minute)
	if err != nil || s.Ops == 0 || s.Elapsed <= 0 {
		t.Errorf("then: %+v, %v", s, err)
	}
}

func TestInterruptionEndsAQuestion(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := child(t, contenders.Bare).ask(ctx, workload.Request{Op: workload.OpOpen, Size: 32, For: time.Minute}, time.Hour)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("ends with %v", err)
	}
}

func TestPlansMeasureEveryLineInEveryGroup(t *testing.T) {
	full := Full()
	if full.Repeats < 10 {
		t.Errorf("%d repeats are too few to publish", full.Repeats)
	}
	found := map[report.Key]bool{}
	for _, g := range full.groups() {
		for _, c := range g.cells {
			if found[c.Key] {
				t.Errorf("%+v is measured twice", c.Key)
			}
			found[c.Key] = true
		}
	}
	each(func(l contenders.Line) {
		for _, size := range full.Sizes {
			if !found[report.Key{Workload: report.Open, Line: l.Label(), Size: size, Goroutines: 1}] {
				t.Errorf("%s is not opened at %d bytes", l.Label(), size)
			}
		}
		for _, n := range full.Goroutines {
			if !found[report.Key{Workload: report.Parallel, Line: l.Label(), Size: smallest, Goroutines: n}] {
				t.Errorf("%s is not opened by %d goroutines", l.Label(), n)
			}
		}
	})
}

func TestAContenderThatBreaksAPromiseIsNotTimed(t *testing.T) {
	r := &runner{Plan: Quick(), results: new(report.Results), rejected: map[string]string{contenders.Bare: "it lies"}}
	bare, err := contenders.Find(contenders.Bare)
	if err != nil {
		t.Fatal(err)
	}
	c := r.cell(contenders.Line{Contender: bare, Way: contenders.Use}, "bare", report.Key{Workload: report.Open, Size: 32}, workload.Request{Op: workload.OpOpen})
	r.add([]*cell{c})
	if err := r.measure(t.Context(), group{}, processes{}, c, 0); err != nil {
		t.Fatal(err)
	}
	if len(c.Samples) != 0 || !strings.Contains(c.Error, "it lies") {
		t.Errorf("%+v", c.Cell)
	}
}

func TestWhatBelongsTogetherIsMeasuredTogether(t *testing.T) {
	r := &runner{Plan: Quick(), order: rand.New(rand.NewPCG(1, 1))}
	g := r.headline()
	orders := map[string]bool{}
	for range 20 {
		order := r.turn(g, g.cells)
		seen, last := map[report.Key]bool{}, report.Key{}
		for _, i := range order {
			k := besidesLine(g.cells[i])
			if k != last && seen[k] {
				t.Fatalf("%+v comes in two places", k)
			}
			seen[k], last = true, k
		}
		orders[fmt.Sprint(order)] = true
	}
	if len(orders) < 15 {
		t.Errorf("%d different orders of 20", len(orders))
	}
}
