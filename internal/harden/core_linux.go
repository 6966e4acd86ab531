package harden

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// corePattern is where core(5) says what becomes of a core dump.
const corePattern = "/proc/sys/kernel/core_pattern"

// refused is a core limit, in bytes, that both ways of dumping heed. core(5):
// "The RLIMIT_CORE limit is not enforced for core dumps that are piped to a
// program", which zero is no exception from; one byte is: fs/coredump.c,
// "we use cprm.limit of 1 here as a special value", aborts the dump. A file
// would be smaller than the least there is, and is not written either.
const refused = 1

// NoCoreDumps sets the soft and the hard core limit, so that no core of the
// process is written to a file or handed to a program. If the hard limit is
// already zero, or the pattern names a socket, a dump may go where limits do not
// reach: then the limit is set as far as it can be, and the error says so.
func NoCoreDumps() error {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &r); err != nil {
		return fmt.Errorf("getrlimit of RLIMIT_CORE: %w", err)
	}
	limit := min(refused, r.Max)
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: limit, Max: limit}); err != nil {
		return fmt.Errorf("setting RLIMIT_CORE to %d bytes: %w", limit, err)
	}
	pattern, err := os.ReadFile(corePattern)
	if errors.Is(err, os.ErrNotExist) {
		return nil // no kernel that dumps
	}
	if err != nil {
		return fmt.Errorf("the core limit is set, but whether the pattern heeds it can't be read: %w", err)
	}
	return outOfReach(string(pattern), limit)
}

// outOfReach says why a limit does not keep a dump from what the pattern names.
func outOfReach(pattern string, limit uint64) error {
	switch {
	case pattern != "" && pattern[0] == '@':
		return fmt.Errorf("the core limit is set, but %s is %q: a socket gets the dump whatever the limit; NotDumpable stops it", corePattern, pattern)
	case pattern != "" && pattern[0] == '|' && limit != refused:
		return fmt.Errorf("the core limit was 0 already and can't become 1, but %s is %q: "+
			"a program gets the dump at a limit of 0; NotDumpable stops it", corePattern, pattern)
	}
	return nil
}
