package enclave_test

import (
	"expvar"
	"fmt"
	"strings"

	"github.com/memkeep/memkeep/enclave"
)

// Package expvar serves the figures under /debug/vars. The library does not
// import it, since that import registers a handler.
func ExampleSession_Stats_expvar() {
	expvar.Publish("memkeep", expvar.Func(func() any { return enclave.Default().Stats() }))
	fmt.Println(strings.Contains(expvar.Get("memkeep").String(), `"locked_bytes":`))
	// Output: true
}
