package page

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// exemptFromLimit reports CAP_IPC_LOCK: capabilities(7), "lock memory". The
// kernel asks for it in the initial user namespace, so that root of a
// container with a user namespace of its own has the bit but not the right.
func exemptFromLimit() (bool, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false, fmt.Errorf("capget: %w", err)
	}
	if data[unix.CAP_IPC_LOCK/32].Effective&(1<<(unix.CAP_IPC_LOCK%32)) == 0 {
		return false, nil
	}
	return inInitialUserNamespace(), nil
}

// inInitialUserNamespace reads the identity map that only the initial user
// namespace has. Without /proc the answer is no, which costs a smaller budget
// and no promise.
func inInitialUserNamespace() bool {
	m, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false
	}
	f := strings.Fields(string(m))
	return len(f) == 3 && f[0] == "0" && f[1] == "0" && f[2] == "4294967295"
}
