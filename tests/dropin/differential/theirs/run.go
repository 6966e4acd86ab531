package theirs

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/awnumar/memguard"
	"github.com/awnumar/memguard/core"
)

// Slots are how many values of each kind a script has at hand.
const slots = 4

// A player plays one script, a string of bytes that say what to call with what.
type player struct {
	script   []byte
	step     int
	trace    []string
	buffers  [slots]*memguard.LockedBuffer
	enclaves [slots]*memguard.Enclave
	streams  [2]*memguard.Stream
	coffer   *core.Coffer
}

// Run plays the script and returns what each step showed. It uses the process's
// only session, and leaves it purged.
func Run(script []byte) []string {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	p := &player{script: script}
	for i := range p.streams {
		p.streams[i] = memguard.NewStream()
	}
	for i := range p.buffers {
		p.buffers[i] = memguard.NewBuffer(0)
	}
	// Some scripts stay with one part of the library, to come further in it.
	family := families[int(p.next())%len(families)]
	for len(p.script) > 0 {
		op := family[int(p.next())%len(family)]
		p.step++
		p.try(op.name, func() { op.play(p) })
	}
	p.try("end", memguard.Purge)
	return p.trace
}

// try runs f and records the panic that ends it.
func (p *player) try(name string, f func()) {
	p.say("%d %s", p.step, name)
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error:
			if _, ok := r.(interface{ Addr() uintptr }); ok {
				p.say("fault")
			} else {
				p.say("runtime error")
			}
		default:
			p.say("panic: %v", r)
		}
	}()
	f()
}

func (p *player) say(format string, args ...any) {
	p.trace = append(p.trace, fmt.Sprintf(format, args...))
}

// next returns the next byte of the script, 0 behind its end.
func (p *player) next() byte {
	if len(p.script) == 0 {
		return 0
	}
	b := p.script[0]
	p.script = p.script[1:]
	return b
}

// size returns a size: most small, some around what matters.
func (p *player) size() int {
	b := int(p.next())
	if b < 200 {
		return b%70 - 1
	}
	page := os.Getpagesize()
	special := []int{page - 17, page - 16, page - 1, page, page + 1, 2*page + 5, 4 * page, 4*page + 3, 100, 0}
	return special[b%len(special)]
}

// data returns size bytes that tell where they came from.
func (p *player) data(size int) []byte {
	if size < 1 {
		if p.next()%2 == 0 {
			return nil
		}
		return []byte{}
	}
	b := make([]byte, size)
	seed := p.next()
	for i := range b {
		b[i] = seed + byte(i*7) | 1
	}
	return b
}

func (p *player) slot() int                       { return int(p.next()) % slots }
func (p *player) buffer() *memguard.LockedBuffer  { return p.buffers[p.slot()] }
func (p *player) keep(b *memguard.LockedBuffer)   { p.buffers[p.slot()] = b }
func (p *player) keepEnclave(e *memguard.Enclave) { p.enclaves[p.slot()] = e }
func (p *player) stream() *memguard.Stream        { return p.streams[int(p.next())%len(p.streams)] }

// show records a buffer.
func (p *player) show(b *memguard.LockedBuffer) {
	if b == nil {
		p.say("nil buffer")
		return
	}
	p.say("%d alive=%v mutable=%v nil=%v cap=%d %s", b.Size(), b.IsAlive(), b.IsMutable(),
		b.Bytes() == nil, cap(b.Bytes()), sum(b.Bytes()))
}

// sum shortens data.
func sum(b []byte) string {
	if len(b) <= 8 {
		return hex.EncodeToString(b)
	}
	return hex.EncodeToString(core.Hash(b)[:8])
}

// mistake records an error by its value where it has a name.
func (p *player) mistake(err error) {
	for _, known := range []error{
		io.EOF, io.ErrUnexpectedEOF, errReader, core.ErrNullBuffer, core.ErrBufferExpired, core.ErrNullEnclave,
		core.ErrInvalidKeyLength, core.ErrBufferTooSmall, core.ErrDecryptionFailed, core.ErrCofferExpired,
	} {
		if err == known {
			p.say("== %v", known)
			return
		}
	}
	p.say("%v", err)
}

var errReader = errors.New("the reader's own")

// A feed is a reader that gives its data in pieces and then fails.
type feed struct {
	data  []byte
	piece int
	err   error
	early bool // the error comes with the last data
}

func (f *feed) Read(b []byte) (int, error) {
	n := copy(b, f.data[:min(len(f.data), f.piece)])
	f.data = f.data[n:]
	if len(f.data) == 0 && (n == 0 || f.early) {
		return n, f.err
	}
	return n, nil
}

func (p *player) feed() *feed {
	f := &feed{data: p.data(p.size())}
	how := p.next()
	f.piece = []int{1, 3, 64, 5000}[how%4]
	f.err = io.EOF
	if how&16 != 0 {
		f.err = errReader
	}
	f.early = how&32 != 0
	return f
}

// zero reports whether b was wiped.
func zero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }

// settle replaces random data, which differs from run to run.
func (p *player) settle(b *memguard.LockedBuffer) {
	if b.Size() >= 16 && zero(b.Bytes()) {
		p.say("not random")
	}
	frozen := !b.IsMutable()
	b.Melt()
	b.Copy(bytes.Repeat([]byte{9}, b.Size()))
	if frozen {
		b.Freeze()
	}
}

// numbers records a view.
func numbers[T any](p *player, v []T) {
	p.say("%d nil=%v %s", len(v), v == nil, sum([]byte(strings.Trim(fmt.Sprint(v), "[]"))))
}

// Kinds is how many kinds of steps there are.
func Kinds() int {
	names := map[string]bool{}
	for _, op := range ops {
		names[op.name] = true
	}
	return len(names)
}
