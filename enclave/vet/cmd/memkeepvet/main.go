// Memkeepvet reports mistakes in programs that use memkeep. It runs alone, or under go vet:
//
//	memkeepvet ./...
//	go vet -vettool=$(which memkeepvet) ./...
//
// Alone it exits with status 3 if it reports a mistake, and with 1 if it can't read the
// packages. Under go vet any report is status 1.
//
// Package [github.com/memkeep/memkeep/enclave/vet] says what it reports, and how to
// silence it.
package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/memkeep/memkeep/enclave/vet"
)

func main() { multichecker.Main(vet.Analyzers...) }
