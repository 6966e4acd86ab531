package vet

import (
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// packages of memkeep whose functions hand out secrets, below the path of the module.
const modulePath = "github.com/memkeep/memkeep/"

var packages = map[string]bool{
	"enclave": true, "enclave/bearer": true, "enclave/keys": true, "enclave/keys/scram": true,
	"enclave/load": true, "enclave/memguard": true, "enclave/memguard/core": true, "locked": true,
}

// imports reports whether a package uses memkeep, directly.
func imports(pkg *types.Package) bool { return slices.ContainsFunc(pkg.Imports(), inLibrary) }

// inLibrary reports whether a package is one of memkeep's.
func inLibrary(pkg *types.Package) bool {
	rest, ok := strings.CutPrefix(pkg.Path(), modulePath)
	return ok && packages[rest]
}

// callee returns the function or method that a call names, or nil for a dynamic call.
// For an instance of a generic function it returns the generic one.
func callee(call *ssa.CallCommon) *types.Func {
	if call.IsInvoke() {
		return call.Method
	}
	if fn := call.StaticCallee(); fn != nil {
		if obj, ok := fn.Object().(*types.Func); ok {
			return obj.Origin()
		}
	}
	return nil
}

// arguments returns the arguments of a call of a function that callee returns. A method's
// receiver comes first, also where the call is of a method value.
func arguments(call *ssa.CallCommon) []ssa.Value {
	if value, ok := call.Value.(*ssa.MakeClosure); ok {
		return slices.Concat(value.Bindings, call.Args)
	}
	return call.Args
}

// isLibrary reports whether fn is of memkeep's API. It accepts nil.
func isLibrary(fn *types.Func) bool {
	return fn != nil && fn.Pkg() != nil && fn.Exported() && inLibrary(fn.Pkg())
}

// isLibraryStruct reports whether t is a pointer to a struct of memkeep's API.
func isLibraryStruct(t types.Type) bool {
	named := namedType(t)
	return named != nil && named.Obj().Pkg() != nil && inLibrary(named.Obj().Pkg())
}

// receiver returns the name of the type that fn is a method of, or "".
func receiver(fn *types.Func) string {
	recv := fn.Signature().Recv()
	if recv == nil {
		return ""
	}
	return typeName(recv.Type())
}

// typeName returns the name of a named type or of what a pointer to one points to, or "".
func typeName(t types.Type) string {
	if named := namedType(t); named != nil {
		return named.Obj().Name()
	}
	return ""
}

func namedType(t types.Type) *types.Named {
	t = types.Unalias(t)
	if p, ok := t.(*types.Pointer); ok {
		t = types.Unalias(p.Elem())
	}
	named, _ := t.(*types.Named)
	return named
}

// isBuffer reports whether t is a pointer to one of memkeep's buffers.
func isBuffer(t types.Type) bool {
	if _, ok := types.Unalias(t).(*types.Pointer); !ok {
		return false
	}
	named := namedType(t)
	if named == nil || named.Obj().Pkg() == nil {
		return false
	}
	switch strings.TrimPrefix(named.Obj().Pkg().Path(), modulePath) {
	case "locked", "enclave/memguard/core":
		return named.Obj().Name() == "Buffer"
	case "enclave/memguard":
		return named.Obj().Name() == "LockedBuffer"
	}
	return false
}

// isView reports whether fn is a method that returns a buffer's own memory, or a reader
// of it.
func isView(fn *types.Func) bool {
	if !isLibrary(fn) || fn.Signature().Recv() == nil || !isBuffer(fn.Signature().Recv().Type()) {
		return false
	}
	switch name := fn.Name(); name {
	case "Bytes", "Data", "Inner", "Reader":
		return true
	case "String": // of the drop-in's buffer: the others print no secret
		return receiver(fn) == "LockedBuffer"
	default:
		return strings.HasPrefix(name, "ByteArray") || strings.HasPrefix(name, "Int") || strings.HasPrefix(name, "Uint")
	}
}

// returnsError reports whether the last result of fn is an error.
func returnsError(fn *types.Func) bool {
	results := fn.Signature().Results()
	return results.Len() > 0 && isError(results.At(results.Len()-1).Type())
}

func isError(t types.Type) bool { return types.Identical(t, types.Universe.Lookup("error").Type()) }

// isBytes reports whether t is a slice of bytes.
func isBytes(t types.Type) bool {
	s, ok := t.Underlying().(*types.Slice)
	return ok && isByte(s.Elem())
}

func isByte(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Kind() == types.Uint8
}

// isByteArray reports whether t is an array of bytes.
func isByteArray(t types.Type) bool {
	a, ok := t.Underlying().(*types.Array)
	return ok && isByte(a.Elem())
}

// isSecret reports whether a parameter of a callback is a secret or a slice of secrets.
func isSecret(t types.Type) bool {
	if s, ok := t.Underlying().(*types.Slice); ok {
		return isByte(s.Elem()) || isBytes(s.Elem())
	}
	return false
}
