package load

import (
	"context"

	"github.com/memkeep/memkeep/enclave"
)

// Field returns one string of the JSON in e: see [Loader.Field].
func Field(e *enclave.Enclave, path ...string) (*enclave.Enclave, error) {
	return Loader{}.Field(context.Background(), e, path...)
}

// PEM returns the contents of one PEM block in e: see [Loader.PEM].
func PEM(e *enclave.Enclave, blockType string) (*enclave.Enclave, error) {
	return Loader{}.PEM(context.Background(), e, blockType)
}

// Field returns one string of the JSON in e, for files that hold more than one
// secret. The path gives the names that lead to it, from the outermost; within
// an array a name is an index:
//
//	key, err := load.Field(file, "data", "keys", "0")
//
// Escapes are decoded in locked memory. If the JSON is malformed, the error is
// [ErrSyntax] with the offset, without the content. If the field is missing, is there
// twice or is not a string, it is [ErrNoField]. Field does not change e.
func (l Loader) Field(ctx context.Context, e *enclave.Enclave, path ...string) (*enclave.Enclave, error) {
	if path == nil {
		path = []string{}
	}
	return l.part(ctx, e, "field", func(text []byte) ([]byte, error) { return jsonString(text, path) })
}

// PEM returns the decoded contents of the PEM block of that type in e, which is DER
// for a key. The type is that of the block's first line, "EC PRIVATE KEY"; "PRIVATE
// KEY" also matches those of RSA, EC and OpenSSH. If the block is missing or there
// twice, the error is [ErrNoField]; if it is malformed or encrypted, [ErrSyntax]. PEM
// does not change e.
func (l Loader) PEM(ctx context.Context, e *enclave.Enclave, blockType string) (*enclave.Enclave, error) {
	// DER may end in what looks like a line end.
	l.KeepLineEnd = true
	return l.part(ctx, e, "PEM", func(text []byte) ([]byte, error) { return pemBlock(text, blockType) })
}

func (l Loader) part(ctx context.Context, e *enclave.Enclave, source string, pick picker) (*enclave.Enclave, error) {
	return l.seal(ctx, source, nil, func(ctx context.Context, consume consumer) error {
		return l.pickFrom(ctx, e, pick, consume)
	})
}
