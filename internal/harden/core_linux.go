package harden

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
	limit, err := setCoreLimit()
	if err != nil {
		return err
	}
	pattern, err := os.ReadFile(corePattern)
	if errors.Is(err, os.ErrNotExist) && exists(filepath.Dir(corePattern)) {
		return nil // a kernel that does not dump
	}
	if err != nil {
		return fmt.Errorf("the core limit is set, but whether what becomes of a dump heeds it can't be read: %w", err)
	}
	return outOfReach(string(pattern), limit)
}

// setCoreLimit returns the limit that it set: the refused one, or zero where
// the hard limit is zero and the process lacks the right to raise it.
func setCoreLimit() (limit uint64, err error) {
	for _, limit = range []uint64{refused, 0} {
		err = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: limit, Max: limit})
		if err == nil {
			return limit, nil
		}
	}
	return 0, fmt.Errorf("setting RLIMIT_CORE to 0: %w", err)
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// outOfReach says why a limit does not keep a dump from what the pattern names.
func outOfReach(pattern string, limit uint64) error {
	switch {
	case pattern != "" && pattern[0] == '@':
		return fmt.Errorf("the core limit is set, but %s is %q: a socket gets the dump whatever the limit; NotDumpable stops it", corePattern, pattern)
	case pattern != "" && pattern[0] == '|' && limit != refused:
		return fmt.Errorf("the core limit was 0 already and this process may not make it 1, but %s is %q: "+
			"a program gets the dump at a limit of 0; NotDumpable stops it", corePattern, pattern)
	}
	return nil
}
