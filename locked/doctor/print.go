//go:build !ios

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/memkeep/memkeep/internal/platform"
	"github.com/memkeep/memkeep/locked"
)

// report is the JSON form, which the package documentation describes.
type report struct {
	Version   int       `json:"version"`
	OS        string    `json:"os"`
	Arch      string    `json:"arch"`
	Protected bool      `json:"protected"`
	Process   *process  `json:"process,omitempty"`
	Limits    *limits   `json:"limits,omitempty"`
	Findings  []finding `json:"findings"`
}

type limits struct {
	Soft          *uint64 `json:"soft_bytes"`
	Hard          *uint64 `json:"hard_bytes"`
	Exempt        bool    `json:"exempt"`
	Page          int     `json:"page_bytes"`
	Backend       string  `json:"backend"`
	BackendReason string  `json:"backend_reason"`
	Default       int     `json:"default_bytes"`
	Budget        int     `json:"budget_bytes"`
	DumpExclusion string  `json:"dump_exclusion"`
	ForkExclusion string  `json:"fork_exclusion"`
	ExitWipe      string  `json:"exit_wipe"`
}

type process struct {
	PID      int     `json:"pid"`
	Name     string  `json:"name"`
	User     int     `json:"user"`
	Resident uint64  `json:"resident_bytes"`
	Locked   uint64  `json:"locked_bytes"`
	Secret   *int    `json:"secret_bytes"`
	Swapped  uint64  `json:"swapped_bytes"`
	Core     *uint64 `json:"core_bytes"`
	Filter   string  `json:"coredump_filter"`
}

func processOf(s state) *process {
	p := s.Process
	if p == nil {
		return nil
	}
	r := &process{
		PID: p.PID, Name: p.Name, User: p.UID,
		Resident: p.Resident, Locked: p.Locked, Swapped: p.SwappedOut, Core: bounded(s.Facts.Core.Limit),
	}
	if p.PagesErr == nil {
		r.Secret = &p.Pages.Secret
	}
	if p.HasDumpFilter {
		r.Filter = fmt.Sprintf("%#x", p.DumpFilter)
	}
	return r
}

func writeJSON(w io.Writer, s state, findings []finding) error {
	r := report{Version: 1, OS: s.OS, Arch: s.Arch, Protected: s.protected() == platform.Yes, Process: processOf(s), Findings: findings}
	if s.LimitsErr == nil {
		l := s.Limits
		r.Limits = &limits{
			Soft: bounded(l.Soft), Hard: bounded(l.Hard), Exempt: l.Exempt, Page: l.PageSize,
			Backend: string(l.Backend), BackendReason: l.BackendReason,
			Default: locked.DefaultLockedBytes, Budget: l.Budget,
			DumpExclusion: l.DumpExclusion, ForkExclusion: l.ForkExclusion, ExitWipe: l.ExitWipe,
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

func bounded(limit uint64) *uint64 {
	if limit == locked.Unlimited {
		return nil
	}
	return &limit
}

func writeText(w io.Writer, s state, findings []finding) error {
	var b strings.Builder
	fmt.Fprintf(&b, "memkeep doctor on %s/%s", s.OS, s.Arch)
	if s.LimitsErr == nil {
		fmt.Fprintf(&b, ", pages of %s", size(s.Limits.PageSize))
	}
	if p := s.Process; p != nil {
		fmt.Fprintf(&b, "\nprocess %d (%s), user %d: %s resident, %s in swap", p.PID, printable(p.Name), p.UID, limit(p.Resident), limit(p.SwappedOut))
	}
	b.WriteString("\n\n")
	weaknesses := 0
	shown := map[string]string{} // remedies, and the finding that they were shown for
	for _, f := range findings {
		if f.Status == weak {
			weaknesses++
		}
		fmt.Fprintf(&b, "%-8s%-15s%s\n", f.Status, f.Name, f.Text)
		var before []string
		for _, line := range f.Remedies {
			if first := shown[line]; first == "" {
				shown[line] = f.Name
				fmt.Fprintf(&b, "%-23s> %s\n", "", line)
			} else if !slices.Contains(before, first) {
				before = append(before, first)
			}
		}
		if len(before) > 0 {
			fmt.Fprintf(&b, "%-23s> as above, under %s\n", "", strings.Join(before, " and "))
		}
	}
	b.WriteString("\n")
	points := "1 weakness"
	if weaknesses > 1 {
		points = fmt.Sprintf("%d weaknesses", weaknesses)
	}
	points += ": each line after > is one way to fix the finding above it.\n"
	switch yes := s.protected(); {
	case yes == platform.No && s.Process != nil:
		b.WriteString("No secrets are protected in this process.\n")
	case yes == platform.No:
		b.WriteString("Secrets can't be protected here.\n")
	case yes == platform.Unknown:
		b.WriteString("Whether secrets are protected in this process could not be seen.\n")
	case weaknesses == 0:
		b.WriteString("Secrets are protected here, and no weakness was found.\n")
	default:
		b.WriteString("Secrets are protected here. " + points)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printable replaces what could be meant for a terminal: a program chooses its own
// name.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
}
