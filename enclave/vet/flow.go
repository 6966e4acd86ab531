package vet

import (
	"go/token"
	"go/types"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ssa"
)

// A flow follows one secret through the values that share its memory.
type flow struct {
	*secret
	pass     *analysis.Pass
	reported map[token.Pos]bool
	seen     map[ssa.Value]bool
	todo     []ssa.Value
	// stores are those that put the secret into a variable of home.
	stores map[ssa.Instruction]bool
	// fields are those of local structs that hold the secret.
	fields map[ssa.Value]map[int]bool
}

func follow(pass *analysis.Pass, s secret, reported map[token.Pos]bool) {
	f := &flow{secret: &s, pass: pass, reported: reported, seen: map[ssa.Value]bool{},
		stores: map[ssa.Instruction]bool{}, fields: map[ssa.Value]map[int]bool{}}
	f.add(s.value)
	for len(f.todo) > 0 {
		v := f.todo[len(f.todo)-1]
		f.todo = f.todo[:len(f.todo)-1]
		if v.Referrers() == nil {
			continue
		}
		for _, instr := range *v.Referrers() {
			f.use(v, instr)
		}
	}
}

// add makes v one of the values that hold the secret, or its address.
func (f *flow) add(v ssa.Value) {
	if v != nil && !f.seen[v] {
		f.seen[v] = true
		f.todo = append(f.todo, v)
	}
}

// report reports a mistake once.
func (f *flow) report(pos token.Pos, format string, args ...any) {
	if !f.reported[pos] {
		f.reported[pos] = true
		report(f.pass, pos, format, args...)
	}
}

// copied reports a copy in ordinary memory, outside of tests.
func (f *flow) copied(pos token.Pos, format string, args ...any) {
	if !inTest(f.pass, f.home) {
		f.report(pos, format, args...)
	}
}

// heap reports a copy that a function makes.
func (f *flow) heap(pos token.Pos, function string) {
	f.copied(pos, "%s copies the secret to the heap, where it is not locked: use a locked buffer for the copy", function)
}

// printed reports output of the secret.
func (f *flow) printed(pos token.Pos, function string) {
	f.copied(pos, "%s prints the secret: print its size, or the enclave, which is redacted", function)
}

// escapes reports that the secret outlives its lock, if it does.
func (f *flow) escapes(instr ssa.Instruction, how string) {
	if end := f.end(instr); end != "" {
		f.report(instr.Pos(), "the secret from %s %s, but %s", f.from, how, end)
	}
}

// use looks at one instruction that has v as an operand.
func (f *flow) use(v ssa.Value, instr ssa.Instruction) {
	switch i := instr.(type) {
	case *ssa.Slice, *ssa.MakeInterface, *ssa.ChangeInterface, *ssa.TypeAssert, *ssa.Phi, *ssa.SliceToArrayPointer:
		f.add(i.(ssa.Value))
	case *ssa.Extract:
		if !isError(i.Type()) && holds(i.Type()) {
			f.add(i)
		}
	case *ssa.ChangeType:
		if typePath(i.Type()) == "crypto/ed25519.PrivateKey" {
			if f.onlyReads(i) {
				return
			}
			f.report(conversionPos(i), "an ed25519.PrivateKey in locked memory ends the process since Go 1.26: use keys.FromEnclave, or keys.SeedFromEnclave for a seed")
			return
		}
		f.add(i)
	case *ssa.Convert:
		f.convert(i)
	case *ssa.IndexAddr:
		if elem := i.Type().Underlying().(*types.Pointer).Elem(); i.X == v && holds(elem) {
			f.add(i)
		}
	case *ssa.FieldAddr:
		if f.fields[v][i.Field] {
			f.add(i)
		}
	case *ssa.UnOp:
		if i.Op == token.MUL && holds(i.Type()) {
			if !f.overwritten(i) {
				f.add(i)
			}
		} else if i.Op == token.MUL && isByteArray(i.Type()) && !onlyCompared(i) {
			f.copied(i.Pos(), "the array is a copy of the secret outside of locked memory: use a pointer to an array")
		}
	case *ssa.BinOp:
		if i.Op == token.ADD {
			f.copied(i.Pos(), "the concatenation copies the secret to the heap, where it is not locked and can't be wiped: work with its bytes")
		}
	case *ssa.Lookup:
		if i.X == v && holds(i.Type()) {
			f.add(i)
		}
	case *ssa.Store:
		if i.Val == v {
			f.store(i, i.Addr)
		}
	case *ssa.MapUpdate:
		if i.Value == v {
			f.store(i, i.Map)
		}
	case *ssa.Send:
		if i.X == v {
			f.send(i, i.Chan)
		}
	case *ssa.Select:
		for _, state := range i.States {
			if state.Send == v {
				f.send(i, state.Chan)
			}
		}
	case *ssa.Return:
		if i.Parent() == f.home && !isError(v.Type()) {
			f.escapes(i, "is returned")
		}
	case *ssa.Panic:
		f.printed(i.Pos(), "panic")
	case *ssa.MakeClosure:
		for n, bound := range i.Bindings {
			if bound == v {
				f.add(i)
				f.add(i.Fn.(*ssa.Function).FreeVars[n])
			}
		}
	case ssa.CallInstruction:
		f.call(v, i)
	}
}

