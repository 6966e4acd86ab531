// Memkeepvet reports mistakes in programs that use memkeep. It runs alone, or under go vet:
//
//	memkeepvet ./...
//	go vet -vettool=$(which memkeepvet) ./...
//
// Package [github.com/memkeep/memkeep/enclave/vet] says what it reports, and how to
// silence it.
package main

import (
	"golang.org/x/tools/go/analysis/multichecker"

	"github.com/memkeep/memkeep/enclave/vet"
)

func main() { multichecker.Main(vet.Analyzers...) }
