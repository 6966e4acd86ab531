package report

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot/vg"
)

// times is a cell with one sample for each time, in ns; 0 for a repeat that is
// missing.
func times(k Key, ns ...int64) *Cell {
	c := &Cell{Key: k}
	for i, t := range ns {
		if t > 0 {
			c.Samples = append(c.Samples, Sample{Repeat: i, Ops: 10, Ns: 10 * t})
		}
	}
	return c
}

func TestMedianAndQuartilesOfKnownFigures(t *testing.T) {
	s := SpreadOf([]float64{9, 1, 3, 7, 5})
	if s.Median != 5 || s.Low != 3 || s.High != 7 || s.Smallest != 1 || s.Greatest != 9 || s.N != 5 {
		t.Errorf("%+v", s)
	}
	if s := SpreadOf([]float64{1, 2}); s.Median != 1.5 {
		t.Errorf("the median of 1 and 2 is %v", s.Median)
	}
	if s := SpreadOf(nil); s.N != 0 || !math.IsNaN(s.Median) {
		t.Errorf("the spread of nothing is %+v", s)
	}
}

// The machine was ten times slower in the second repeat, for both.
func TestRatiosAreTakenWithinEachRepeat(t *testing.T) {
	a := times(Key{Line: "a"}, 100, 1000, 100, 130)
	b := times(Key{Line: "b"}, 50, 500, 50, 0)
	if r := Ratio(a, b); r.N != 3 || r.Smallest != 2 || r.Greatest != 2 {
		t.Errorf("%+v, want 2 in each of three repeats", r)
	}
	if r := Ratio(a, nil); r.N != 0 {
		t.Errorf("a ratio to nothing: %+v", r)
	}
}

func openKey(line string, size int) Key {
	return Key{Workload: Open, Line: line, Size: size, Goroutines: 1}
}

func sampleResults() *Results {
	parallel := func(line string, n int) Key { return Key{Workload: Parallel, Line: line, Size: 32, Goroutines: n} }
	populated := func(line string, n int, f Footprint) *Cell {
		f.Secrets = n
		return &Cell{Key: Key{Workload: Populate, Line: line, Size: 32, Secrets: n}, Samples: []Sample{{Ops: int64(n), Ns: 100, Footprint: &f}}}
	}
	r := &Results{
		Contenders: []Contender{
			{Name: "memkeep", Lines: []string{"memkeep Use", "memkeep Open"}},
			{Name: "memguard", Lines: []string{"memguard"}},
			{Name: "bare", Lines: []string{"bare"}},
			{Name: "absent", Lines: []string{"absent"}, Skipped: "not here"},
			{Name: "liar", Lines: []string{"liar"}, Rejected: "opens anything"},
		},
		Cells: []*Cell{
			times(openKey("memkeep Use", 32), 120, 120), times(openKey("memkeep Use", 65536), 1300, 1300),
			times(openKey("memkeep Open", 32), 1000, 1000), times(openKey("memkeep Open", 65536), 2000),
			times(openKey("memguard", 32), 50_000, 50_000), times(openKey("memguard", 65536), 90_000),
			times(openKey("bare", 32), 100, 100), times(openKey("bare", 65536), 1000, 1000),
			times(Key{Workload: Seal, Line: "memkeep", Size: 32, Goroutines: 1}, 100),
			times(Key{Workload: Seal, Line: "memguard", Size: 32, Goroutines: 1}, 12_000),
			times(Key{Workload: Seal, Line: "bare", Size: 32, Goroutines: 1}, 90),
			times(parallel("memkeep Use", 1), 100), times(parallel("memkeep Use", 2), 50),
			times(parallel("bare", 1), 100), times(parallel("bare", 2), 50),
			populated("memkeep", 10, Footprint{Heap: 5000, Locked: 40960}),
			populated("memkeep", 1000, Footprint{Heap: 70_000, Locked: 40960}),
			populated("memguard", 10, Footprint{Heap: 5000, Locked: 12288}),
			populated("memguard", 1000, Footprint{Heap: 120_000, Locked: 12288}),
			{Key: openKey("liar", 32), Error: "not timed: opens anything"},
		},
	}
	r.Environment.Command, r.Environment.Repeats = "go run ./benchmarks -x", 2
	return r
}

