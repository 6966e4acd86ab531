module github.com/memkeep/memkeep

go 1.26

require (
	github.com/awnumar/memcall v0.4.0
	golang.org/x/crypto v0.55.0
	golang.org/x/sys v0.47.0
)
