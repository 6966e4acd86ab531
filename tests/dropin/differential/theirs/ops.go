package theirs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"unsafe"

	"github.com/awnumar/memguard"
	"github.com/awnumar/memguard/core"
)

// An op is one kind of step.
type op struct {
	name string
	play func(p *player)
}

var (
	ops      = slices.Concat(bufferOps, viewOps, enclaveOps, streamOps, coreOps)
	families = [][]op{
		ops, ops,
		streamOps, slices.Concat(streamOps, enclaveOps),
		slices.Concat(bufferOps, viewOps), slices.Concat(bufferOps, enclaveOps), coreOps,
	}
)

var bufferOps = []op{
	{"NewBuffer", func(p *player) { b := memguard.NewBuffer(p.size()); p.show(b); p.keep(b) }},
	{"NewBufferFromBytes", func(p *player) {
		src := p.data(p.size())
		b := memguard.NewBufferFromBytes(src)
		p.show(b)
		p.say("wiped=%v", zero(src))
		p.keep(b)
	}},
	{"NewBufferFromReader", func(p *player) {
		f := p.feed()
		b, err := memguard.NewBufferFromReader(f, p.size())
		p.show(b)
		p.mistake(err)
		p.say("left %d", len(f.data))
		p.keep(b)
	}},
	{"NewBufferFromReaderUntil", func(p *player) {
		f := p.feed()
		b, err := memguard.NewBufferFromReaderUntil(f, p.next()|1)
		p.show(b)
		p.mistake(err)
		p.say("left %d", len(f.data))
		p.keep(b)
	}},
	{"NewBufferFromEntireReader", func(p *player) {
		b, err := memguard.NewBufferFromEntireReader(p.feed())
		p.show(b)
		p.mistake(err)
		p.keep(b)
	}},
	{"NewBufferRandom", func(p *player) {
		b := memguard.NewBufferRandom(p.size())
		p.say("mutable=%v", b.IsMutable())
		p.settle(b)
		p.show(b)
		p.keep(b)
	}},
	{"Freeze", func(p *player) {
		b := p.buffer()
		was := unsafe.SliceData(b.Bytes())
		b.Freeze()
		p.say("moved=%v", was != unsafe.SliceData(b.Bytes()))
		p.show(b)
	}},
	{"Melt", func(p *player) {
		b := p.buffer()
		was := unsafe.SliceData(b.Bytes())
		b.Melt()
		p.say("moved=%v", was != unsafe.SliceData(b.Bytes()))
		p.show(b)
	}},
	{"Seal", func(p *player) {
		b := p.buffer()
		e := b.Seal()
		p.say("nil=%v", e == nil)
		p.show(b)
		if e != nil {
			p.say("%d", e.Size())
			p.keepEnclave(e)
		}
	}},
	{"Copy", func(p *player) { b, src := p.buffer(), p.data(p.size()); fill(p, b, src, func() { b.Copy(src) }) }},
	{"CopyAt", func(p *player) {
		b, src, at := p.buffer(), p.data(p.size()), p.size()
		fill(p, b, src, func() { b.CopyAt(at, src) })
	}},
	{"Move", func(p *player) { b, src := p.buffer(), p.data(p.size()); fill(p, b, src, func() { b.Move(src) }) }},
	{"MoveAt", func(p *player) {
		b, src, at := p.buffer(), p.data(p.size()), p.size()
		fill(p, b, src, func() { b.MoveAt(at, src) })
	}},
	{"Scramble", func(p *player) {
		// The system's generator ends the program where it can't write.
		if b := p.buffer(); b.IsMutable() || !b.IsAlive() {
			b.Scramble()
			p.settle(b)
			p.show(b)
		}
	}},
	{"Wipe", func(p *player) { b := p.buffer(); b.Wipe(); p.show(b) }},
	{"write", func(p *player) {
		b := p.buffer()
		at := p.size()
		defer p.show(b)
		b.Bytes()[at] = p.next()
	}},
	{"Destroy", func(p *player) { b := p.buffer(); b.Destroy(); p.show(b); b.Destroy() }},
	{"EqualTo", func(p *player) {
		b := p.buffer()
		p.say("%v %v %v", b.EqualTo(nil), b.EqualTo(bytes.Clone(b.Bytes())), b.EqualTo(p.data(p.size())))
	}},
	{"overrun", func(p *player) {
		// Data that fills its pages has no canary in memguard.
		at := p.slot()
		b := p.buffers[at]
		if p.next()%32 != 0 || !b.IsMutable() || b.Size()%os.Getpagesize() == 0 {
			return
		}
		p.buffers[at] = memguard.NewBuffer(0)
		*(*byte)(unsafe.Add(unsafe.Pointer(unsafe.SliceData(b.Bytes())), -1))++
		b.Destroy()
	}},
}

