package platform

import (
	"errors"
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"
)

// aServer is the files of a process 7 that user 998 runs, as Linux 6.18 writes
// them.
func aServer() map[string]string {
	return map[string]string{
		"proc/7/status": "Name:\tkey server\nUmask:\t0022\nState:\tS (sleeping)\nPid:\t7\nUid:\t1000\t998\t998\t998\n" +
			"VmPeak:\t 1237004 kB\nVmLck:\t      16 kB\nVmRSS:\t   10240 kB\nVmSwap:\t     312 kB\n" +
			"CapEff:\t0000000000004000\nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n",
		"proc/7/limits": "Limit                     Soft Limit           Hard Limit           Units     \n" +
			"Max cpu time              unlimited            unlimited            seconds   \n" +
			"Max core file size        0                    unlimited            bytes     \n" +
			"Max locked memory         65536                8388608              bytes     \n" +
			"Max locked memory pages   1                    1                    files     \n",
		"proc/7/uid_map":         "         0          0 4294967295\n",
		"proc/7/coredump_filter": "00000033\n",
		"proc/7/cgroup":          "0::/system.slice/keyserver.service\n",
		"proc/7/smaps": "00400000-00a00000 r-xp 00000000 fe:01 42                         /usr/bin/key server\n" +
			"Size:               6144 kB\nVmFlags: rd ex mr mw me \n" +
			"c000000000-c000400000 rw-p 00000000 00:00 0 \nSize:               4096 kB\nVmFlags: rd wr mr mw me ac sd \n" +
			"7f0000000000-7f0000001000 ---p 00000000 00:00 0 \nSize:                  4 kB\nVmFlags: mr mw me nr \n" +
			"7f0000001000-7f0000002000 rw-s 00000000 00:0f 1                          /secretmem (deleted)\n" +
			"Size:                  4 kB\nVmFlags: rd wr sh mr mw me ms lo dc dd \n" +
			"7f0000003000-7f0000004000 ---s 00000000 00:0f 1                          /secretmem (deleted)\n" +
			"Size:                  4 kB\nVmFlags: sh mr mw me ms lo dc dd \n",
		"proc/sys/kernel/core_pattern":               "core\n",
		"proc/sys/kernel/yama/ptrace_scope":          "1\n",
		"proc/sys/fs/suid_dumpable":                  "2\n",
		"proc/swaps":                                 heading + "/dev/sda2 partition 999 0 -2\n",
		"sys/fs/cgroup/system.slice/memory.swap.max": "0\n",
	}
}

func ownedBy(uid int) func(string) (int, error) {
	return func(string) (int, error) { return uid, nil }
}

func TestProcessIsRead(t *testing.T) {
	t.Parallel()
	p, f, err := FromLinuxProcess(tree(aServer()), 7, ownedBy(998))
	if err != nil {
		t.Fatal(err)
	}
	want := Process{
		PID: 7, Name: "key server", UID: 998, LockSoft: 64 << 10, LockHard: 8 << 20, Exempt: true,
		Resident: 10 << 20, Locked: 16 << 10, SwappedOut: 312 << 10, Pages: Pages{Secret: 8192},
		DumpFilter: 0x33, HasDumpFilter: true, NoNewPrivileges: Yes, Filtered: Yes, Setuid: "2",
	}
	if p != want {
		t.Errorf("the process is %+v,\nwant %+v", p, want)
	}
	if c := f.Core; !c.Limited || c.Limit != 0 || c.Pattern != "core" {
		t.Errorf("core: %+v", c)
	}
	if tr := f.Tracing; tr.Dumpable != Yes || tr.SameUser != No {
		t.Errorf("tracing: %+v", tr)
	}
	if !f.Swap.Barred || f.Swap.Present != Yes {
		t.Errorf("swap: %+v", f.Swap)
	}
}

