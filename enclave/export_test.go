package enclave

import "testing"

// MakeDefault puts s behind the package's functions until the test ends, which must
// not be parallel.
func MakeDefault(t *testing.T, s *Session) {
	SetDefault(s)
	t.Cleanup(func() { replacement.Store(nil) })
}

// StreamChunkSize is the most that a Stream seals as one piece.
const StreamChunkSize = streamChunkSize
