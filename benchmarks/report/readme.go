package report

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// What the section of the README lies between.
const (
	sectionBegin = "<!-- benchmarks: written by go run ./benchmarks -readme -->"
	sectionEnd   = "<!-- benchmarks: end -->"
)

// UpdateReadme replaces the section of the file by that of the runs, whose results
// lie in the folder, as seen from the file.
func UpdateReadme(runs []Run, path, folder string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, _, after, err := cut(old)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	updated := bytes.Join([][]byte{before, []byte(Section(runs, folder)), after}, nil)
	if bytes.Equal(old, updated) {
		return nil
	}
	return os.WriteFile(path, updated, 0o644)
}

// ReadmeSection returns the section that the file has.
func ReadmeSection(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	_, section, _, err := cut(text)
	return string(section), err
}

// cut splits the text at the markers, which stay outside of the section.
func cut(text []byte) (before, section, after []byte, err error) {
	from := bytes.Index(text, []byte(sectionBegin))
	to := bytes.Index(text, []byte(sectionEnd))
	if from < 0 || to < from {
		return nil, nil, nil, fmt.Errorf("has no lines %q and %q", sectionBegin, sectionEnd)
	}
	from += len(sectionBegin)
	return text[:from], text[from:to], text[to:], nil
}

// RunFile is the name of a run's own page.
const RunFile = "README.md"

// WriteRun draws the run's plots into its folder and writes its page: targets,
// plots, and all tables.
func WriteRun(r *Results, processor, folder string) error {
	if err := Plots(r, folder); err != nil {
		return err
	}
	var b bytes.Buffer
	e := r.Environment
	fmt.Fprintf(&b, "# %s\n\nWritten by `%s`, from `%s`. See [the benchmarks](../../README.md) for what is measured, and how.\n\n", title(processor), e.Command, File)
	fmt.Fprintf(&b, "%s, %s, %s; commit %s. Medians of %d repeats in which all took turns; ratios are taken within each repeat.\n\n",
		e.Date.Format(time.DateOnly), e.Machine(), e.Limit(), e.Commit, e.Repeats)
	b.WriteString("The project's own targets, and what this run says of them (quartiles in brackets):\n\n")
	b.WriteString("| | target | stretch | measured | |\n|---|---|---|---|---|\n")
	for _, t := range Targets(r) {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", t.What, t.Goal, t.Stretch, t.Measured, t.Verdict)
	}
	for _, p := range plots() {
		if _, err := os.Stat(filepath.Join(folder, p.file)); err == nil {
			fmt.Fprintf(&b, "\n![%s](%s)\n", p.title, p.file)
		}
	}
	b.WriteString("\n## All tables\n\n```\n")
	Print(&b, r)
	b.WriteString("```\n")
	return os.WriteFile(filepath.Join(folder, RunFile), b.Bytes(), 0o644)
}