// fill runs a copy and records its effects, when it panics too.
func fill(p *player, b *memguard.LockedBuffer, src []byte, f func()) {
	defer func() {
		p.show(b)
		p.say("wiped=%v", zero(src))
	}()
	f()
}

var viewOps = []op{
	{"String", func(p *player) {
		b := p.buffer()
		s := b.String()
		p.say("%s aliases=%v", sum([]byte(s)), unsafe.StringData(s) == unsafe.SliceData(b.Bytes()))
	}},
	{"Reader", func(p *player) {
		r := p.buffer().Reader()
		all, err := io.ReadAll(r)
		p.say("%d %s %v", r.Size(), sum(all), err)
	}},
	{"unsigned", func(p *player) {
		b := p.buffer()
		numbers(p, b.Uint16())
		numbers(p, b.Uint32())
		numbers(p, b.Uint64())
	}},
	{"signed", func(p *player) {
		b := p.buffer()
		numbers(p, b.Int8())
		numbers(p, b.Int16())
		numbers(p, b.Int32())
		numbers(p, b.Int64())
	}},
	{"arrays", func(p *player) {
		b := p.buffer()
		p.say("%v %v %v %v", b.ByteArray8() == nil, b.ByteArray16() == nil, b.ByteArray32() == nil, b.ByteArray64() == nil)
		if a := b.ByteArray8(); a != nil {
			p.say("%x %v", *a, &a[0] == &b.Bytes()[0])
		}
		if a := b.ByteArray64(); a != nil {
			p.say("%s", sum(a[:]))
		}
	}},
	{"Inner", func(p *player) {
		b := p.buffer()
		inner := b.Inner()
		p.say("nil=%v pages=%v", inner == nil, len(inner)%os.Getpagesize() == 0)
		if n := b.Size(); n > 0 {
			p.say("%v", &inner[len(inner)-n] == &b.Bytes()[0])
		}
	}},
}

var enclaveOps = []op{
	{"NewEnclave", func(p *player) {
		src := p.data(p.size())
		e := memguard.NewEnclave(src)
		p.say("nil=%v wiped=%v", e == nil, zero(src))
		p.keepEnclave(e)
	}},
	{"NewEnclaveRandom", func(p *player) {
		e := memguard.NewEnclaveRandom(p.size())
		p.say("nil=%v", e == nil)
		if e != nil {
			b, err := e.Open()
			p.mistake(err)
			p.settle(b)
			p.show(b)
			p.keepEnclave(b.Seal())
		}
	}},
	{"Open", func(p *player) {
		b, err := p.enclaves[p.slot()].Open()
		p.show(b)
		p.mistake(err)
		if err == nil {
			p.keep(b)
		}
	}},
	{"Enclave.Size", func(p *player) { p.say("%d", p.enclaves[p.slot()].Size()) }},
	{"zero values", func(p *player) {
		switch p.next() % 8 {
		case 0:
			(&memguard.LockedBuffer{}).Destroy()
		case 1:
			(&memguard.LockedBuffer{}).Bytes()
		case 2:
			(&memguard.LockedBuffer{}).IsAlive()
		case 3:
			_, _ = (&memguard.Enclave{}).Open()
		case 4:
			_, _ = (*memguard.Enclave)(nil).Open()
		case 5:
			_, _ = new(memguard.Stream).Write([]byte{1})
		case 6:
			(&memguard.LockedBuffer{}).Seal()
		case 7:
			p.show(&memguard.LockedBuffer{Buffer: new(core.Buffer)})
		}
	}},
	{"Purge", func(p *player) {
		if p.next()%4 == 0 {
			memguard.Purge()
		}
	}},
	{"SafePanic", func(p *player) {
		if p.next()%4 == 0 {
			memguard.SafePanic(fmt.Sprint("on purpose ", p.next()))
		}
	}},
	{"bytes", func(p *player) {
		b := p.data(p.size())
		memguard.ScrambleBytes(b)
		p.say("%v", len(b) >= 16 && zero(b))
		memguard.WipeBytes(b)
		p.say("%v", zero(b))
	}},
}

var streamOps = []op{
	{"Stream.Write", writeStream},
	{"Stream.Write", writeStream},
	{"Stream.Read", func(p *player) {
		s := p.stream()
		b := make([]byte, max(0, p.size()))
		n, err := s.Read(b)
		p.say("%d %s", n, sum(b))
		p.mistake(err)
	}},
	{"Stream.Next", func(p *player) {
		b, err := p.stream().Next()
		p.show(b)
		p.mistake(err)
		p.keep(b)
	}},
	{"Stream.Flush", func(p *player) {
		b, err := p.stream().Flush()
		p.show(b)
		p.mistake(err)
		p.keep(b)
	}},
	{"Stream.Size", func(p *player) {
		s := p.stream()
		p.say("%d in %d", s.Size(), s.Len())
		for e := s.Front(); e != nil; e = e.Next() {
			p.say("%d", e.Value.(*memguard.Enclave).Size())
		}
	}},
	{"Stream's list", func(p *player) {
		s := p.stream()
		if e := s.Front(); e != nil {
			b, err := e.Value.(*memguard.Enclave).Open()
			p.show(b)
			p.mistake(err)
			s.MoveToBack(e)
		}
		if e := p.enclaves[p.slot()]; e != nil {
			s.PushBack(e)
		}
	}},
}

