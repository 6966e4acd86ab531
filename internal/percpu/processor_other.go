//go:build !linux || !amd64 || purego

package percpu

const numbered = false

func processor() uint32 { panic("percpu: internal error: the processor's number is not to be had") }
