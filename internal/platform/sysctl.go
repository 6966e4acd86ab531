package platform

import "encoding/binary"

// Sysctl answers for one name of sysctl(3): the value as its bytes, or an
// error.
type Sysctl func(name string) ([]byte, error)

// number reads a value of 4 or 8 bytes in the machine's order, and reports
// whether there is one.
func (s Sysctl) number(name string) (uint64, bool) {
	raw, err := s(name)
	switch {
	case err != nil:
		return 0, false
	case len(raw) == 4:
		return uint64(binary.NativeEndian.Uint32(raw)), true
	case len(raw) == 8:
		return binary.NativeEndian.Uint64(raw), true
	}
	return 0, false
}

// is reports whether the value is n.
func (s Sysctl) is(name string, n uint64) Answer {
	v, ok := s.number(name)
	if !ok {
		return Unknown
	}
	return answer(v == n)
}

// text returns a value that is a string of C; empty if there is none.
func (s Sysctl) text(name string) string {
	raw, err := s(name)
	if err != nil {
		return ""
	}
	for i, c := range raw {
		if c == 0 {
			return string(raw[:i])
		}
	}
	return string(raw)
}

// FromDarwin reads what macOS tells by sysctl(3).
func FromDarwin(s Sysctl) Facts {
	f := Facts{
		Core: Core{Pattern: s.text("kern.corefile"), Off: s.is("kern.coredump", 0)},
		// Who may attach is decided by System Integrity Protection and by
		// the binary's entitlements, which no sysctl shows.
		Tracing: Tracing{Why: "System Integrity Protection and entitlements decide"},
	}
	// vm.swapusage is a struct xsw_usage: three uint64 of bytes in total,
	// available and used, a uint32 page size, and a 32-bit boolean.
	const encryptedAt, size = 28, 32
	if raw, err := s("vm.swapusage"); err == nil && len(raw) >= size {
		// macOS makes swap files as it needs them.
		f.Swap = Swap{Present: Yes, Areas: []Area{{
			Name:      "/private/var/vm",
			Encrypted: answer(binary.NativeEndian.Uint32(raw[encryptedAt:]) != 0),
		}}}
	}
	// kern.hibernatemode is what pmset(1) calls hibernatemode: 0 for none, 3
	// for a copy on disk beside sleep, 25 for disk alone.
	if mode, ok := s.number("kern.hibernatemode"); ok {
		f.Hibernation = Hibernation{answer(mode != 0), "kern.hibernatemode"}
	}
	return f
}

// FromFreeBSD reads what FreeBSD tells by sysctl(3).
func FromFreeBSD(s Sysctl) Facts {
	f := Facts{
		Core:        Core{Pattern: s.text("kern.corefile"), Off: s.is("kern.coredump", 0)},
		Tracing:     Tracing{SameUser: s.is("security.bsd.unprivileged_proc_debug", 1), Why: "security.bsd.unprivileged_proc_debug"},
		Hibernation: Hibernation{No, "FreeBSD does not suspend to disk"},
	}
	if total, ok := s.number("vm.swap_total"); ok {
		f.Swap.Present = answer(total > 0)
	}
	if jailed, ok := s.number("security.jail.jailed"); ok && jailed == 1 {
		f.Container = "jail"
	}
	return f
}

// FromOpenBSD reads what OpenBSD tells by sysctl(3).
func FromOpenBSD(s Sysctl) Facts {
	return Facts{
		// Whether there is any, sysctl does not say; the kernel encrypts what
		// it swaps by default.
		Swap: Swap{Areas: []Area{{Name: "swap", Encrypted: s.is("vm.swapencrypt.enable", 1)}}},
		// core(5): a file in the working directory.
		Core:    Core{Pattern: "%n.core"},
		Tracing: Tracing{SameUser: s.is("kern.global_ptrace", 1), Why: "kern.global_ptrace"},
		// The hibernation image is encrypted only with the disk it lies on.
		Hibernation: Hibernation{Unknown, "apmd(8) decides"},
	}
}

// FromNetBSD reads what NetBSD tells by sysctl(3).
func FromNetBSD(s Sysctl) Facts {
	return Facts{
		Swap:        Swap{Areas: []Area{{Name: "swap", Encrypted: s.is("vm.swap_encrypt", 1)}}},
		Core:        Core{Pattern: s.text("kern.defcorename")},
		Tracing:     Tracing{SameUser: Yes, Why: "NetBSD lets a user trace the processes of the same user"},
		Hibernation: Hibernation{No, "NetBSD does not suspend to disk"},
	}
}
