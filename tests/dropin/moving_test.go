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

// Each row of "Moving on" compiles, and does what the old call does.
func TestMovingOnRowByRow(t *testing.T) {
	alone(t)
	session, err := core.Session()
	if err != nil {
		t.Fatal(err)
	}
	old := memguard.NewBuffer(16)
	b, err := session.NewBuffer(16)
	if err != nil {
		t.Fatal(err)
	}
	same := func(row string) {
		t.Helper()
		if !b.Equal(old.Bytes()) {
			t.Errorf("%s: %x, and %x", row, old.Bytes(), b.Bytes())
		}
	}
	old.Copy(secret(5))
	fill := func(at int, src []byte) {
		if err := b.Use(func(data []byte) error { copy(data[at:], src); return nil }); err != nil {
			t.Error(err)
		}
	}
	fill(0, secret(5))
	same("Copy")
	old.CopyAt(8, secret(20))
	fill(8, secret(20))
	same("CopyAt")
	old.Wipe()
	if err := b.Wipe(); err != nil {
		t.Error(err)
	}
	same("Wipe")
	src, mine := secret(3), secret(3)
	old.MoveAt(8, src)
	fill(8, mine)
	clear(mine)
	same("MoveAt")
	if !bytes.Equal(src, mine) {
		t.Error("MoveAt leaves another source")
	}
	old.Scramble()
	if err := b.Scramble(); err != nil || isZero(b.Bytes()) {
		t.Error("Scramble", err)
	}
	old.Destroy()

	oldStream, stream := memguard.NewStream(), session.NewStream()
	if err := errors.Join(second(oldStream.Write(secret(100))), second(stream.Write(secret(100)))); err != nil {
		t.Fatal(err)
	}
	flushed, err := oldStream.Flush()
	if err != nil {
		t.Fatal(err)
	}
	read, err := session.ReadFull(stream, stream.Size())
	if err != nil {
		t.Fatal(err)
	}
	if !read.Equal(flushed.Bytes()) || stream.Size() != 0 {
		t.Error("Flush")
	}
	flushed.Destroy()
	e, err := session.Seal(read)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := e.Equal(secret(100)); !ok || err != nil {
		t.Error("EqualTo", err)
	}
	if err := b.Destroy(); err != nil {
		t.Error(err)
	}
}

// memguard dies of the fault.
func TestReadOnlySourcesArePanicsOrErrorsAndNoFaults(t *testing.T) {
	together(t)
	frozen := memguard.NewBufferFromBytes(secret(32))
	defer frozen.Destroy()
	v := panics(func() { memguard.NewEnclave(frozen.Bytes()) })
	if err, ok := v.(error); !ok || !errors.Is(err, enclave.ErrReadOnly) {
		t.Errorf("NewEnclave: %v", v)
	}
	if n, err := memguard.NewStream().Write(frozen.Bytes()); n != 0 || !errors.Is(err, enclave.ErrReadOnly) {
		t.Errorf("Write: %d, %v", n, err)
	}
	if e, err := core.NewEnclave(frozen.Bytes()); e != nil || !errors.Is(err, enclave.ErrReadOnly) {
		t.Errorf("core.NewEnclave: %v, %v", e, err)
	}
	if !frozen.EqualTo(secret(32)) {
		t.Error("the buffer is lost")
	}
}
