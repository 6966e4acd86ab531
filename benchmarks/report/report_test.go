package report

import (
	"math"
	"os"
	"path/filepath"
	"slices"
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

func head(line string, size, awake int) Key {
	return Key{Workload: Headline, Line: line, Size: size, Goroutines: 1, Awake: awake}
}

func cipherKey(workload, line string, size int) Key {
	return Key{Workload: workload, Line: line, Size: size}
}

func crowdKey(workload string, n int) Key {
	return Key{Workload: workload, Line: "memkeep Use", Size: 32, Goroutines: n, Limit: 65536}
}

func limitKey(line string) Key {
	return Key{Workload: LimitOpen, Line: line, Size: 16384, Goroutines: 1, Limit: 65536}
}

func sampleRuns() []Run { return []Run{{"amd-zen4", sampleResults()}} }

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
			times(head(HeadUse, 32, 0), 110, 110), times(head(HeadBareOpen, 32, 0), 100, 100),
			times(head(HeadNew, 32, 0), 120), times(head(HeadBareSeal, 32, 0), 100),
			times(head(HeadOpen, 32, 0), 2000), times(head(HeadFloorOpen, 32, 0), 2000),
			times(head(HeadOpen, 32, 1), 33_000), times(head(HeadFloorOpen, 32, 1), 30_000),
			times(head(HeadNew, 65536, 0), 1300), times(head(HeadFloorSeal, 65536, 0), 1000),
			times(cipherKey(CipherOpen, LineCipher, 32), 101), times(cipherKey(CipherOpen, lineXCrypto, 32), 100),
			times(cipherKey(CipherOpen, LineCipher, 65536), 79), times(cipherKey(CipherOpen, lineXCrypto, 65536), 100),
			times(cipherKey(CipherSeal, LineCipher, 32), 107), times(cipherKey(CipherSeal, lineXCrypto, 32), 100),
			times(crowdKey(LimitCrowd, 100), 100), times(crowdKey(LimitCrowd, 10_000), 100),
			times(crowdKey(LimitYield, 100), 100), times(crowdKey(LimitYield, 10_000), 300),
			times(crowdKey(LimitCrowd, 100_000), 200),
			times(limitKey("memkeep Use"), 290), times(limitKey("bare"), 100),
		},
	}
	r.Environment.Command, r.Environment.Repeats = "go run ./benchmarks -x", 2
	return r
}

func TestTargetsAreJudgedByTheirBounds(t *testing.T) {
	want := map[string]string{
		"open, 32 B":            "**missed**", // 1.01
		"open, 256 B":           "not measured",
		"open, 1,024 B":         "not measured",
		"open, 65,536 B":        "met, stretch too", // 0.79
		"whatever the size":     "**missed**",       // 1.07
		"Use ÷ the bare":        "met",              // 1.1
		"New ÷ the bare":        "**missed**",       // 1.2
		"New of 64 KiB":         "met",              // 1.3
		"process alone":         "met, stretch too", // 1.0
		"another thread awake":  "**missed**",       // 1.1
		"2 goroutines":          "met, stretch too",
		"Use of 16 KiB":         "met", // 2.9
		"10,000 goroutines":     "met, stretch too",
		"10,000 that yield":     "**missed**", // 0.33
		"100,000 goroutines":    "met",        // 0.5
		"100,000 that yield":    "not measured",
		"heap for each":         "met", // 70
		"locked bytes with few": "met, stretch too",
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
	if Section([]Run{{"p", got}}, "x") != Section([]Run{{"p", r}}, "x") || len(got.Cells) != len(r.Cells) {
		t.Error("what was read gives another section")
	}
}

func TestTheSectionHasAColumnForEachProcessor(t *testing.T) {
	older := sampleResults()
	older.Cells = slices.DeleteFunc(older.Cells, func(c *Cell) bool { return c.Workload == Headline })
	s := Section(append(sampleRuns(), Run{"intel-6-1", older}), "benchmarks/results")
	for _, want := range []string{
		"[AMD Zen 4](benchmarks/results/amd-zen4) | [intel-6-1](benchmarks/results/intel-6-1) |",
		"| `Use`: decrypt, read, wipe | 110 ns, 1.10× bare | 120 ns, 1.20× bare |",
		"| `Open`, read, `Destroy` | 2.00 µs, 1.00× floor | 1.00 µs |",
		"| … with another thread awake | 33.0 µs, 1.10× floor | – |",
		"| absent: open, read, close | skipped: not here |",
		"| liar: open, read, close | fails: opens anything |",
		"(benchmarks/results/amd-zen4/" + timeBySizeFile + ")",
	} {
		if !strings.Contains(s, want) {
			t.Errorf("does not say %q:\n%s", want, s)
		}
	}
}

func TestAProcessorIsNamedByItsMakeOrItsNumbers(t *testing.T) {
	for _, c := range []struct {
		vendor        string
		family, model int
		want          string
	}{
		{"AuthenticAMD", 25, 17, "amd-zen4"},
		{"AuthenticAMD", 25, 1, "amd-zen3"},
		{"AuthenticAMD", 26, 2, "amd-zen5"},
		{"GenuineIntel", 6, 143, "intel-sapphirerapids"},
		{"GenuineIntel", 6, 1, "intel-6-1"},
		{"Somebody", 1, 2, "somebody-1-2"},
	} {
		if got := processorOf(c.vendor, c.family, c.model); got != c.want {
			t.Errorf("%s %d %d is called %q, want %q", c.vendor, c.family, c.model, got, c.want)
		}
	}
	if Processor() == "" {
		t.Error("this machine's processor has no name")
	}
}

func TestARunsPageNamesItsCommandAndWhatItMissed(t *testing.T) {
	folder := t.TempDir()
	if err := WriteRun(sampleResults(), "amd-zen4", folder); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(folder, RunFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# AMD Zen 4", "go run ./benchmarks -x", "**missed**", "(" + timeBySizeFile + ")", "NOT TIMED, it broke a promise: opens anything"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("does not say %q:\n%s", want, page)
		}
	}
}

func TestUpdateReplacesTheSectionAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "README.md")
	if err := os.WriteFile(path, []byte("before\n"+sectionBegin+"old"+sectionEnd+"\nafter\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	r := sampleRuns()
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
	for _, want := range []string{timeBySizeTitle, "memkeep Use", "memguard", "65,536", "both axes: log scale"} {
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
