package harden

import "golang.org/x/sys/windows"

// NoCoreDumps keeps a crash from Windows Error Reporting, and so from the dumps
// that it uploads or keeps: SetErrorMode, SEM_NOGPFAULTERRORBOX "The system does
// not invoke Windows Error Reporting". The Go runtime asks for the same at its
// start; this asks again for a process that was told otherwise since.
//
// Someone who may open the process can still dump it: MiniDumpWriteDump.
func NoCoreDumps() error {
	const modes = windows.SEM_FAILCRITICALERRORS | windows.SEM_NOGPFAULTERRORBOX
	// The call returns the modes before, and can't fail.
	before := windows.SetErrorMode(modes)
	windows.SetErrorMode(before | modes)
	return nil
}
