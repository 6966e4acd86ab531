module github.com/memkeep/memkeep/benchmarks

go 1.25.0

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0
	github.com/awnumar/memguard v0.23.0
	github.com/godaddy/asherah/go/securememory v0.1.7
	github.com/memkeep/memkeep v0.0.0
	golang.org/x/crypto v0.55.0
	golang.org/x/sys v0.47.0
)

require (
	github.com/awnumar/memcall v0.4.0 // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/rcrowley/go-metrics v0.0.0-20201227073835-cf1acfcdf475 // indirect
)

replace github.com/memkeep/memkeep => ../
