package locked

// limitName is what a LimitError calls the limit.
const limitName = "minimum working set"

// remedies says what to do if a resource ran out.
var remedies = map[Resource]string{
	LockedMemory: "Let the process raise its minimum working set, which bounds what VirtualLock takes: " +
		"lift the working-set limit of its job object or the hard maximum set by SetProcessWorkingSetSizeEx, " +
		"grant its user the rights \"Increase a process working set\" and \"Increase scheduling priority\" " +
		"(secpol.msc, User Rights Assignment), or free memory.",
	AddressSpace: "Ask for a smaller secret.",
	Memory:       "Free memory or enlarge the page file, or ask for a smaller secret.",
}
