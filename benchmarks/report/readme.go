package report

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"time"
)

// What the section of the README lies between.
const (
	sectionBegin = "<!-- benchmarks: written by go run ./benchmarks -readme -->"
	sectionEnd   = "<!-- benchmarks: end -->"
)

// UpdateReadme replaces the section of the file by that of the results, whose
// plots lie in the folder, as seen from the file.
func UpdateReadme(r *Results, path, folder string) error {
	old, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, _, after, err := cut(old)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	updated := bytes.Join([][]byte{before, []byte(Section(r, folder)), after}, nil)
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

// Section is what the README shows of the results, in Markdown.
func Section(r *Results, folder string) string {
	var b strings.Builder
	e := r.Environment
	fmt.Fprintf(&b, "\n%s, %s, %s; commit %s. Medians of %d repeats in which all took turns; ratios are taken within each repeat.\n\n    %s\n\n",
		e.Date.Format(time.DateOnly), e.Machine(), e.Limit(), e.Commit, e.Repeats, e.Command)
	headline(&b, r)
	fmt.Fprintf(&b, "\n![%s](%s/%s)\n", timeBySizeTitle, folder, timeBySizeFile)
	fmt.Fprintf(&b, "\nMore tables and plots, and the targets: [benchmarks](benchmarks).\n")
	return b.String()
}

// headline is one row for each line: 32 bytes, and what most secrets take.
func headline(b *strings.Builder, r *Results) {
	most := 0
	for _, n := range r.Values(Populate, func(k Key) int { return k.Secrets }) {
		most = max(most, n)
	}
	fmt.Fprintf(b, "| 32-byte secrets | open, read, close | ÷ bare cipher | p99.9 | seal | locked with %s | heap for each |\n|---|---|---|---|---|---|---|\n", count(int64(most)))
	for _, c := range r.Contenders {
		for _, line := range c.Lines {
			if c.Skipped != "" {
				fmt.Fprintf(b, "| %s | skipped: %s | | | | | |\n", line, c.Skipped)
				continue
			}
			open := r.Find(Key{Workload: Open, Line: line, Size: 32, Goroutines: 1})
			if open == nil || open.Time().N == 0 {
				why := c.Rejected
				if open != nil {
					why = open.Error
				}
				fmt.Fprintf(b, "| %s | fails: %s | | | | | |\n", line, short(why, 80))
				continue
			}
			bare := r.Find(Key{Workload: Open, Line: lineBare, Size: 32, Goroutines: 1})
			seal := r.Find(Key{Workload: Seal, Line: c.Name, Size: 32, Goroutines: 1})
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s |\n", line, duration(open.Time().Median), ratio(Ratio(open, bare)),
				tail999(r.Find(Key{Workload: Latency, Line: line, Size: 32, Goroutines: 1})), duration(seal.Time().Median),
				atRest(r.Find(Key{Workload: Populate, Line: c.Name, Size: 32, Secrets: most})))
		}
	}
}

func tail999(c *Cell) string {
	if c == nil || c.Merged == nil {
		return none
	}
	return duration(float64(c.Merged.P999))
}

// atRest is two columns: locked bytes and heap for each secret.
func atRest(c *Cell) string {
	f := c.footprint()
	switch {
	case f == nil:
		return none + " | " + none
	case c.Error != "":
		return fmt.Sprintf("fails after %s: %s | %s", count(int64(f.Secrets)), bytesOf(f.Locked), none)
	}
	return fmt.Sprintf("%s | %s B", bytesOf(f.Locked), digits(f.PerSecret()))
}