func writeStream(p *player) {
	data := p.data(p.size())
	if p.next()%8 == 0 {
		data = p.data(os.Getpagesize() * 9)
	}
	n, err := p.stream().Write(data)
	p.say("%d %v wiped=%v", n, err, zero(data))
}

var coreOps = []op{
	{"core.NewBuffer", func(p *player) {
		b, err := core.NewBuffer(p.size())
		p.say("nil=%v", b == nil)
		p.mistake(err)
		if b != nil {
			p.keep(&memguard.LockedBuffer{Buffer: b})
		}
	}},
	{"core.Seal and core.Open", func(p *player) {
		b := p.buffer()
		e, err := core.Seal(b.Buffer)
		p.mistake(err)
		if err != nil {
			return
		}
		p.say("%d", core.EnclaveSize(e))
		again, err := core.Open(e)
		p.mistake(err)
		p.show(&memguard.LockedBuffer{Buffer: again})
		p.keep(&memguard.LockedBuffer{Buffer: again})
		p.keepEnclave(&memguard.Enclave{Enclave: e})
	}},
	{"core.NewEnclave", func(p *player) {
		src := p.data(p.size())
		e, err := core.NewEnclave(src)
		p.say("nil=%v wiped=%v", e == nil, zero(src))
		p.mistake(err)
	}},
	{"core.Decrypt", func(p *player) {
		key, plain := p.data(p.size()), p.data(p.size())
		if p.next()%2 == 0 {
			key = bytes.Repeat([]byte{5}, 32)
		}
		sealed, err := core.Encrypt(plain, key)
		p.mistake(err)
		if err != nil {
			return
		}
		p.say("%v", len(sealed)-len(plain) == core.Overhead)
		out := make([]byte, max(0, p.size()))
		if p.next()%2 == 0 {
			out = make([]byte, len(plain))
		}
		how := p.next() % 8
		if how == 0 {
			sealed[len(sealed)-1] ^= 1
		}
		if how == 1 {
			// Less than a nonce makes memguard panic, and is an error here.
			const nonce = 24
			sealed = sealed[:min(len(sealed), max(nonce, p.size()))]
		}
		if how == 2 {
			out = sealed[core.Overhead:]
		}
		if how == 3 {
			out = out[:0]
		}
		n, err := core.Decrypt(sealed, key, out)
		p.say("%d %s", n, sum(out))
		p.mistake(err)
	}},
	{"core.Copy", func(p *player) {
		dst, src := p.data(p.size()), p.data(p.size())
		if p.next()%2 == 0 {
			core.Copy(dst, src)
		} else {
			core.Move(dst, src)
		}
		p.say("%s %s %v", sum(dst), sum(src), core.Equal(dst, src))
		core.Wipe(dst)
		p.say("%v %s", zero(dst), sum(core.Hash(src)))
		p.mistake(core.Scramble(dst))
	}},
	{"core.Coffer", playCoffer},
}

// playCoffer tries a coffer from its making to its end.
func playCoffer(p *player) {
	if p.next()%4 != 0 {
		return
	}
	if p.coffer == nil || p.next()%4 == 0 {
		p.coffer = core.NewCoffer()
	}
	c := p.coffer
	p.say("%v %v %v", c.Destroyed(), (*core.Coffer)(nil).Destroyed(), new(core.Coffer).Destroyed())
	view := func() []byte {
		b, err := c.View()
		p.mistake(err)
		if err != nil {
			return nil
		}
		defer b.Destroy()
		p.say("%d %v %v", len(b.Data()), b.Mutable(), b.Alive())
		return bytes.Clone(b.Data()) //memkeep:allow two keys are compared
	}
	first := view()
	p.mistake(c.Rekey())
	second := view()
	p.say("%v", bytes.Equal(first, second))
	p.mistake(c.Init())
	third := view()
	p.say("%v", third != nil && bytes.Equal(first, third))
	if p.next()%2 == 0 {
		p.mistake(c.Destroy())
		p.say("%v", c.Destroyed())
		view()
		p.mistake(c.Rekey())
		p.mistake(c.Init())
		p.mistake(c.Destroy())
	}
}
