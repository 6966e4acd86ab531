//go:build !windows

package locked

// limitName is what a LimitError calls the limit.
const limitName = "limit"

// remedy is the end of a LimitError's text.
const remedy = "Raise the limit on locked memory: `ulimit -l unlimited`, as root, in the shell that starts the process, " +
	"LimitMEMLOCK=infinity in its systemd unit, " +
	"`docker run --ulimit memlock=-1:-1`, or grant CAP_IPC_LOCK"
