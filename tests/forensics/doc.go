// Package forensics looks for what the library leaves behind, the way that
// somebody with the machine would: in the memory of a process from outside, in
// its core dumps, in the swap file, in a hibernation image, through its descriptors
// and its children.
//
//	go test -v ./tests/forensics
//	MEMKEEP_LONG=1 go test -v ./tests/forensics               # five times as much, as .ci/run has it
//	MEMKEEP_LONG=1 go test -v ./tests/forensics -run Table    # and what others leave behind
//	go test -v ./tests/forensics -long                        # fifty times as much
//
// The process under examination is this package's test binary again, in
// another role. It and the examiner share a file, the board, on which it puts
// what the examiner needs to compute every secret quantity: everything there is
// XORed with a mask, so that the telling leaves no copy. The examiner derives
// keys and keystream from that with golang.org/x/crypto.
//
// It runs on Linux, on amd64 and arm64: the processors whose cipher promises to
// leave nothing.
//
// Every scan has controls that it must find in the same run: the same kind of
// bytes in an ordinary page and, where the backend's locked pages can be read
// from outside, the secrets themselves inside of them.
package forensics
