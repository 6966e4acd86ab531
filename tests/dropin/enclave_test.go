package dropin

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/memkeep/memkeep/enclave/memguard"
	"github.com/memkeep/memkeep/enclave/memguard/core"
)

func TestOpenGivesAnImmutableBufferAnyNumberOfTimes(t *testing.T) {
	together(t)
	e := memguard.NewEnclave(secret(32))
	for range 3 {
		b := mustOpen(t, e)
		if b.IsMutable() || !b.EqualTo(secret(32)) || e.Size() != 32 {
			t.Error("not what was sealed")
		}
		b.Destroy()
	}
	again := mustOpen(t, e)
	sealed := again.Seal()
	if sealed == nil || again.IsAlive() {
		t.Fatal("Seal of a frozen buffer")
	}
	b := mustOpen(t, sealed)
	defer b.Destroy()
	if !b.EqualTo(secret(32)) {
		t.Error("the data")
	}
}

func TestRandomEnclavesDiffer(t *testing.T) {
	together(t)
	a, b := mustOpen(t, memguard.NewEnclaveRandom(32)), memguard.NewBufferRandom(32)
	defer a.Destroy()
	defer b.Destroy()
	if a.EqualTo(b.Bytes()) || isZero(a.Bytes()) || isZero(b.Bytes()) || b.IsMutable() {
		t.Error("not random, or not frozen")
	}
}

func TestPurgeKillsBuffersAndOldEnclavesAndTheProgramGoesOn(t *testing.T) {
	alone(t)
	b, e, s, c := memguard.NewBuffer(8), memguard.NewEnclave(secret(8)), memguard.NewStream(), core.NewCoffer()
	if _, err := s.Write(secret(9)); err != nil {
		t.Fatal(err)
	}
	memguard.Purge()
	wantNull(t, b)
	if got, err := e.Open(); got != nil || err != core.ErrDecryptionFailed {
		t.Error(got, err)
	}
	if e.Size() != 8 || s.Size() != 9 {
		t.Error("the sizes are gone")
	}
	if got, err := s.Next(); err != core.ErrDecryptionFailed {
		t.Error(err)
	} else {
		wantNull(t, got)
	}
	if _, err := c.View(); err != core.ErrCofferExpired || !c.Destroyed() || c.Rekey() != err || c.Init() != err {
		t.Error(err)
	}
	fresh := mustOpen(t, memguard.NewEnclave(secret(8)))
	defer fresh.Destroy()
	if !fresh.EqualTo(secret(8)) {
		t.Error("the new session")
	}
}

func TestSafePanicPurgesAndPanicsWithTheSameValue(t *testing.T) {
	alone(t)
	b := memguard.NewBuffer(8)
	value := errors.New("the value")
	if got := panics(func() { memguard.SafePanic(value) }); got != value {
		t.Errorf("panicked with %v", got)
	}
	wantNull(t, b)
}

func TestSafeExitEndsWithItsCode(t *testing.T) {
	together(t)
	for _, name := range []string{"exits 7", "exits 7 overrun"} {
		if state, out := child(t, name); state.ExitCode() != 7 {
			t.Errorf("%s: %v\n%s", name, state, out)
		}
	}
}

func TestCofferKeepsItsValueUntilItsEnd(t *testing.T) {
	together(t)
	c := core.NewCoffer()
	view := func() []byte {
		b, err := c.View()
		if err != nil {
			t.Fatal(err)
		}
		defer b.Destroy()
		if !b.Mutable() || len(b.Data()) != 32 {
			t.Error("the view")
		}
		return bytes.Clone(b.Data())
	}
	first := view()
	if err := c.Rekey(); err != nil || !bytes.Equal(view(), first) {
		t.Error("Rekey changed the value", err)
	}
	if err := c.Init(); err != nil || bytes.Equal(view(), first) {
		t.Error("Init did not", err)
	}
	if err := c.Destroy(); err != nil || !c.Destroyed() {
		t.Error(err)
	}
	if _, err := c.View(); err != core.ErrCofferExpired || c.Destroy() != nil {
		t.Error(err)
	}
}

