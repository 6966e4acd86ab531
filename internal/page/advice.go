package page

// Protection names the calls, besides the lock, that keep the pages of a run within
// this process. A field is empty where the system has no such call.
//
// Each file advice_*.go implements exclude with the calls of its system. Map calls
// exclude once for each mapping, before the pages hold anything. If the system refuses,
// Map returns an error. A call that the system does not have is no error.
type Protection struct {
	Dump string // keeps the pages out of core dumps
	Fork string // keeps the pages out of child processes made by fork
	Exit string // has the system zero the pages if the process ends before it wiped them
}