func TestTargetsAreJudgedByTheirBounds(t *testing.T) {
	want := map[string]string{
		"its key schedule kept": "met", // 1.2
		"Destroy ÷ Use":         "met, stretch too",
		"Destroy ÷ Open":        "met",
		"NewEnclave":            "met",
		"2 goroutines":          "met, stretch too",
		"heap for each":         "met", // 70
		"locked bytes":          "met, stretch too",
		"64 KiB secret":         "**missed**", // 1.3
	}
	r := sampleResults()
	targets := Targets(r)
	if len(targets) != len(want) {
		t.Fatalf("%d targets", len(targets))
	}
	for what, verdict := range want {
		found := false
		for _, x := range targets {
			if strings.Contains(x.What, what) {
				found = true
				if x.Verdict != verdict {
					t.Errorf("%s: measured %s, goal %s, stretch %s: %q, want %q", x.What, x.Measured, x.Goal, x.Stretch, x.Verdict, verdict)
				}
			}
		}
		if !found {
			t.Errorf("no target speaks of %q", what)
		}
	}
	r.Find(Key{Workload: Populate, Line: "memkeep", Size: 32, Secrets: 1000}).footprint().Locked++
	if x := lockedBytes(r); x.Verdict != "**missed**" {
		t.Errorf("one byte more with many secrets: %q", x.Verdict)
	}
	for _, x := range Targets(new(Results)) {
		if x.Verdict != "not measured" {
			t.Errorf("%s of an empty run: %q", x.What, x.Verdict)
		}
	}
}

func TestResultsComeBackAsTheyWereWritten(t *testing.T) {
	folder, r := t.TempDir(), sampleResults()
	if err := r.Write(folder); err != nil {
		t.Fatal(err)
	}
	got, err := Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	if Section(got, "x") != Section(r, "x") || len(got.Cells) != len(r.Cells) {
		t.Error("what was read gives another section")
	}
}

func TestTheSectionNamesWhoFailedAndWhoWasSkipped(t *testing.T) {
	s := Section(sampleResults(), "benchmarks/results")
	for _, want := range []string{"go run ./benchmarks -x", "| absent | skipped: not here |", "| liar | fails: not timed: opens anything |",
		"| memkeep Use | 120 ns | 1.20× |", "(benchmarks/results/" + timeBySizeFile + ")"} {
		if !strings.Contains(s, want) {
			t.Errorf("does not say %q:\n%s", want, s)
		}
	}
}

func TestUpdateReplacesTheSectionAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte("before\n"+sectionBegin+"old"+sectionEnd+"\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := sampleResults()
	if err := UpdateReadme(r, path, "x"); err != nil {
		t.Fatal(err)
	}
	got, err := ReadmeSection(path)
	if err != nil || got != Section(r, "x") {
		t.Errorf("the section is %q, %v", got, err)
	}
	text, _ := os.ReadFile(path) // it was just read
	if !strings.HasPrefix(string(text), "before\n"+sectionBegin) || !strings.HasSuffix(string(text), sectionEnd+"\nafter\n") {
		t.Errorf("the rest changed: %s", text)
	}
	if err := os.WriteFile(path, []byte("no markers"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := UpdateReadme(r, path, "x"); err == nil {
		t.Error("a file without markers is no error")
	}
}

func TestPlotsAreDrawnFromWhatThereIs(t *testing.T) {
	folder := t.TempDir()
	if err := Plots(sampleResults(), folder); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(filepath.Join(folder, timeBySizeFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{timeBySizeTitle, "memkeep Use", "memguard", "65,536"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the plot does not say %q", want)
		}
	}
	if err := Plots(new(Results), t.TempDir()); err != nil {
		t.Errorf("of an empty run: %v", err)
	}
}

func TestLabelsDoNotOverlap(t *testing.T) {
	var labels []label
	for i := range 10 {
		at := vg.Point{Y: vg.Length(50 + i%3)}
		labels = append(labels, label{from: at, at: at})
	}
	spread(labels, 12, 0, 200)
	for i, l := range labels {
		if l.at.Y < -0.1 || l.at.Y > 200.1 {
			t.Errorf("label %d lies at %v, outside", i, l.at.Y)
		}
		if i > 0 && l.at.Y-labels[i-1].at.Y < 11.5 {
			t.Errorf("labels %d and %d lie %v apart", i-1, i, l.at.Y-labels[i-1].at.Y)
		}
	}
}

func TestFiguresAreWrittenInTheirUnits(t *testing.T) {
	for got, want := range map[string]string{
		duration(333):        "333 ns",
		duration(1990):       "1.99 µs",
		duration(62_600):     "62.6 µs",
		duration(4.2e9):      "4.20 s",
		duration(math.NaN()): none,
		count(1234567):       "1,234,567",
		count(12):            "12",
		bytesOf(-1):          none,
		perSecond(100):       "10.0 M/s",
		axisTime(500_000):    "500 µs",
		axisTime(0):          "0 ns",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
