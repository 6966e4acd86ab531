package dropin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/enclave/memguard/core"
	"github.com/memkeep/memkeep/internal/testenv"
	"github.com/memkeep/memkeep/locked"
)

// beside returns the byte at an offset from the start of b, which may lie outside.
func beside(b []byte, offset int) *byte {
	return (*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), offset))
}

func TestSizesBelowOneMakeDestroyedBuffersAndNilEnclaves(t *testing.T) {
	together(t)
	wantNull(t, memguard.NewBuffer(0))
	wantNull(t, memguard.NewBuffer(-1))
	wantNull(t, memguard.NewBufferRandom(-1))
	wantNull(t, memguard.NewBufferFromBytes(nil))
	wantNull(t, &memguard.LockedBuffer{Buffer: new(core.Buffer)})
	if memguard.NewEnclave(nil) != nil || memguard.NewEnclave([]byte{}) != nil || memguard.NewEnclaveRandom(0) != nil || memguard.NewEnclaveRandom(-1) != nil {
		t.Error("an empty enclave is not nil")
	}
	if b, err := core.NewBuffer(0); b != nil || err != core.ErrNullBuffer {
		t.Error(b, err)
	}
	if e, err := core.NewEnclave(nil); e != nil || err != core.ErrNullEnclave {
		t.Error(e, err)
	}
}

func TestZeroValuesAreWhatTheyWere(t *testing.T) {
	together(t)
	(&memguard.LockedBuffer{}).Destroy()
	for what, f := range map[string]func(){
		"Bytes of a zero buffer":   func() { (&memguard.LockedBuffer{}).Bytes() },
		"IsAlive of a zero buffer": func() { (&memguard.LockedBuffer{}).IsAlive() },
		"Open of a zero enclave":   func() { _, _ = (&memguard.Enclave{}).Open() },
		"Open of a nil enclave":    func() { _, _ = (*memguard.Enclave)(nil).Open() },
		"Open of an empty enclave": func() { _, _ = (&memguard.Enclave{Enclave: new(core.Enclave)}).Open() },
		"Write to a zero stream":   func() { _, _ = new(memguard.Stream).Write([]byte{1}) },
	} {
		if panics(f) == nil {
			t.Errorf("%s did not panic", what)
		}
	}
}

func TestDestroyedBufferIsSilent(t *testing.T) {
	together(t)
	b := memguard.NewBuffer(8)
	b.Destroy()
	wantNull(t, b)
	src := []byte("secret")
	b.Move(src)
	b.MoveAt(100, src)
	b.Copy(src)
	b.CopyAt(100, src)
	b.Wipe()
	b.Scramble()
	b.Freeze()
	b.Melt()
	b.Destroy()
	if string(src) != "secret" {
		t.Error("Move into a destroyed buffer changed its source")
	}
	if !b.EqualTo(nil) || b.EqualTo(src) {
		t.Error("EqualTo")
	}
	if b.Uint16() != nil || b.Int8() != nil || b.Int64() != nil || b.ByteArray8() != nil || b.String() != "" || b.Reader().Len() != 0 || b.Inner() != nil {
		t.Error("a view of a destroyed buffer")
	}
	if _, err := core.Seal(b.Buffer); err != core.ErrBufferExpired {
		t.Error(err)
	}
}

func TestSourcesAreWiped(t *testing.T) {
	together(t)
	a, b, c, d := secret(33), secret(33), secret(33), secret(33)
	from := memguard.NewBufferFromBytes(a)
	defer from.Destroy()
	small := memguard.NewBuffer(8)
	defer small.Destroy()
	small.Move(b)
	memguard.NewEnclave(c)
	if _, err := memguard.NewStream().Write(d); err != nil {
		t.Error(err)
	}
	for i, source := range [][]byte{a, b, c, d} {
		if !isZero(source) {
			t.Errorf("source %d is not wiped", i)
		}
	}
	if !from.EqualTo(secret(33)) || !small.EqualTo(secret(8)) || from.IsMutable() || !small.IsMutable() {
		t.Error("the data")
	}
}