func TestStreamIsAQueue(t *testing.T) {
	together(t)
	page := os.Getpagesize()
	if memguard.StreamChunkSize != 4*page {
		t.Error(memguard.StreamChunkSize)
	}
	s := memguard.NewStream()
	if n, err := s.Read(make([]byte, 8)); n != 0 || err != io.EOF {
		t.Error(n, err)
	}
	if b, err := s.Next(); err != io.EOF {
		t.Error(err)
	} else {
		wantNull(t, b)
	}
	if b, err := s.Flush(); err != nil {
		t.Error(err)
	} else {
		wantNull(t, b)
	}
	data := secret(4*page + 10)
	data[4*page] = 7
	if n, err := s.Write(data); n != 4*page+10 || err != nil || !isZero(data) {
		t.Error(n, err)
	}
	if s.Len() != 2 || s.Size() != 4*page+10 || s.Front().Value.(*memguard.Enclave).Size() != 4*page {
		t.Error("the chunks")
	}
	if n, err := s.Read(nil); n != 0 || err != nil || s.Size() != 4*page+10 {
		t.Error(n, err)
	}
	buf := make([]byte, 5*page)
	// A part, then the rest of that chunk and no more.
	if n, err := s.Read(buf[:10]); n != 10 || err != nil || s.Len() != 2 || s.Front().Value.(*memguard.Enclave).Size() != 4*page-10 {
		t.Error(n, err)
	}
	if n, err := s.Read(buf); n != 4*page-10 || err != nil || !bytes.Equal(buf[:n], secret(n)) {
		t.Error(n, err)
	}
	if _, err := s.Write(secret(3)); err != nil {
		t.Error(err)
	}
	b, err := s.Flush()
	if err != nil || b.Size() != 13 || b.Bytes()[0] != 7 || b.IsMutable() || s.Len() != 0 {
		t.Error("Flush", err)
	}
	b.Destroy()
}

func TestStreamChunkSizeTellsAndChangesNothing(t *testing.T) {
	alone(t)
	defer func(was int) { memguard.StreamChunkSize = was }(memguard.StreamChunkSize)
	memguard.StreamChunkSize = 1
	s := memguard.NewStream()
	if _, err := s.Write(secret(100)); err != nil || s.Len() != 1 {
		t.Error(s.Len(), err)
	}
}

func TestReadersGiveWhatWasReadWithTheError(t *testing.T) {
	together(t)
	own := errors.New("the reader's own")
	type reading func() (*memguard.LockedBuffer, error)
	full := func(r io.Reader, size int) reading {
		return func() (*memguard.LockedBuffer, error) { return memguard.NewBufferFromReader(r, size) }
	}
	until := func(r io.Reader) reading {
		return func() (*memguard.LockedBuffer, error) { return memguard.NewBufferFromReaderUntil(r, '\n') }
	}
	entire := func(r io.Reader) reading {
		return func() (*memguard.LockedBuffer, error) { return memguard.NewBufferFromEntireReader(r) }
	}
	failing := func(s string) io.Reader { return io.MultiReader(strings.NewReader(s), iotest.ErrReader(own)) }
	for i, c := range []struct {
		read reading
		want string
		err  error
	}{
		{full(strings.NewReader("abcdef"), 4), "abcd", nil},
		{full(iotest.OneByteReader(strings.NewReader("abcdef")), 4), "abcd", nil},
		{full(iotest.DataErrReader(strings.NewReader("abcd")), 4), "abcd", nil},
		{full(strings.NewReader("ab"), 4), "ab", io.ErrUnexpectedEOF},
		{full(failing("ab"), 4), "ab", own},
		{full(failing(""), 4), "", own},
		{full(strings.NewReader(""), 4), "", io.EOF},
		{full(failing("ab"), 0), "", nil},
		{until(strings.NewReader("ab\ncd")), "ab", nil},
		{until(strings.NewReader("\ncd")), "", nil},
		{until(strings.NewReader("ab")), "ab", io.EOF},
		{until(strings.NewReader("")), "", io.EOF},
		{until(failing("ab")), "ab", own},
		{entire(strings.NewReader("abc")), "abc", nil},
		{entire(strings.NewReader("")), "", nil},
		{entire(failing("abc")), "abc", own},
		{entire(failing("")), "", own},
	} {
		b, err := c.read()
		if err != c.err {
			t.Errorf("case %d: %v, not %v", i, err, c.err)
		}
		if b == nil || b.String() != c.want || b.IsMutable() || b.IsAlive() != (c.want != "") {
			t.Errorf("case %d: not a frozen %q", i, c.want)
		}
		b.Destroy()
	}
}

