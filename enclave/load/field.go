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
// The string's escapes are decoded in locked memory, and nothing else is made of
// the JSON, which must be whole: [ErrSyntax] gives the byte at fault and not what
// stands there. A field that is missing, is there twice or is not a string is
// [ErrNoField]. e stays as it is.
func (l Loader) Field(ctx context.Context, e *enclave.Enclave, path ...string) (*enclave.Enclave, error) {
	if path == nil {
		path = []string{}
	}
	return l.part(ctx, e, "field", func(text []byte) ([]byte, error) { return jsonString(text, path) })
}

// PEM returns what the PEM block of that type in e holds, base64 decoded: DER,
// for a key. The type is that of the block's first line, "EC PRIVATE KEY"; plain
// "PRIVATE KEY" stands for RSA's, EC's and OpenSSH's as well. A block that is
// missing, or there twice, is [ErrNoField]; one that is malformed or encrypted
// [ErrSyntax]. e stays as it is.
func (l Loader) PEM(ctx context.Context, e *enclave.Enclave, blockType string) (*enclave.Enclave, error) {
	// DER may end in what looks like a line end.
	l.KeepLineEnd = true
	return l.part(ctx, e, "PEM", func(text []byte) ([]byte, error) { return pemBlock(text, blockType) })
}

func (l Loader) part(ctx context.Context, e *enclave.Enclave, source string, pick picker) (*enclave.Enclave, error) {
	return l.seal(ctx, source, nil, func(ctx context.Context, take taker) error {
		return l.pickFrom(ctx, e, pick, take)
	})
}