func TestDataEndsAtTheGuardPageAndItsCapacityIsItsSize(t *testing.T) {
	together(t)
	page := os.Getpagesize()
	for _, size := range []int{1, 7, 32, page - 16, page} {
		b := memguard.NewBuffer(size)
		data, inner := b.Bytes(), b.Inner()
		if len(data) != size || cap(data) != size || !isZero(data) {
			t.Errorf("%d bytes of a capacity of %d for %d", len(data), cap(data), size)
		}
		if len(inner)%page != 0 || &inner[len(inner)-1] != &data[size-1] || uintptr(unsafe.Pointer(&inner[0]))%uintptr(page) != 0 {
			t.Errorf("%d bytes don't end at the end of whole pages", size)
		}
		testenv.MustFault(t, "reading past the end", func() { testenv.Touch(unsafe.Slice(beside(data, size), 1)) })
		b.Destroy()
	}
}

func TestWritesToFrozenDestroyedAndForeignMemoryEndTheProcess(t *testing.T) {
	together(t)
	for _, name := range []string{"writes frozen", "writes past the end", "reads after destroy"} {
		state, out := child(t, name)
		if !testenv.FaultsHaveAddresses() {
			// It may look like a nil pointer's, which can be recovered from.
			if state.Success() != (out == "recovered true\n") {
				t.Errorf("the child that %s: %v\n%s", name, state, out)
			}
			continue
		}
		if state.Success() || strings.Contains(out, "recovered") {
			t.Errorf("the child that %s: %v\n%s", name, state, out)
		}
	}
}

func TestWriteBeforeTheDataPanicsAtDestroy(t *testing.T) {
	alone(t)
	b, other := memguard.NewBuffer(8), memguard.NewBuffer(8) //memkeep:allow the purge destroys it
	*beside(b.Bytes(), -1) ^= 1
	err, _ := panics(b.Destroy).(error)
	if err == nil || !errors.Is(err, locked.ErrCorrupted) || err.Error() != "<memguard::core::buffer> canary verification failed; buffer overflow detected" {
		t.Errorf("panicked with %v", err)
	}
	if b.IsAlive() || other.IsAlive() {
		t.Error("a buffer survived")
	}
}

// A caller that manages the pages itself may take all access away.
func TestDestroyAfterTheCallerTookTheAccessAway(t *testing.T) {
	together(t)
	for _, freeze := range []bool{false, true} {
		b := memguard.NewBuffer(40)
		if freeze {
			b.Freeze()
		}
		if !testenv.TakeAccess(t, b.Inner()) {
			t.Skip("SKIPPED: no mprotect here")
		}
		b.Destroy()
		// The next user of the pages has what it asks for.
		for range 12 {
			again := memguard.NewBuffer(40)
			if !isZero(again.Bytes()) {
				t.Error("the memory was not wiped")
			}
			again.Bytes()[0] = 1
			again.Destroy()
		}
	}
}

func TestFreezeAndMeltKeepTheAddress(t *testing.T) {
	together(t)
	b := memguard.NewBufferFromBytes(secret(16))
	defer b.Destroy()
	at := &b.Bytes()[0]
	testenv.MustFault(t, "writing a frozen buffer", func() { b.Bytes()[0] = 1 })
	b.Melt()
	b.Bytes()[0] = 1
	b.Freeze()
	if &b.Bytes()[0] != at || *at != 1 || b.IsMutable() {
		t.Error("the data moved")
	}
}

func TestStringAndViewsAliasTheMemory(t *testing.T) {
	together(t)
	b := memguard.NewBuffer(67)
	defer b.Destroy()
	s := b.String()
	b.Bytes()[0] = 'x'
	if s[0] != 'x' || len(s) != 67 {
		t.Error("String is a copy")
	}
	b.Uint16()[1] = 0x4141
	if b.Bytes()[2] != 0x41 || len(b.Uint16()) != 33 || len(b.Uint32()) != 16 || len(b.Uint64()) != 8 ||
		len(b.Int8()) != 67 || len(b.Int16()) != 33 || len(b.Int32()) != 16 || len(b.Int64()) != 8 {
		t.Error("the views' lengths")
	}
	if &b.ByteArray64()[0] != &b.Bytes()[0] || b.ByteArray8() == nil || b.ByteArray16() == nil || b.ByteArray32() == nil {
		t.Error("the arrays")
	}
	one := memguard.NewBuffer(1)
	defer one.Destroy()
	if one.Uint16() != nil || one.ByteArray8() != nil || one.Int64() != nil || len(one.Int8()) != 1 {
		t.Error("views that hold nothing are not nil")
	}
	whole := memguard.NewBuffer(64)
	defer whole.Destroy()
	if uintptr(unsafe.Pointer(&whole.Uint64()[0]))%8 != 0 {
		t.Error("a view of whole values is not aligned")
	}
}

