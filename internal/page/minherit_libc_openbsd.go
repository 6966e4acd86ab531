package page

//go:cgo_import_dynamic libc_minherit minherit "libc.so"
