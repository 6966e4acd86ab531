package architecture

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// sameStages fails unless where names all stages, and nothing else.
func sameStages(t *testing.T, where string, names []string) {
	t.Helper()
	all := stages(t)
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
	sameStages(t, ".ci/run", strings.Fields(list[1]))
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
	sameStages(t, "the workflow", names)
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
		built := row[len(row)-2] == "built only"
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
	_, rest, ok := strings.Cut(read(t, ".ci/run"), "for target in ")
	list, _, done := strings.Cut(rest, "; do")
	if !ok || !done {
		t.Fatal("no list of targets")
	}
	return list
}
