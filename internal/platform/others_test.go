package platform

import (
	"encoding/binary"
	"errors"
	"reflect"
	"testing"
)

// answers is a Sysctl of fixed values: uint32 and uint64 in the machine's order,
// strings as C has them.
func answers(values map[string]any) Sysctl {
	return func(name string) ([]byte, error) {
		switch v := values[name].(type) {
		case uint32:
			return binary.NativeEndian.AppendUint32(nil, v), nil
		case uint64:
			return binary.NativeEndian.AppendUint64(nil, v), nil
		case string:
			return append([]byte(v), 0), nil
		case []byte:
			return v, nil
		}
		return nil, errors.New("no such name")
	}
}

func TestSysctlsAreRead(t *testing.T) {
	t.Parallel()
	swapUsage := func(encrypted uint32) []byte {
		b := make([]byte, 28)
		return binary.NativeEndian.AppendUint32(b, encrypted)
	}
	for _, c := range []struct {
		name   string
		from   func(Sysctl) Facts
		values map[string]any
		check  func(Facts) bool
	}{
		{"macOS, usual", FromDarwin, map[string]any{
			"vm.swapusage": swapUsage(1), "kern.corefile": "/cores/core.%P", "kern.coredump": uint32(1), "kern.hibernatemode": uint32(3),
		}, func(f Facts) bool {
			return f.Swap.Present == Yes && f.Swap.Areas[0].Encrypted == Yes && f.Core.Off == No &&
				f.Core.Pattern == "/cores/core.%P" && f.Hibernation.Possible == Yes && f.Tracing.SameUser == Unknown
		}},
		{"macOS, swap in the clear, no hibernation", FromDarwin, map[string]any{"vm.swapusage": swapUsage(0), "kern.coredump": uint32(0), "kern.hibernatemode": uint32(0)},
			func(f Facts) bool {
				return f.Swap.Areas[0].Encrypted == No && f.Core.Off == Yes && f.Hibernation.Possible == No
			}},
		{"macOS, a shorter struct", FromDarwin, map[string]any{"vm.swapusage": []byte{1, 2, 3}}, func(f Facts) bool { return f.Swap.Present == Unknown }},
		{"FreeBSD, usual", FromFreeBSD, map[string]any{
			"kern.corefile": "%N.core", "kern.coredump": uint32(1), "security.bsd.unprivileged_proc_debug": uint32(1), "vm.swap_total": uint64(1 << 30),
		}, func(f Facts) bool {
			return f.Core.Off == No && f.Tracing.SameUser == Yes && f.Swap.Present == Yes && len(f.Swap.Areas) == 0 && f.Container == ""
		}},
		{"FreeBSD, a closed jail without swap", FromFreeBSD, map[string]any{
			"security.bsd.unprivileged_proc_debug": uint32(0), "vm.swap_total": uint64(0), "security.jail.jailed": uint32(1),
		}, func(f Facts) bool {
			return f.Tracing.SameUser == No && f.Swap.Present == No && f.Container == "jail"
		}},
		{"OpenBSD", FromOpenBSD, map[string]any{"vm.swapencrypt.enable": uint32(1), "kern.global_ptrace": uint32(0)},
			func(f Facts) bool {
				return f.Swap.Areas[0].Encrypted == Yes && f.Swap.Present == Unknown && f.Tracing.SameUser == No
			}},
		{"NetBSD", FromNetBSD, map[string]any{"vm.swap_encrypt": uint32(0), "kern.defcorename": "%n.core"},
			func(f Facts) bool {
				return f.Swap.Areas[0].Encrypted == No && f.Core.Pattern == "%n.core" && f.Tracing.SameUser == Yes
			}},
	} {
		if got := c.from(answers(c.values)); !c.check(got) {
			t.Errorf("%s: %+v", c.name, got)
		}
		// Where nothing can be read nothing is known.
		got := c.from(answers(nil))
		if got.Core.Off != Unknown || got.Swap.Present != Unknown || len(got.Swap.Areas) > 0 && got.Swap.Areas[0].Encrypted != Unknown {
			t.Errorf("%s, nothing to read: %+v", c.name, got)
		}
	}
}

func TestRegistryIsRead(t *testing.T) {
	t.Parallel()
	type values map[string]any
	registry := func(v values, err error) Registry {
		return Registry{
			Number: func(key, name string) (uint64, bool, error) { n, ok := v[name].(int); return uint64(n), ok, err },
			List:   func(key, name string) ([]string, bool, error) { l, ok := v[name].([]string); return l, ok, err },
			Exists: func(key string) (bool, error) { _, ok := v[key]; return ok, err },
		}
	}
	for _, c := range []struct {
		name   string
		values values
		err    error
		want   Facts
	}{
		{"usual", values{"PagingFiles": []string{`?:\pagefile.sys`}, "HibernateEnabled": 1}, nil, Facts{
			Swap:        Swap{Present: Yes, Areas: []Area{{Name: `?:\pagefile.sys`, Encrypted: No}}},
			Core:        Core{Off: Yes},
			Hibernation: Hibernation{Possible: Yes},
		}},
		{"encrypted, dumps kept", values{"PagingFiles": []string{`c:\pagefile.sys`}, "NtfsEncryptPagingFile": 1, "HibernateEnabled": 0, dumpsKey: true}, nil, Facts{
			Swap:        Swap{Present: Yes, Areas: []Area{{Name: `c:\pagefile.sys`, Encrypted: Yes}}},
			Core:        Core{Off: No, Pattern: "Windows Error Reporting, LocalDumps"},
			Hibernation: Hibernation{Possible: No},
		}},
		{"no paging file", values{"PagingFiles": []string{""}}, nil, Facts{Swap: Swap{Present: No}, Core: Core{Off: Yes}}},
		{"forbidden", values{"PagingFiles": []string{"x"}, "HibernateEnabled": 1}, errors.New("access denied"), Facts{}},
	} {
		got := FromWindows(registry(c.values, c.err))
		got.Hibernation.Why, got.Tracing = "", Tracing{}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestAnswersPrintAsWords(t *testing.T) {
	t.Parallel()
	for a, want := range map[Answer]string{Unknown: "unknown", No: "no", Yes: "yes", 7: "Answer(7)"} {
		if a.String() != want {
			t.Errorf("%q, want %q", a, want)
		}
	}
}
