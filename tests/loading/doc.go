// Package loading tests enclave/load from outside: what is left of a secret in the
// memory of a process that loaded it, and decoders that are no part of the
// standard library.
package loading
