package keyring

import (
	"context"
	"errors"
	"io"

	"github.com/memkeep/memkeep/enclave/keys"
	"github.com/memkeep/memkeep/tests/keyserver/internal/intake"
)

// ErrNoKey says that a record has no key where one is wanted.
var ErrNoKey = errors.New("the field key is missing")

// Create makes the record's key, of random bytes if it brings none, and enters
// it. It wipes the record's bytes once it has a type for them. room is locked
// memory of [intake.MaxKey] bytes to make a key in; the record's may lie there.
func (r *Ring) Create(ctx context.Context, rec intake.Record, room []byte) (*Key, error) {
	t, err := ParseType(rec.Type)
	if err != nil {
		return nil, err
	}
	// Not for the outcome, which Add decides, but to spare the work.
	if _, err := r.Get(rec.Name); err == nil {
		return nil, ErrExists
	}
	var k *Key
	if in := r.in.WithContext(ctx); rec.HasKey {
		k, err = importKey(in, t, rec.Key)
	} else {
		k, err = generate(ctx, in, t, room)
	}
	if err != nil {
		return nil, err
	}
	if err := r.Add(rec.Name, k); err != nil {
		k.Destroy()
		return nil, err
	}
	return k, nil
}

// A Refusal says why a line was not taken.
type Refusal struct {
	Line int
	Err  error
}

// Load reads NDJSON, a key in each line, on one seat of a desk: lines and room are
// its memory. It returns how many keys came in, and calls loaded for each. A line
// that holds no key is given to refused, and the rest goes on; only an error of the
// source or of locked memory, or the end of ctx, ends it before the source does.
func (r *Ring) Load(ctx context.Context, lines *intake.Lines, room []byte,
	loaded func(), refused func(Refusal),
) (int, error) {
	count := 0
	for {
		line, number, err := lines.Next()
		if err != nil && !errors.Is(err, intake.ErrTooLong) {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return count, err
		}
		if err == nil {
			err = r.loadLine(ctx, line, room)
		}
		clear(room)
		switch {
		case err == nil:
			count++
			loaded()
		case context.Cause(ctx) != nil:
			return count, context.Cause(ctx)
		case isRefusal(err):
			refused(Refusal{number, err})
		default:
			return count, err
		}
	}
}

func (r *Ring) loadLine(ctx context.Context, line, room []byte) error {
	rec, err := intake.Parse(line, room)
	if err != nil {
		return err
	}
	if !rec.HasKey {
		return ErrNoKey
	}
	_, err = r.Create(ctx, rec, room)
	return err
}

// isRefusal tells an error of the line from one of this process.
func isRefusal(err error) bool {
	for _, refusal := range []error{
		intake.ErrTooLong, intake.ErrSyntax, intake.ErrField, intake.ErrName,
		intake.ErrBase64, intake.ErrKeyTooBig, intake.ErrEmptyKey, ErrNoKey, ErrExists,
		ErrUnknownType, ErrKeyLength, keys.ErrMismatch,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}
