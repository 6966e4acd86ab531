package locked

// remedy is the end of a LimitError's text.
const remedy = "Raise the process's minimum working set, which bounds what VirtualLock takes: " +
	"SetProcessWorkingSetSizeEx, or the memory limit of its job object"