// Programs ask for the most that there may be, and keep what there is.
func TestShortReadKeepsNoMorePagesThanItNeeds(t *testing.T) {
	together(t)
	page := os.Getpagesize()
	for n, pages := range map[int]int{3: 1, page - 16: 1, page - 15: 2, 2*page - 16: 2} {
		b, err := memguard.NewBufferFromReader(bytes.NewReader(secret(n)), 3*page)
		if err != io.ErrUnexpectedEOF || !b.EqualTo(secret(n)) {
			t.Fatalf("%d bytes: %d, %v", n, b.Size(), err)
		}
		if got := len(b.Inner()); got != pages*page {
			t.Errorf("%d bytes are in %d bytes of pages", n, got)
		}
		b.Destroy()
	}
}

func TestUntilLeavesWhatComesAfterTheDelimiter(t *testing.T) {
	together(t)
	r := strings.NewReader("key\nrest")
	b, err := memguard.NewBufferFromReaderUntil(r, '\n')
	if err != nil {
		t.Fatal(err)
	}
	b.Destroy()
	if rest, _ := io.ReadAll(r); string(rest) != "rest" {
		t.Errorf("%q is left", rest)
	}
}

func TestReaderThatGivesNothingDoesNotHang(t *testing.T) {
	together(t)
	b, err := memguard.NewBufferFromEntireReader(nothing{})
	if err != io.ErrNoProgress {
		t.Error(err)
	}
	wantNull(t, b)
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestCiphertextsOfTheCallersKeyAreSecretbox(t *testing.T) {
	t.Parallel()
	key := secret(32)
	sealed, err := core.Encrypt([]byte("message"), key)
	if err != nil || len(sealed) != 7+core.Overhead {
		t.Fatal(err)
	}
	out := make([]byte, 7)
	if n, err := core.Decrypt(sealed, key, out); n != 7 || err != nil || string(out) != "message" {
		t.Error(n, err)
	}
	// In place, which the cipher itself refuses.
	if n, err := core.Decrypt(bytes.Clone(sealed), key, make([]byte, 0, 7)); n != 7 || err != nil {
		t.Error(n, err)
	}
	place := bytes.Clone(sealed)
	if n, err := core.Decrypt(place, key, place); n != 7 || err != nil || string(place[:7]) != "message" {
		t.Error(n, err)
	}
	if _, err := core.Decrypt(sealed, key[:31], out); err != core.ErrInvalidKeyLength {
		t.Error(err)
	}
	if _, err := core.Encrypt(sealed, nil); err != core.ErrInvalidKeyLength {
		t.Error(err)
	}
	if _, err := core.Decrypt(sealed, key, out[:6:6]); err != core.ErrBufferTooSmall {
		t.Error(err)
	}
	for n := range core.Overhead {
		if got, err := core.Decrypt(sealed[:n], key, out); got != 0 || err != core.ErrDecryptionFailed {
			t.Errorf("%d bytes: %d, %v", n, got, err)
		}
	}
	sealed[30] ^= 1
	clear(out)
	if _, err := core.Decrypt(sealed, key, out); err != core.ErrDecryptionFailed || !isZero(out) {
		t.Error(err)
	}
}
