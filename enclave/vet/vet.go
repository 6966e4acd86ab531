// Package vet reports mistakes in programs that use memkeep: secrets that leave the
// function in which they are locked, copies of them on the heap, buffers that are not
// destroyed, errors that nobody checks, and enclaves that are copied by value.
//
// The command memkeepvet runs its analyzers, alone or under go vet:
//
//	go install github.com/memkeep/memkeep/enclave/vet/cmd/memkeepvet@latest
//	memkeepvet ./...
//	go vet -vettool=$(which memkeepvet) ./...
//
// With -vettool, go vet runs none of its own analyzers.
//
// The analyzers prefer silence to a false alarm. They follow a secret through the
// variables, closures and slices of one function, not through the functions that it
// calls. Within its own package, a function that returns a buffer it has opened counts as
// Open. In test files, outside of examples, secrets are taken for test data: copies and
// output of them are not reported.
//
// A comment on a line, or alone on the line before, silences the line. It must say why:
//
//	token := string(secret) //memkeep:allow the client takes only strings
package vet

import "golang.org/x/tools/go/analysis"

// Analyzers are all analyzers of the package. Don't modify the slice.
var Analyzers = []*analysis.Analyzer{Escape, Destroy, Unchecked, Copied, Allow}
