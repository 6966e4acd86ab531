module github.com/memkeep/memkeep/benchmarks

go 1.26

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0
	github.com/awnumar/memguard v0.23.0
	github.com/godaddy/asherah/go/securememory v0.1.7
	github.com/jedib0t/go-pretty/v6 v6.8.3
	github.com/memkeep/memkeep v0.0.0
	github.com/memkeep/memkeep/enclave/keys v0.0.0
	github.com/schollz/progressbar/v3 v3.19.1
	golang.org/x/crypto v0.55.0
	golang.org/x/sys v0.47.0
	golang.org/x/term v0.45.0
	gonum.org/v1/plot v0.17.0
)

require (
	codeberg.org/go-fonts/liberation v0.5.0 // indirect
	codeberg.org/go-latex/latex v0.2.0 // indirect
	codeberg.org/go-pdf/fpdf v0.11.1 // indirect
	filippo.io/bigmod v0.1.0 // indirect
	filippo.io/edwards25519 v1.2.0 // indirect
	filippo.io/nistec v0.0.4 // indirect
	git.sr.ht/~sbinet/gg v0.7.0 // indirect
	github.com/ajstarks/svgo v0.0.0-20211024235047-1546f124cd8b // indirect
	github.com/awnumar/memcall v0.4.0 // indirect
	github.com/golang/freetype v0.0.0-20170609003504-e2365dfdc4a0 // indirect
	github.com/mattn/go-runewidth v0.0.16 // indirect
	github.com/mitchellh/colorstring v0.0.0-20190213212951-d06e56a500db // indirect
	github.com/pkg/errors v0.9.1 // indirect
	github.com/rcrowley/go-metrics v0.0.0-20201227073835-cf1acfcdf475 // indirect
	github.com/rivo/uniseg v0.4.7 // indirect
	golang.org/x/image v0.30.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)

replace (
	github.com/memkeep/memkeep => ../
	github.com/memkeep/memkeep/enclave/keys => ../enclave/keys
)
