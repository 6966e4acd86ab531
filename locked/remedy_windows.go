package locked

// limitName is what a LimitError calls the limit.
const limitName = "minimum working set"

// remedy is the end of a LimitError's text.
const remedy = "Let the process raise its minimum working set, which bounds what VirtualLock takes: " +
	"lift the working-set limit of its job object or the hard maximum set by SetProcessWorkingSetSizeEx, " +
	"grant its user the rights \"Increase a process working set\" and \"Increase scheduling priority\" " +
	"(secpol.msc, User Rights Assignment), or free memory"
