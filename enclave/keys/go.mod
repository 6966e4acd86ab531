module github.com/memkeep/memkeep/enclave/keys

go 1.26

require (
	filippo.io/edwards25519 v1.2.0
	github.com/memkeep/memkeep v0.0.0
	golang.org/x/crypto v0.55.0
)

require (
	github.com/awnumar/memcall v0.4.0 // indirect
	golang.org/x/sys v0.47.0 // indirect
)

replace github.com/memkeep/memkeep => ../..
