//go:build !windows

package locked

// limitName is what a LimitError calls the limit.
const limitName = "limit"

// remedies says what to do if a resource ran out.
var remedies = map[Resource]string{
	LockedMemory: "Raise the limit on locked memory: `ulimit -l unlimited`, as root, in the shell that starts the process, " +
		"LimitMEMLOCK=infinity in its systemd unit, " +
		"`docker run --ulimit memlock=-1:-1`, or grant CAP_IPC_LOCK.",
	FileDescriptors: "Raise the limit on open files: `ulimit -n 65536` in the shell that starts the process, " +
		"LimitNOFILE=65536 in its systemd unit, `docker run --ulimit nofile=65536:65536`; or close what the process has open.",
	Mappings: "Raise the number of mappings: `sysctl -w vm.max_map_count=262144`, as root; " +
		"or keep fewer buffers open, each of which takes up to five.",
	AddressSpace: "Raise the limit on address space, `ulimit -v unlimited` in the shell that starts the process, " +
		"or ask for a smaller secret.",
	Memory: "Free memory, or ask for a smaller secret.",
}
