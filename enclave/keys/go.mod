module github.com/memkeep/memkeep/enclave/keys

go 1.26

require github.com/memkeep/memkeep v0.0.0

require (
	filippo.io/bigmod v0.1.0
	filippo.io/edwards25519 v1.2.0
	filippo.io/nistec v0.0.4
	github.com/awnumar/memcall v0.4.0 // indirect
	golang.org/x/crypto v0.55.0
	golang.org/x/sys v0.47.0
)

replace github.com/memkeep/memkeep => ../..
