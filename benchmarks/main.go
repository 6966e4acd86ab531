// Command benchmarks measures memkeep beside its peers and beside the bare
// cipher, on this machine, in one run:
//
//	go run ./benchmarks                    # some minutes; writes benchmarks/results/<processor> and the README's section
//	go run -tags libsodium ./benchmarks    # libsodium too: needs cgo and libsodium-dev
//	go run ./benchmarks -huge              # ten million secrets too
//	go run ./benchmarks -quick             # a smoke run of some seconds, nothing to rely on
//	go run ./benchmarks -readme            # the README's section again, from the results that are there
//
// Absolute times mean little on another machine: the ratios are what counts, and
// each is taken within one repeat, between contenders that ran side by side.
//
//	contenders/   who takes part, what each promises, and the check of it
//	workload/     what is done and timed, in a child process for each contender
//	harness/      the plan; children, order, repeats
//	report/       results, tables, plots, targets, the README's section
//
// For a single figure while working on it, go test -bench runs the same
// contenders: see bench_test.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/memkeep/memkeep/benchmarks/harness"
	"github.com/memkeep/memkeep/benchmarks/report"
	"github.com/memkeep/memkeep/benchmarks/workload"
)

func main() {
	workload.Child()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return
		}
		fmt.Fprintln(os.Stderr, "benchmarks:", err)
		os.Exit(1)
	}
}

type options struct {
	quick, readme, huge bool
	out                 string
	only                string
	repeats             int
	cell                time.Duration
	seed                uint64
}

func parse(args []string, errors io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	flags.SetOutput(errors)
	flags.BoolVar(&o.quick, "quick", false, "a smoke run of some seconds: shows that all works, its figures mean nothing")
	flags.BoolVar(&o.readme, "readme", false, "measure nothing: write the plots, the pages and the README's section again, from the results that are there")
	flags.BoolVar(&o.huge, "huge", false, "ten million secrets as well: takes a minute and 2 GiB more")
	flags.StringVar(&o.out, "out", "", "the `folder` for the results (default benchmarks/results/PROCESSOR, whose figures the README shows; a temporary one with -quick)")
	flags.StringVar(&o.only, "only", "", "measure one `group` alone, and publish nothing: "+strings.Join(harness.Groups(), ", "))
	flags.IntVar(&o.repeats, "repeats", 0, "how often each measurement is taken (default 10)")
	flags.DurationVar(&o.cell, "cell", 0, "how long each measurement takes (default 50ms)")
	flags.Uint64Var(&o.seed, "seed", 0, "of the order of measurements (default: drawn)")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("what is %q? see -help", flags.Arg(0))
	}
	if o.only != "" && !slices.Contains(harness.Groups(), o.only) {
		return o, fmt.Errorf("no group is called %q: there are %s", o.only, strings.Join(harness.Groups(), ", "))
	}
	return o, nil
}

func (o options) plan() harness.Plan {
	p := harness.Full()
	if o.quick {
		p = harness.Quick()
	}
	if o.repeats > 0 {
		p.Repeats = o.repeats
	}
	if o.cell > 0 {
		p.Cell = o.cell
	}
	if o.huge {
		p.Growth = append(p.Growth, harness.Huge)
	}
	p.Seed, p.Only = o.seed, o.only
	for p.Seed == 0 {
		p.Seed = rand.Uint64()
	}
	return p
}

// published is where the results lie that the README shows, from the tree's
// root: a folder for each make of processor.
const published = "benchmarks/results"

func run(ctx context.Context, args []string, out, progress io.Writer) error {
	o, err := parse(args, progress)
	if err != nil {
		return err
	}
	root, err := findRoot()
	if err != nil {
		return err
	}
	if o.readme {
		return publish(root)
	}
	results, err := measure(ctx, o, args, progress)
	if err != nil {
		return err
	}
	shown := o.out == "" && !o.quick && o.only == ""
	switch {
	case shown:
		o.out = filepath.Join(root, published, results.Environment.Processor)
	case o.out == "":
		if o.out, err = os.MkdirTemp("", "memkeep-benchmarks-"); err != nil {
			return err
		}
	}
	if err := results.Write(o.out); err != nil {
		return err
	}
	report.Print(out, results)
	fmt.Fprintln(out, "\nResults and plots are in", o.out)
	if shown {
		return publish(root)
	}
	return report.WriteRun(results, results.Environment.Processor, o.out)
}

// publish writes each processor's page, and the README's section.
func publish(root string) error {
	runs, err := report.ReadAll(filepath.Join(root, published))
	if err != nil {
		return err
	}
	for _, r := range runs {
		if err := report.WriteRun(r.Results, r.Processor, filepath.Join(root, published, r.Processor)); err != nil {
			return err
		}
	}
	return report.UpdateReadme(runs, filepath.Join(root, "README.md"), published)
}

func measure(ctx context.Context, o options, args []string, progress io.Writer) (*report.Results, error) {
	plan := o.plan()
	env := report.Observe(commandLine(args))
	stolenBefore, totalBefore := report.Steal()
	began := time.Now()
	results, err := harness.Run(ctx, plan, newProgress(progress))
	if err != nil {
		return nil, err
	}
	if results.Environment.Backend != "" {
		env.Backend = results.Environment.Backend
	}
	env.Duration = time.Since(began).Round(time.Second)
	env.LoadAfter = report.Load()
	if stolen, total := report.Steal(); total > totalBefore {
		env.StealShare = (stolen - stolenBefore) / (total - totalBefore)
	}
	env.Repeats, env.CellTime, env.Quick, env.Seed = plan.Repeats, plan.Cell, plan.Quick, plan.Seed
	results.Environment = env
	report.AddVersions(results)
	return results, nil
}

// commandLine is what was typed, as far as the program can know.
func commandLine(args []string) string {
	command := []string{"go run"}
	if tags := report.Tags(); tags != "" {
		command = append(command, "-tags", tags)
	}
	return strings.Join(append(append(command, "./benchmarks"), args...), " ")
}

// findRoot returns the root of the tree that the program is started in.
func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "benchmarks", "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("start it within the source tree: there the results and the README are")
		}
		dir = filepath.Dir(dir)
	}
}
