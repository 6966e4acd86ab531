package keys

import (
	"crypto"
	"testing"

	"github.com/memkeep/memkeep/enclave/keys/internal/ec"
	"github.com/memkeep/memkeep/enclave/keys/internal/hashing"
	"github.com/memkeep/memkeep/enclave/keys/internal/isolate"
	"github.com/memkeep/memkeep/enclave/keys/internal/rsa"
	"github.com/memkeep/memkeep/enclave/keys/internal/tracetest"
	"github.com/memkeep/memkeep/internal/testenv"
)

// Ed25519 and HMAC use no more stack than is overwritten.
func TestStackDepth(t *testing.T) {
	t.Parallel()
	if testenv.Race {
		t.Skip("SKIPPED, NOTHING TESTED: the race detector's builds have larger frames")
	}
	sealed, seed, signature := make([]byte, edSealedSize), make([]byte, 32), make([]byte, 64)
	memory := make([]byte, edScratchSize)
	expand := func() { _, _ = expandEd25519(sealed, seed, nil, memory) }
	expand()
	sign := func() {
		var s signing25519
		_ = s.sign(signature, sealed, sealed[edPublicAt:], nil, seed, memory)
	}
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256, crypto.SHA512} {
		h, err := hashing.New(hash, make([]byte, hashing.MemorySize))
		if err != nil {
			t.Fatal(err)
		}
		chain, tag := make([]byte, h.ChainSize()), make([]byte, h.Size())
		mac := func() {
			h.MACStart(chain)
			h.Write(seed)
			h.MACSum(tag, chain)
			h.Forget()
		}
		mac()
		if depth := tracetest.StackDepth(mac); depth > isolate.Brief.Depth()-1024 {
			t.Errorf("HMAC with %v uses %d bytes", hash, depth)
		}
	}
	for what, f := range map[string]func(){"expandEd25519": expand, "sign": sign} {
		if depth := tracetest.StackDepth(f); depth > isolate.Small.Depth()-1024 {
			t.Errorf("%s uses %d bytes", what, depth)
		} else {
			t.Logf("%s uses %d bytes", what, depth)
		}
	}
}

// The stack that is overwritten is what the arithmetic uses, and some for what calls
// it.
func TestStackIsEnough(t *testing.T) {
	t.Parallel()
	const callers = 2 << 10
	if isolate.Small.Depth() < ec.StackDepth+callers || isolate.Large.Depth() < rsa.StackDepth+callers {
		t.Errorf("%d and %d bytes are kept for %d and %d", isolate.Small.Depth(), isolate.Large.Depth(), ec.StackDepth, rsa.StackDepth)
	}
}
