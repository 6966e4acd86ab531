// Package signer makes HMAC-SHA-256 and Ed25519 signatures with keys that stay
// in enclaves, and leaves as little of them behind as Go lets it.
//
// # Why not crypto/ed25519 and crypto/hmac
//
// Both keep what they are given where the caller can't wipe it:
//
//   - crypto/ed25519 copies the private key into a heap object of its own, with
//     the scalar and the prefix derived from it, and keeps that in a cache until
//     some time after the caller's copy was collected. Wiping the caller's copy
//     reaches none of this. On a key in locked memory Go 1.26 ends the program:
//     the cache takes a weak pointer to the key's first byte, which must be on
//     the Go heap ("getWeakHandle on invalid pointer").
//   - crypto/hmac holds the key, XORed with constants, in two heap blocks, and
//     the hash states after them, which are as good as the key.
//
// # What is done instead
//
// What is sealed is not the key but what a signature needs of it: for Ed25519
// the scalar and the prefix that the seed expands to (RFC 8032, 5.1.5), for
// HMAC the two chaining values that the padded key leads to (FIPS 198-1,
// section 6). Either is as secret as the key, but the key itself is in the
// clear once, when it comes in, and never again.
//
// The hash functions are the standard library's, fed whole blocks only. Then
// they copy no input into a buffer of their own, and all they hold is the
// chaining value, which Reset overwrites. The blocks are put together and
// padded in locked memory, and the chaining value is read back into locked
// memory with AppendBinary, since Sum would copy the state to the stack. That
// relies on the layout of the marshaled state: New checks it against the hash
// functions' own answers, and fails rather than sign wrongly.
//
// The scalars are filippo.io/edwards25519's, Go values that can't be placed in
// locked memory: each worker has its own, wiped after every signature.
//
// Temporaries on the stack are dealt with by where the work runs: on a few
// goroutines that do nothing else, whose stacks were grown before they saw a
// secret, never shrink, and are overwritten after every signature. A request's
// own goroutine has a stack that the runtime moves and frees uncleared.
//
// # What is left all the same
//
// While a signature is being made, the worker's scalars, hash states, stack and
// registers hold secrets in ordinary memory, for some tens of microseconds. If
// the runtime preempts the worker or a signal lands just then, what the vector
// registers held is saved to memory that only the next such event overwrites.
// A program built with GOEXPERIMENT=runtimesecret, where Use runs inside
// runtime/secret, closes most of that too.
//
// TestLeftovers measures what is left at rest. After 2000 signatures with each
// of two keys, a scan of the process from outside on linux/amd64 found of the
// way with the standard library (key copied to the heap, wiped after use) the
// seed and the prefix 1000 times each, the scalar as often, and the HMAC key's
// padded blocks and chaining values 500 to 700 times each; of this way nothing,
// in 50 runs of 50. An Ed25519 signature takes 1.4 times as long.
package signer
