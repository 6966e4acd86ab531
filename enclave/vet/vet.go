// Package vet reports mistakes in programs that use memkeep: secrets that leave the
// function in which they are locked, copies of them on the heap, buffers that are never
// destroyed, and errors that nobody checks.
//
// The command memkeepvet runs its analyzers, alone or under go vet:
//
//	go install github.com/memkeep/memkeep/enclave/vet/cmd/memkeepvet@latest
//	memkeepvet ./...
//	go vet -vettool=$(which memkeepvet) ./...
//
// The analyzers prefer silence to a false alarm. They follow a secret through the
// variables, closures and slices of one function, not through the functions that it
// calls. In test files, outside of examples, secrets are taken for test data: copies and
// output of them are not reported.
//
// A comment on a line, or alone on the line before, silences the line. It must say why:
//
//	token := string(secret) //memkeep:allow the client takes only strings
//
// A copied [enclave.Enclave] is reported by go vet's own copylocks.
//
// [enclave.Enclave]: https://pkg.go.dev/github.com/memkeep/memkeep/enclave#Enclave
package vet

import "golang.org/x/tools/go/analysis"

// Analyzers are all analyzers of the package. Don't modify the slice.
var Analyzers = []*analysis.Analyzer{Escape, Destroy, Unchecked, Allow}
