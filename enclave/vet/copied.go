package vet

import (
	"path"
	"regexp"
	"slices"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/analysis/passes/copylock"
)

// Copied reports copies of values that work only where they are made, such as an Enclave,
// a Session or a Buffer. Each has a lock or an atomic inside, so it is copylocks that finds
// them. That one is part of go vet, but not with -vettool.
var Copied = &analysis.Analyzer{
	Name:     "enclavecopy",
	Doc:      "report enclaves, sessions and buffers that are copied by value",
	Requires: append(slices.Clone(copylock.Analyzer.Requires), Allow),
	Run:      findCopies,
}

// qualified matches the names that copylocks gives to types of memkeep.
var qualified = regexp.MustCompile(regexp.QuoteMeta(modulePath) + `([\w/]+)\.(\w+)`)

func findCopies(pass *analysis.Pass) (any, error) {
	locks := *pass
	locks.Report = func(d analysis.Diagnostic) {
		if m := qualified.FindStringSubmatch(d.Message); m != nil {
			report(pass, d.Pos, "a copy of %s.%s does not work: use a pointer", path.Base(m[1]), m[2])
		}
	}
	return copylock.Analyzer.Run(&locks)
}