func TestCopyAndMoveTruncateAndCheckTheirOffset(t *testing.T) {
	together(t)
	b := memguard.NewBuffer(4)
	defer b.Destroy()
	b.Copy([]byte("abcdefgh"))
	b.CopyAt(4, []byte("x"))
	b.MoveAt(2, []byte("12345"))
	if b.String() != "ab12" {
		t.Errorf("%q", b.String())
	}
	for _, at := range []int{5, -1} {
		if panics(func() { b.CopyAt(at, []byte("x")) }) == nil || panics(func() { b.MoveAt(at, nil) }) == nil {
			t.Errorf("offset %d", at)
		}
	}
	// The lock was given back.
	b.Melt()
}

func TestFormattersRedactAndStringDoesNot(t *testing.T) {
	together(t)
	b := memguard.NewBufferFromBytes([]byte("hunter2 hunter2"))
	defer b.Destroy()
	e := memguard.NewEnclave([]byte("hunter2 hunter2"))
	var out bytes.Buffer
	for _, logger := range []*slog.Logger{slog.New(slog.NewTextHandler(&out, nil)), slog.New(slog.NewJSONHandler(&out, nil))} {
		logger.Info("secrets", "buffer", b, "core", b.Buffer, "enclave", e, "inside", struct{ B *memguard.LockedBuffer }{b})
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, v := range []any{b, *b, b.Buffer, e, e.Enclave, &memguard.LockedBuffer{}, &memguard.Enclave{}} {
			text := fmt.Sprintf(verb, v)
			_, hasString := v.(fmt.GoStringer) // an enclave, whose String fmt calls for some verbs
			if !strings.Contains(text, "REDACTED") && !(hasString && (verb == "%x" || verb == "%d")) {
				t.Errorf("%s of %T is %s", verb, v, text)
			}
			out.WriteString(text)
		}
	}
	text, err := json.Marshal(map[string]any{"b": b, "c": b.Buffer, "e": e, "k": core.NewCoffer()})
	if err != nil {
		t.Error(err)
	}
	out.Write(text)
	for _, leak := range []string{"hunter2", "68756e74", "68 75", "104 117"} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q in %s", leak, out.String())
		}
	}
	if b.String() != "hunter2 hunter2" {
		t.Error("String does not return the content")
	}
}

func TestDataOutlivesAnUnreachableHandleAndFinalizersRun(t *testing.T) {
	together(t)
	ran := make(chan struct{})
	data := func() []byte {
		b := memguard.NewBufferFromBytes(secret(32))
		inner := b.Buffer
		runtime.SetFinalizer(b, func(*memguard.LockedBuffer) { close(ran) })
		t.Cleanup(inner.Destroy)
		return b.Bytes()
	}()
	for finalized := false; !finalized; {
		runtime.GC()
		select {
		case <-ran:
			finalized = true
		default:
			runtime.Gosched()
		}
	}
	if !bytes.Equal(data, secret(32)) {
		t.Error("the data is gone")
	}
}

// memguard's callers use the exported lock to keep others out.
func TestMethodsHonourTheExportedLock(t *testing.T) {
	alone(t)
	b := memguard.NewBuffer(8)
	defer b.Destroy()
	b.RLock()
	if !b.IsAlive() || !b.EqualTo(make([]byte, 8)) || b.Int8() == nil || !b.IsMutable() {
		t.Error("readers")
	}
	var writers sync.WaitGroup
	for _, f := range []func(){func() { b.Copy([]byte{1}) }, b.Wipe, b.Melt, memguard.Purge} {
		writers.Go(f)
	}
	for range 1000 {
		if b.Bytes()[0] != 0 {
			t.Error("a writer came in")
		}
		runtime.Gosched()
	}
	b.RUnlock()
	writers.Wait()
	wantNull(t, b)
}
