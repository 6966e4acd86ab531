package page

//go:cgo_import_dynamic libc_minherit minherit "/usr/lib/libSystem.B.dylib"
