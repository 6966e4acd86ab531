package vet

import (
	"go/token"
	"slices"

	"golang.org/x/tools/go/ssa"
)

// variable returns the value that the memory at an address belongs to, and whether a
// pointer was followed on the way.
func variable(addr ssa.Value) (v ssa.Value, indirect bool) {
	for {
		switch a := addr.(type) {
		case *ssa.FieldAddr:
			addr = a.X
		case *ssa.IndexAddr:
			addr = a.X
		case *ssa.Slice:
			addr = a.X
		case *ssa.ChangeType:
			addr = a.X
		case *ssa.UnOp:
			if a.Op != token.MUL {
				return addr, indirect
			}
			addr, indirect = a.X, true
		case *ssa.FreeVar:
			outer := binding(a)
			if outer == nil {
				return addr, indirect
			}
			addr = outer
		default:
			return addr, indirect
		}
	}
}

// binding returns what a free variable is bound to in the enclosing function, or nil.
func binding(v *ssa.FreeVar) ssa.Value {
	fn := v.Parent()
	if fn.Parent() == nil {
		return nil
	}
	index := -1
	for i, free := range fn.FreeVars {
		if free == v {
			index = i
		}
	}
	for _, block := range fn.Parent().Blocks {
		for _, instr := range block.Instrs {
			if c, ok := instr.(*ssa.MakeClosure); ok && c.Fn == fn && index >= 0 {
				return c.Bindings[index]
			}
		}
	}
	return nil
}

// place returns the local variable that a value is loaded from, if it is assigned once,
// and otherwise the value.
func place(v ssa.Value) ssa.Value {
	load, ok := v.(*ssa.UnOp)
	if !ok || load.Op != token.MUL {
		return v
	}
	switch load.X.(type) {
	case *ssa.Alloc, *ssa.FreeVar:
	default:
		return v
	}
	owner, _ := variable(load.X)
	cell, ok := owner.(*ssa.Alloc)
	if !ok {
		return v
	}
	if values, ok := stored(cell); !ok || len(values) != 1 {
		return v
	}
	return cell
}

// stored returns what a function and its closures store in a local variable. It returns
// false if others have its address, and may store there too.
func stored(cell ssa.Value) (values []ssa.Value, ok bool) {
	for _, r := range *cell.Referrers() {
		switch r := r.(type) {
		case *ssa.UnOp, *ssa.DebugRef:
		case *ssa.Store:
			if r.Val == cell {
				return nil, false
			}
			values = append(values, r.Val)
		case *ssa.MakeClosure:
			inside, ok := stored(r.Fn.(*ssa.Function).FreeVars[slices.Index(r.Bindings, cell)])
			if !ok {
				return nil, false
			}
			values = append(values, inside...)
		default:
			return nil, false
		}
	}
	return values, true
}

// elements returns what is stored in the elements of an array, such as that of the
// arguments of a variadic function.
func elements(array *ssa.Alloc) []ssa.Value {
	var values []ssa.Value
	for _, r := range *array.Referrers() {
		if element, ok := r.(*ssa.IndexAddr); ok {
			for _, r := range *element.Referrers() {
				if store, ok := r.(*ssa.Store); ok && store.Addr == element {
					values = append(values, store.Val)
				}
			}
		}
	}
	return values
}

// loads returns the loads in a store's function that may be of what it stores.
func loads(store *ssa.Store) []*ssa.UnOp {
	var all []*ssa.UnOp
	for _, block := range store.Parent().Blocks {
		for _, instr := range block.Instrs {
			load, ok := instr.(*ssa.UnOp)
			if !ok || load.Op != token.MUL || !alike(load.X, store.Addr) {
				continue
			}
			if last := lastStore(load); last == nil || last == store {
				all = append(all, load)
			}
		}
	}
	return all
}

// lastStore returns the store before a load, in the same block, of what it loads, or nil.
func lastStore(load *ssa.UnOp) *ssa.Store {
	var last *ssa.Store
	for _, instr := range load.Block().Instrs {
		if instr == load {
			break
		}
		if store, ok := instr.(*ssa.Store); ok && alike(store.Addr, load.X) {
			last = store
		}
	}
	return last
}

// alike reports whether two values are the same, or are computed alike: loads, and the
// addresses of fields and elements.
func alike(a, b ssa.Value) bool {
	switch x := a.(type) {
	case *ssa.FieldAddr:
		if y, ok := b.(*ssa.FieldAddr); ok {
			return x.Field == y.Field && alike(x.X, y.X)
		}
	case *ssa.IndexAddr:
		if y, ok := b.(*ssa.IndexAddr); ok {
			return alike(x.X, y.X) && alike(x.Index, y.Index)
		}
	case *ssa.UnOp:
		if y, ok := b.(*ssa.UnOp); ok && x.Op == token.MUL && y.Op == token.MUL {
			return alike(x.X, y.X)
		}
	}
	return a == b
}
