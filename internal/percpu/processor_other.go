//go:build !linux || !amd64 || purego

package percpu

const numbered = false

func processor() uint32 { panic("percpu: internal error: no processor numbers on this platform") }
