package page

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// resourceOf says what ran out when a call failed, "" if nothing did.
func resourceOf(failed *callError, size int) Resource {
	short := errors.Is(failed, unix.ENOMEM)
	switch failed.call {
	case "memfd_secret", "memfd_create":
		if errors.Is(failed, unix.EMFILE) || errors.Is(failed, unix.ENFILE) {
			return FileDescriptors
		}
		if short {
			return Memory
		}
	case "ftruncate":
		if short || errors.Is(failed, unix.ENOSPC) {
			return Memory
		}
	case "mmap", "alloc":
		if short {
			return shortOf(size)
		}
	case "mprotect", "protect":
		// mprotect(2): "Changing the protection of a memory region would result
		// in the total number of mappings with distinct attributes … exceeding
		// the allowed maximum."
		if short {
			return Mappings
		}
	case "madvise":
		// It splits mappings too. madvise(2): "EAGAIN A kernel resource was
		// temporarily unavailable."
		if short || errors.Is(failed, unix.EAGAIN) {
			return Mappings
		}
	}
	return ""
}

// shortOf tells apart what mmap(2) has one error for: "No memory is available",
// "The process's maximum number of mappings would have been exceeded", and the
// limits on address space and data. It asks for one page: where that is to be
// had, size is what was too much.
func shortOf(size int) Resource {
	if total, err := (kernel{}).memory(); err == nil && uint64(size) > total {
		return Memory
	}
	one, err := kernel{}.reserve(Size())
	if err == nil {
		_ = kernel{}.unmap(one) // a page of address space, at worst
		return AddressSpace
	}
	if addressSpaceIsUsedUp() {
		return AddressSpace
	}
	return Mappings
}

// addressSpaceIsUsedUp reports whether RLIMIT_AS leaves no page:
// proc_pid_statm(5), "total program size", in pages.
func addressSpaceIsUsedUp() bool {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &limit) != nil || fromRlim(uint64(limit.Cur)) == Unlimited {
		return false
	}
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return false
	}
	used, _, _ := strings.Cut(string(raw), " ")
	pages, err := strconv.ParseUint(used, 10, 64)
	return err == nil && (pages+1)*uint64(Size()) > uint64(limit.Cur)
}
