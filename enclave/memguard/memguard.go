package memguard

import "github.com/memkeep/memkeep/enclave/memguard/core"

// ScrambleBytes fills buf with random bytes.
func ScrambleBytes(buf []byte) { must(core.Scramble(buf)) }

// WipeBytes sets buf to zero.
func WipeBytes(buf []byte) { core.Wipe(buf) }

// Purge destroys every buffer and replaces the session key: enclaves made before
// never open again; new ones work. It waits for callers that hold a buffer's lock. If
// something wrote before a buffer's data, it panics after everything is wiped. Purge
// is safe for concurrent use.
func Purge() { core.Purge() }

// SafePanic purges and then panics with v.
func SafePanic(v interface{}) { core.Panic(v) }

// SafeExit purges and ends the process with the code.
func SafeExit(c int) { core.Exit(c) }
