package enclave_test

import (
	"expvar"
	"fmt"
	"strings"

	"github.com/memkeep/memkeep/enclave"
)

// Package expvar serves the statistics under /debug/vars, as JSON. Publish them once:
// a second time under the same name ends the program.
func ExampleSession_Stats_expvar() {
	expvar.Publish("memkeep", expvar.Func(func() any { return enclave.Default().Stats() }))
	fmt.Println(strings.Contains(expvar.Get("memkeep").String(), `"locked_bytes":`))
	// Output: true
}