// onlyReads reports whether all that is done with a private key is to take its halves or
// to compare it, which asks nothing of its memory. The seed is a copy.
func (f *flow) onlyReads(key *ssa.ChangeType) bool {
	for _, r := range *key.Referrers() {
		call, ok := r.(*ssa.Call)
		if !ok {
			return false
		}
		switch symbol(&call.Call) {
		case "crypto/ed25519.PrivateKey.Public", "crypto/ed25519.PrivateKey.Equal":
		case "crypto/ed25519.PrivateKey.Seed":
			f.heap(call.Pos(), "ed25519.PrivateKey.Seed")
		default:
			return false
		}
	}
	return len(*key.Referrers()) > 0
}

// conversionPos returns where a conversion is. One that the source does not spell out, as
// of an argument, is where its result is used.
func conversionPos(c *ssa.ChangeType) token.Pos {
	if c.Pos().IsValid() {
		return c.Pos()
	}
	for _, r := range *c.Referrers() {
		if r.Pos().IsValid() {
			return r.Pos()
		}
	}
	return c.X.Pos()
}

// holds reports whether a value of type t can share the memory of a secret. Arrays of
// bytes are copies, and so are bytes.
func holds(t types.Type) bool {
	switch t := t.Underlying().(type) {
	case *types.Basic:
		return t.Info()&types.IsString != 0
	case *types.Array:
		return holds(t.Elem())
	case *types.Signature, *types.Slice, *types.Pointer, *types.Interface, *types.Map, *types.Struct:
		return true
	}
	return false
}

// typePath returns a named type's package path and name.
func typePath(t types.Type) string {
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil {
		return ""
	}
	return named.Obj().Pkg().Path() + "." + named.Obj().Name()
}

// convert reports a conversion to a string, and back, unless the compiler makes no copy:
// for a comparison, a lookup or a loop.
func (f *flow) convert(c *ssa.Convert) {
	basic, ok := c.Type().Underlying().(*types.Basic)
	if ok && basic.Kind() == types.UnsafePointer {
		return
	}
	if !onlyCompared(c) {
		f.copied(c.Pos(), "the conversion copies the secret to the heap, where it is not locked and can't be wiped: work with its bytes")
	}
}

// onlyCompared reports whether all that is done with a value is to compare it, to look it
// up, or to iterate over it.
func onlyCompared(v ssa.Value) bool {
	for _, r := range *v.Referrers() {
		switch r := r.(type) {
		case *ssa.BinOp:
			if r.Op == token.ADD {
				return false
			}
		case *ssa.Lookup, *ssa.Range:
		default:
			return false
		}
	}
	return true
}

// store looks at a secret that is stored where addr belongs to.
func (f *flow) store(instr ssa.Instruction, addr ssa.Value) {
	v, indirect := variable(addr)
	switch v := v.(type) {
	case *ssa.Alloc:
		f.keep(v, indirect, instr, addr)
	case *ssa.MakeSlice:
		f.keep(v, indirect, instr, addr)
	case *ssa.MakeMap:
		f.keep(v, indirect, instr, addr)
	case *ssa.Global:
		f.escapes(instr, "is stored in a package's variable")
	case *ssa.Parameter:
		// What a receiver or an argument points to is the caller's.
		f.escapes(instr, "is stored in "+v.Name())
	}
}

// send looks at a secret that is sent on a channel. One that home makes leads to the
// goroutines that it waits for.
func (f *flow) send(instr ssa.Instruction, channel ssa.Value) {
	if v, _ := variable(channel); !within(v.Parent(), f.home) || !waits(f.home) {
		f.escapes(instr, "is sent on a channel")
	}
}

// keep follows a secret that is stored in a variable of home, and reports one that is
// stored in a variable outside.
func (f *flow) keep(v ssa.Value, indirect bool, instr ssa.Instruction, addr ssa.Value) {
	if !within(v.Parent(), f.home) {
		f.escapes(instr, "is stored in a variable outside the function")
		return
	}
	if indirect {
		return
	}
	if field, ok := addr.(*ssa.FieldAddr); ok {
		if f.fields[field.X] == nil {
			f.fields[field.X] = map[int]bool{}
		}
		if !f.fields[field.X][field.Field] {
			f.fields[field.X][field.Field] = true
			// What was seen of the struct is looked at again, with the field.
			delete(f.seen, v)
		}
	}
	if !f.stores[instr] {
		f.stores[instr] = true
		// A load right behind this store was taken for one of what overwrote the secret.
		delete(f.seen, v)
	}
	f.add(v)
}

// overwritten reports whether a variable is loaded behind a store to it in the same block
// that is not known to be one of the secret. So it is where a function that defers calls
// returns: it stores its results first, and all its return statements load them.
func (f *flow) overwritten(load *ssa.UnOp) bool {
	if _, ok := load.X.(*ssa.Alloc); !ok {
		return false
	}
	last := lastStore(load)
	return last != nil && !f.stores[last]
}
