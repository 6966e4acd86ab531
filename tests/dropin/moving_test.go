package dropin

import (
	"bytes"
	"errors"
	"testing"

	"github.com/memkeep/memkeep/enclave"
	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/enclave/memguard/core"
	"github.com/memkeep/memkeep/locked"
)

// A program that moves to the package enclave call by call has one session.
func TestMovingPieceByPiece(t *testing.T) {
	alone(t)
	session, err := core.Session()
	if err != nil {
		t.Fatal(err)
	}
	old := memguard.NewEnclave(secret(32))
	err = core.Unwrap(old.Enclave).Use(func(got []byte) error {
		if !bytes.Equal(got, secret(32)) {
			return errors.New("another secret")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if core.Unwrap(new(core.Enclave)) != nil {
		t.Error("an enclave that was never made")
	}
	fresh, err := session.New(secret(8))
	if err != nil {
		t.Fatal(err)
	}
	native, err := fresh.Open()
	if err != nil {
		t.Fatal(err)
	}
	b := &memguard.LockedBuffer{Buffer: core.Wrap(native)}
	if !b.EqualTo(secret(8)) || b.IsMutable() || session.Stats().OpenBuffers == 0 {
		t.Error("the wrapped buffer")
	}
	memguard.Purge()
	wantNull(t, b)
	wantNull(t, &memguard.LockedBuffer{Buffer: core.Wrap(nil)})
	if _, err := fresh.Open(); !errors.Is(err, enclave.ErrPurged) {
		t.Error("the purge left an enclave of the session", err)
	}
	if native.Alive() || !errors.Is(native.Freeze(), locked.ErrDestroyed) {
		t.Error("the purge left a buffer of the session")
	}
}
