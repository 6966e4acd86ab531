package page

// Protection names what keeps the pages of a run to this process besides their
// lock: each field is the call that does it, and empty where the system offers
// none.
//
// The contract of every platform's exclude, which each file advice_*.go fulfils
// with what its system has: it is called once for each mapping, after the pages
// are mapped and before they hold anything. A refusal by the system is an error
// of [Backend.Map], as a refused lock is. What a system does not offer is no
// error; it is missing from here.
type Protection struct {
	Dump string // keeps the pages out of core dumps
	Fork string // keeps the pages out of child processes made by fork
	Exit string // has the system zero the pages if the process ends before it wiped them
}
