//go:build !ios

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/memkeep/memkeep/locked"
)

// report is the JSON form, which the package documentation describes.
type report struct {
	Version   int       `json:"version"`
	OS        string    `json:"os"`
	Arch      string    `json:"arch"`
	Protected bool      `json:"protected"`
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

func writeJSON(w io.Writer, s state, findings []finding) error {
	r := report{Version: 1, OS: s.OS, Arch: s.Arch, Protected: s.protected(), Findings: findings}
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
	b.WriteString("\n\n")
	weaknesses := 0
	for _, f := range findings {
		if f.Status == weak {
			weaknesses++
		}
		fmt.Fprintf(&b, "%-8s%-14s%s\n", f.Status, f.Name, f.Text)
		for _, line := range f.Remedies {
			fmt.Fprintf(&b, "%-22s> %s\n", "", line)
		}
	}
	b.WriteString("\n")
	switch {
	case !s.protected():
		b.WriteString("Secrets can't be protected here.\n")
	case weaknesses == 0:
		b.WriteString("Secrets are protected here, and no weak point was seen.\n")
	default:
		points := "1 weak point"
		if weaknesses > 1 {
			points = fmt.Sprintf("%d weak points", weaknesses)
		}
		fmt.Fprintf(&b, "Secrets are protected here. %s: each line after > is one way to mend the finding above it.\n", points)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
