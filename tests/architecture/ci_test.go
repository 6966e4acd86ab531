package architecture

import (
	"fmt"
	"go/build"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// read returns a file of the project.
func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// stages returns the names of all stages of .ci/run, sorted.
func stages(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^stage_(\w+)\(\)`).FindAllStringSubmatch(read(t, ".ci/run"), -1) {
		names = append(names, m[1])
	}
	if len(names) < 10 {
		t.Fatalf("only %d stages found: %v", len(names), names)
	}
	slices.Sort(names)
	return names
}

// hours are the stages that run only when they are named.
var hours = []string{"fuzz", "soak"}

// sameStages fails unless where names all stages but those, and nothing else.
func sameStages(t *testing.T, where string, names []string, but ...string) {
	t.Helper()
	all := slices.DeleteFunc(stages(t), func(name string) bool { return slices.Contains(but, name) })
	for _, name := range names {
		if !slices.Contains(all, name) {
			t.Errorf("%s names the stage %q, which .ci/run does not have", where, name)
		}
	}
	for _, name := range all {
		if !slices.Contains(names, name) {
			t.Errorf("%s lacks the stage %q", where, name)
		}
	}
}

func TestEveryStageRunsByDefault(t *testing.T) {
	t.Parallel()
	list := regexp.MustCompile(`stages=\(([^"$)]+)\)`).FindStringSubmatch(read(t, ".ci/run"))
	if list == nil {
		t.Fatal("no list of stages")
	}
	sameStages(t, ".ci/run", strings.Fields(list[1]), hours...)
}

func TestWorkflowRunsEveryStage(t *testing.T) {
	t.Parallel()
	workflow := read(t, ".github/workflows/ci.yml")
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^ *stage: \[(.*)\]$`).FindAllStringSubmatch(workflow, -1) {
		for _, name := range strings.Split(m[1], ",") {
			names = append(names, strings.Trim(name, ` '`))
		}
	}
	for _, m := range regexp.MustCompile(`\.ci/run ((?:\w+ ?)+)\n`).FindAllStringSubmatch(workflow, -1) {
		names = append(names, strings.Fields(m[1])...)
	}
	sameStages(t, "the workflow", names, hours...)
}

// It changes nothing in the repository, has no secrets, and takes actions from
// GitHub alone.
func TestWorkflowMayOnlyRead(t *testing.T) {
	t.Parallel()
	workflow := read(t, ".github/workflows/ci.yml")
	if n := strings.Count(workflow, "permissions:"); n != 1 || !strings.Contains(workflow, "\npermissions:\n  contents: read\n") {
		t.Errorf("permissions are given %d times, want once, to read", n)
	}
	if strings.Contains(workflow, "secrets.") || strings.Contains(workflow, "pull_request_target") {
		t.Error("a secret, or a foreign pull request with the rights of this repository")
	}
	uses := regexp.MustCompile(`uses: (.*)`).FindAllStringSubmatch(workflow, -1)
	for _, m := range uses {
		if !strings.HasPrefix(m[1], "actions/") {
			t.Errorf("it runs %s", m[1])
		}
	}
	if len(uses) == 0 {
		t.Error("no action is used: this test reads the workflow wrongly")
	}
}

func TestContributingNamesEveryStage(t *testing.T) {
	t.Parallel()
	var names []string
	for _, m := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(read(t, "CONTRIBUTING.md"), -1) {
		names = append(names, quoted(m[1])...)
	}
	sameStages(t, "CONTRIBUTING.md", names)
}

// quoted returns the words between backquotes.
func quoted(text string) (words []string) {
	for _, m := range regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(text, -1) {
		words = append(words, m[1])
	}
	return words
}

// platforms returns the rows of the README's table of platforms by cells.
func platforms(t *testing.T) (rows [][]string) {
	t.Helper()
	_, rest, ok := strings.Cut(read(t, "README.md"), "<!-- platforms -->\n")
	if !ok {
		t.Fatal("README.md has no table of platforms")
	}
	table, _, _ := strings.Cut(rest, "\n\n")
	for i, line := range strings.Split(table, "\n") {
		if i < 2 {
			continue // the head
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	if len(rows) < 10 {
		t.Fatalf("only %d platforms found", len(rows))
	}
	return rows
}

func TestEveryPlatformOfTheReadmeIsProvenByAStage(t *testing.T) {
	t.Parallel()
	all := stages(t)
	for _, row := range platforms(t) {
		proof := quoted(row[len(row)-1])
		if len(proof) == 0 {
			t.Errorf("%s: no stage proves it", row[0])
		}
		for _, name := range proof {
			if !slices.Contains(all, name) {
				t.Errorf("%s: .ci/run has no stage %q", row[0], name)
			}
		}
		built := row[len(row)-2] == "never run"
		if built != slices.Equal(proof, []string{"cross"}) {
			t.Errorf("%s: tested is %q, by %v", row[0], row[len(row)-2], proof)
		}
	}
}

func TestEveryTargetIsInTheReadmesTable(t *testing.T) {
	t.Parallel()
	inTable := map[string]bool{}
	for _, row := range platforms(t) {
		for _, name := range strings.FieldsFunc(row[0], func(r rune) bool { return r == ',' || r == ' ' }) {
			inTable[name] = true
		}
	}
	targets := map[string]bool{}
	for _, m := range regexp.MustCompile(`\b([a-z0-9]+)/([a-z0-9]+)\b`).FindAllStringSubmatch(crossTargets(t), -1) {
		targets[m[0]], targets[m[1]] = true, true
		if !inTable[m[0]] && !inTable[m[1]] {
			t.Errorf("%s is built, and is not in the table", m[0])
		}
	}
	for name := range inTable {
		if name != "big-endian" && !targets[name] {
			t.Errorf("%s is in the table, and is not built", name)
		}
	}
}

// crossTargets returns the text of the list of targets that .ci/run builds.
func crossTargets(t *testing.T) string {
	t.Helper()
	_, rest, ok := strings.Cut(read(t, ".ci/run"), "\ntargets=\"")
	list, _, done := strings.Cut(rest, "\"")
	if !ok || !done {
		t.Fatal("no list of targets")
	}
	return list
}

// modules returns the folders of go.work.
func modules(t *testing.T) (folders []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`(?m)^\t(\.\S*)$`).FindAllStringSubmatch(read(t, "go.work"), -1) {
		folders = append(folders, m[1])
	}
	if len(folders) < 3 {
		t.Fatalf("only %d modules found: %v", len(folders), folders)
	}
	return folders
}

func TestReadmesCommandTestsEveryModule(t *testing.T) {
	t.Parallel()
	_, rest, ok := strings.Cut(read(t, "README.md"), "<!-- test command -->\n```\n")
	command, _, _ := strings.Cut(rest, "\n")
	if !ok {
		t.Fatal("README.md names no test command")
	}
	for _, folder := range modules(t) {
		if !slices.Contains(strings.Fields(command), folder+"/...") {
			t.Errorf("%s leaves out %s", command, folder)
		}
	}
}

func TestTwoReleasesOfGoAreSupported(t *testing.T) {
	t.Parallel()
	m := regexp.MustCompile(`(?m)^releases="1\.(\d+) 1\.(\d+)"$`).FindStringSubmatch(read(t, ".ci/run"))
	if m == nil {
		t.Fatal(".ci/run names no two releases")
	}
	older, _ := strconv.Atoi(m[1])
	newer, _ := strconv.Atoi(m[2])
	if newer != older+1 {
		t.Errorf("1.%d and 1.%d do not follow each other", older, newer)
	}
	both := fmt.Sprintf("Go 1.%d and 1.%d", older, newer)
	for _, name := range []string{"README.md", "CONTRIBUTING.md"} {
		if !strings.Contains(read(t, name), both) {
			t.Errorf("%s does not say %s", name, both)
		}
	}
	files := []string{"go.work"}
	for _, folder := range modules(t) {
		files = append(files, filepath.Join(folder, "go.mod"))
	}
	want := fmt.Sprintf("\ngo 1.%d\n", older)
	for _, name := range files {
		if !strings.Contains("\n"+read(t, name), want) {
			t.Errorf("%s does not have the line %q", name, strings.TrimSpace(want))
		}
	}
}

// The README's program can be pasted: tests/readme is the same one, and builds.
func TestReadmesProgramBuilds(t *testing.T) {
	t.Parallel()
	_, rest, ok := strings.Cut(read(t, "README.md"), "```go\n")
	program, _, done := strings.Cut(rest, "```\n")
	if !ok || !done {
		t.Fatal("README.md has no program")
	}
	if built := read(t, "tests/readme/main.go"); !strings.HasSuffix(built, "\n"+program) {
		t.Errorf("tests/readme has another program than the README:\n%s\nwant:\n%s", built, program)
	}
}

// testPlaces returns where tests of each name are.
func testPlaces(t *testing.T) map[string][]string {
	t.Helper()
	places := map[string][]string{}
	test := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		folder, _ := filepath.Rel(root, filepath.Dir(path)) // it is below the root
		for _, m := range test.FindAllStringSubmatch(string(text), -1) {
			places[m[1]] = append(places[m[1]], filepath.ToSlash(folder))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return places
}

func TestTestsThatMustRunExist(t *testing.T) {
	t.Parallel()
	places, all, n := testPlaces(t), stages(t), 0
	for line := range strings.Lines(read(t, ".ci/must-run")) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] == "#" {
			continue
		}
		n++
		if len(fields) != 3 {
			t.Errorf("%q is no stage, package and test", line)
			continue
		}
		// Of a booted kernel, what follows says as whom.
		stage, _, _ := strings.Cut(fields[0], "/")
		folder, name := fields[1], fields[2]
		if !slices.Contains(all, stage) {
			t.Errorf("%s must run in %q, which is no stage", name, stage)
		}
		// The log of a stage tells tests apart by their names.
		if !slices.Equal(places[name], []string{folder}) {
			t.Errorf("%s must run in %s, and is in %v", name, folder, places[name])
		}
	}
	if n < 10 {
		t.Errorf("only %d tests must run", n)
	}
}

// A log as go test -v writes it, with a test that ran itself again under a limit.
const verboseLog = `=== RUN   TestWhole
--- PASS: TestWhole (0.00s)
=== RUN   TestInPart
=== RUN   TestInPart/core
    core_test.go:12: SKIPPED, NOTHING TESTED: cores go to "|/bin/x"
=== RUN   TestUnderLimit
    limit_linux.go:58: === RUN   TestUnderLimit
            scale_test.go:9: SKIPPED: no memory
        --- SKIP: TestUnderLimit (0.00s)
        PASS
--- PASS: TestUnderLimit (0.00s)
--- PASS: TestInPart (0.00s)
    --- SKIP: TestInPart/core (0.00s)
=== RUN   TestOther
    other_test.go:3: SKIPPED: not here
--- SKIP: TestOther (0.00s)
ok  	example.com/p	0.1s
`

func TestASkipOfWhatMustRunIsFound(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("awk"); err != nil {
		t.Skipf("SKIPPED: %v", err)
	}
	cmd := exec.Command("awk", "-v", "must= TestWhole TestInPart TestUnderLimit TestGone ", "-f", filepath.Join(root, ".ci", "skips.awk"))
	cmd.Stdin = strings.NewReader(verboseLog)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`MUST TestInPart: cores go to "|/bin/x"`,
		"MUST TestUnderLimit: no memory",
		"MUST TestGone: it did not run",
		"    skipped 1× because not here: TestOther",
	} {
		if !strings.Contains(string(out), want+"\n") {
			t.Errorf("does not say %q:\n%s", want, out)
		}
	}
	if n := strings.Count(string(out), "MUST"); n != 3 {
		t.Errorf("%d tests did not run, want 3:\n%s", n, out)
	}
}

// isOn reports whether the file is compiled on the system, without cgo.
func isOn(t *testing.T, system, path string) bool {
	t.Helper()
	c := build.Default
	c.GOOS, c.GOARCH, c.CgoEnabled = system, "amd64", false
	match, err := c.MatchFile(filepath.Split(path))
	if err != nil {
		t.Error(err)
	}
	return match
}

// The stage cross vets tests/ and benchmarks/ for one Unix beside Linux.
func TestNoFileOfTheTestsIsForOneUnixAlone(t *testing.T) {
	t.Parallel()
	for _, folder := range []string{"tests", "benchmarks"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			for _, system := range []string{"freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "illumos", "aix"} {
				if isOn(t, system, path) != isOn(t, "darwin", path) {
					t.Errorf("%s is not the same on %s and darwin: vet both in .ci/run", path, system)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Wine can't remove a folder of T.TempDir, and the test fails. The benchmarks don't run
// there.
func TestTestsOnWindowsTakeFoldersThatWineCanRemove(t *testing.T) {
	t.Parallel()
	call := regexp.MustCompile(`\b(t|b|f|tb)\.TempDir\(\)`)
	n := 0
	for _, folder := range append(slices.Clone(layers), "tests") {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") || !isOn(t, "windows", path) {
				return err
			}
			n++
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for i, line := range strings.Split(string(text), "\n") {
				if call.MatchString(line) {
					t.Errorf("%s:%d: use testenv.TempDir: %s", path, i+1, strings.TrimSpace(line))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n < 50 {
		t.Errorf("only %d files of tests were read", n)
	}
}