func TestProcessThatDiffersIsReadSo(t *testing.T) {
	t.Parallel()
	const lockedAnonymous = "7f0000001000-7f0000003000 rw-p 00000000 00:00 0 \nSize: 8 kB\nVmFlags: rd wr lo ac \n"
	for _, c := range []struct {
		name  string
		owner int
		files map[string]string
		same  func(Process, Facts) bool
	}{
		{"files of root's", 0, nil, func(_ Process, f Facts) bool { return f.Tracing.Dumpable == No }},
		{
			"a process of root's", 0, map[string]string{"proc/7/status": "Name:\tx\nUid:\t0\t0\t0\t0\n"},
			func(p Process, f Facts) bool { return f.Tracing.Dumpable == Unknown && p.UID == 0 && !p.Exempt },
		},
		{
			"a user namespace", 998, map[string]string{"proc/7/uid_map": "0 1000 1\n"},
			func(p Process, _ Facts) bool { return !p.Exempt },
		},
		{
			"an old kernel's status", 998, map[string]string{"proc/7/status": "Name:\tx\nUid:\t998\t998\t998\t998\n"},
			func(p Process, _ Facts) bool { return p.NoNewPrivileges == Unknown && p.Filtered == Unknown },
		},
		{
			"no filter, and privileges to gain", 998, map[string]string{"proc/7/status": "Uid:\t998\t998\t998\t998\nNoNewPrivs:\t0\nSeccomp:\t0\n"},
			func(p Process, _ Facts) bool { return p.NoNewPrivileges == No && p.Filtered == No },
		},
		{
			"memfd", 998, map[string]string{"proc/7/smaps": "7f0000001000-7f0000002000 rw-s 00000000 00:01 9  /memfd:memkeep (deleted)\nVmFlags: rd lo dc dd\n" +
				"7f0000002000-7f0000003000 ---s 00000000 00:01 9  /memfd:memkeep (deleted)\nVmFlags: sh dc dd\n" + lockedAnonymous},
			func(p Process, _ Facts) bool { return p.Pages == Pages{Memfd: 8192} },
		},
		{
			"secret pages that the kernel does not flag", 998, map[string]string{"proc/7/smaps": "7f0000001000-7f0000002000 rw-s 00000000 00:0f 1  /secretmem (deleted)\nVmFlags: rd wr sh dc dd\n"},
			func(p Process, _ Facts) bool { return p.Pages == Pages{Secret: 4096} },
		},
		{
			"private memory", 998, map[string]string{"proc/7/smaps": lockedAnonymous},
			func(p Process, _ Facts) bool { return p.Pages == Pages{Locked: 8192, Dumped: 8192, Forked: 8192} },
		},
		{
			"a file's locked pages", 998, map[string]string{"proc/7/smaps": "7f0000001000-7f0000003000 r-xp 00000000 fe:01 9 /lib/x\nVmFlags: rd lo\n"},
			func(p Process, _ Facts) bool { return p.Pages == Pages{} && p.PagesErr == nil },
		},
		{"no mappings that may be seen", 998, map[string]string{"proc/7/smaps": ""}, func(p Process, _ Facts) bool { return errors.Is(p.PagesErr, fs.ErrNotExist) }},
		{"an odd mapping", 998, map[string]string{"proc/7/smaps": "xyz-1 rw-p\n"}, func(p Process, _ Facts) bool { return p.PagesErr != nil }},
		{
			"a container that can be looked into", 998, map[string]string{"proc/7/root/.dockerenv": "x"},
			func(_ Process, f Facts) bool { return f.Container == "docker" },
		},
		{
			"a container that can't", 998, map[string]string{"proc/7/cgroup": "0::/kubepods/pod1\n", ".dockerenv": "x"},
			func(_ Process, f Facts) bool { return f.Container == "kubernetes" },
		},
	} {
		files := aServer()
		maps.Copy(files, c.files)
		root := tree(files)
		maps.DeleteFunc(root, func(_ string, f *fstest.MapFile) bool { return len(f.Data) == 0 })
		p, f, err := FromLinuxProcess(root, 7, ownedBy(c.owner))
		if err != nil || !c.same(p, f) {
			t.Errorf("%s: %+v\n%+v\n%v", c.name, p, f, err)
		}
	}
}

func TestProcessThatIsNotThereIsAnError(t *testing.T) {
	t.Parallel()
	if _, _, err := FromLinuxProcess(tree(aServer()), 8, ownedBy(0)); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	files := aServer()
	delete(files, "proc/7/limits")
	if _, _, err := FromLinuxProcess(tree(files), 7, ownedBy(0)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("one that ended meanwhile: %v", err)
	}
}
