package platform

import (
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
)

// tree is a root folder of the files given, by name.
func tree(files map[string]string) fstest.MapFS {
	root := fstest.MapFS{}
	for name, content := range files {
		root[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return root
}

const (
	heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
	block   = "sys/class/block/"
)

func TestSwapIsFoundAndItsEncryptionToo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		files map[string]string
		want  Swap
	}{
		{"nothing to read", nil, Swap{}},
		{"none", map[string]string{"proc/swaps": heading}, Swap{Present: No}},
		{"a plain partition", map[string]string{
			"proc/swaps":        heading + "/dev/sda2 partition 999 0 -2\n",
			block + "sda2/dev":  "8:2\n",
			block + "sda2/size": "1\n",
		}, Swap{Present: Yes, Areas: []Area{{Name: "/dev/sda2", Encrypted: No}}}},
		{"dm-crypt", map[string]string{
			"proc/swaps":            heading + "/dev/dm-1 partition 999 0 -2\n",
			block + "dm-1/dm/uuid":  "CRYPT-PLAIN-swap\n",
			block + "dm-1/slaves/a": "",
		}, Swap{Present: Yes, Areas: []Area{{Name: "/dev/dm-1", Encrypted: Yes}}}},
		{"dm-crypt by its name", map[string]string{
			"proc/swaps":           heading + "/dev/mapper/swap partition 999 0 -2\n",
			block + "dm-0/dm/name": "root\n",
			block + "dm-1/dm/name": "swap\n",
			block + "dm-1/dm/uuid": "CRYPT-PLAIN-swap\n",
		}, Swap{Present: Yes, Areas: []Area{{Name: "/dev/mapper/swap", Encrypted: Yes}}}},
		{"a volume on dm-crypt", map[string]string{
			"proc/swaps":                     heading + "/dev/dm-2 partition 999 0 -2\n",
			block + "dm-2/dm/uuid":           "LVM-abc\n",
			block + "dm-2/slaves/dm-0/empty": "",
			block + "dm-0/dm/uuid":           "CRYPT-LUKS2-abc-root\n",
		}, Swap{Present: Yes, Areas: []Area{{Name: "/dev/dm-2", Encrypted: Yes}}}},
		{"a volume half on dm-crypt", map[string]string{
			"proc/swaps":                     heading + "/dev/dm-2 partition 999 0 -2\n",
			block + "dm-2/dm/uuid":           "LVM-abc\n",
			block + "dm-2/slaves/dm-0/empty": "",
			block + "dm-2/slaves/sdb/empty":  "",
			block + "dm-0/dm/uuid":           "CRYPT-LUKS2-abc-root\n",
			block + "sdb/dev":                "8:16\n",
		}, Swap{Present: Yes, Areas: []Area{{Name: "/dev/dm-2", Encrypted: No}}}},
		{"zram", map[string]string{
			"proc/swaps":                  heading + "/dev/zram0 partition 999 0 100\n",
			block + "zram0/backing_dev":   "none\n",
			block + "zram0/anything_else": "",
		}, Swap{Present: Yes, Areas: []Area{{Name: "/dev/zram0", Memory: true}}}},
		{"zram with a disk behind it", map[string]string{
			"proc/swaps":                heading + "/dev/zram0 partition 999 0 100\n",
			block + "zram0/backing_dev": "/dev/sdb\n",
			block + "sdb/dev":           "8:16\n",
		}, Swap{Present: Yes, Areas: []Area{{Name: "/dev/zram0 with /dev/sdb behind it", Encrypted: No}}}},
		{"files, one of them on dm-crypt", map[string]string{
			"proc/swaps": heading + "/swap\\040file file 999 0 -2\n/home/me/swap file 9 0 -3\n",
			"proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n" +
				"23 22 253:0 / /home rw - ext4 /dev/mapper/home rw\n" +
				"24 22 8:5 / /ho rw - ext4 /dev/sda5 rw\n",
			block + "sda1/dev":     "8:1\n",
			block + "dm-0/dev":     "253:0\n",
			block + "dm-0/dm/uuid": "CRYPT-LUKS2-abc-home\n",
		}, Swap{Present: Yes, Areas: []Area{{Name: "/swap file", Encrypted: No}, {Name: "/home/me/swap", Encrypted: Yes}}}},
		{"a file on a file system without a device", map[string]string{
			"proc/swaps":          heading + "/swap file 999 0 -2\n",
			"proc/self/mountinfo": "22 1 0:25 / / rw - btrfs /dev/sda1 rw\n",
			block + "sda1/dev":    "8:1\n",
		}, Swap{Present: Yes, Areas: []Area{{Name: "/swap", Encrypted: Unknown}}}},
		{"a cgroup that may not", map[string]string{
			"proc/swaps":       heading + "/dev/sda2 partition 999 0 -2\n",
			block + "sda2/dev": "8:2\n",
			"proc/self/cgroup": "0::/system.slice/a.service\n",
			"sys/fs/cgroup/system.slice/memory.swap.max":           "0\n",
			"sys/fs/cgroup/system.slice/a.service/memory.swap.max": "max\n",
		}, Swap{Present: Yes, Barred: true, Areas: []Area{{Name: "/dev/sda2", Encrypted: No}}}},
	} {
		if got := FromLinux(tree(c.files)).Swap; !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

func TestCorePatternIsRead(t *testing.T) {
	t.Parallel()
	const pattern, id = "proc/sys/kernel/core_pattern", "proc/sys/kernel/core_uses_pid"
	for _, c := range []struct {
		files map[string]string
		want  Core
	}{
		{nil, Core{}},
		{map[string]string{pattern: "core\n", id: "0\n"}, Core{Pattern: "core", Off: No}},
		{map[string]string{pattern: "\n", id: "0\n"}, Core{Off: Yes}},
		{map[string]string{pattern: "\n", id: "1\n"}, Core{Off: No}},
		{map[string]string{pattern: "|/usr/share/apport/apport %p\n"}, Core{Pattern: "|/usr/share/apport/apport %p", Piped: true, Off: No}},
		{map[string]string{pattern: "@/run/core.socket\n"}, Core{Pattern: "@/run/core.socket", Piped: true, Off: No}},
	} {
		if got := FromLinux(tree(c.files)).Core; got != c.want {
			t.Errorf("%v: %+v, want %+v", c.files, got, c.want)
		}
	}
}

func TestHibernationIsWhatTheKernelOffers(t *testing.T) {
	t.Parallel()
	const state, disk, lockdown = "sys/power/state", "sys/power/disk", "sys/kernel/security/lockdown"
	for _, c := range []struct {
		files map[string]string
		want  Answer
	}{
		{nil, Unknown},
		{map[string]string{"sys/kernel/notes": ""}, No},
		{map[string]string{state: "freeze mem\n"}, No},
		{map[string]string{state: "freeze mem disk\n", disk: "[platform] shutdown reboot\n"}, Yes},
		{map[string]string{state: "freeze mem disk\n", disk: "[disabled]\n"}, No},
		{map[string]string{state: "disk\n", lockdown: "[none] integrity confidentiality\n"}, Yes},
		{map[string]string{state: "disk\n", lockdown: "none [integrity] confidentiality\n"}, No},
	} {
		if got := FromLinux(tree(c.files)).Hibernation; got.Possible != c.want || got.Why == "" {
			t.Errorf("%v: %+v, want %v", c.files, got, c.want)
		}
	}
}

func TestTracingIsWhatYamaSays(t *testing.T) {
	t.Parallel()
	const scope = "proc/sys/kernel/yama/ptrace_scope"
	for _, c := range []struct {
		files map[string]string
		want  Answer
	}{
		{nil, Unknown},
		{map[string]string{"proc/sys/kernel/core_pattern": "core"}, Yes},
		{map[string]string{scope: "0\n"}, Yes},
		{map[string]string{scope: "1\n"}, No},
		{map[string]string{scope: "2\n"}, No},
		{map[string]string{scope: "3\n"}, No},
	} {
		if got := FromLinux(tree(c.files)).Tracing; got.SameUser != c.want || got.Why == "" {
			t.Errorf("%v: %+v, want %v", c.files, got, c.want)
		}
	}
}

func TestContainerIsSeenByWhatItsEngineLeaves(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, content, want string }{
		{"etc/passwd", "", ""},
		{".dockerenv", "", "docker"},
		{"run/.containerenv", "", "podman"},
		{"run/secrets/kubernetes.io/serviceaccount/token", "", "kubernetes"},
		{"var/run/secrets/kubernetes.io/serviceaccount/token", "", "kubernetes"},
		{"proc/self/cgroup", "0::/kubepods/pod1/c\n", "kubernetes"},
		{"proc/self/cgroup", "4:memory:/docker/abc\n", "docker"},
		{"proc/self/cgroup", "0::/user.slice\n", ""},
	} {
		if got := FromLinux(tree(map[string]string{c.file: c.content})).Container; got != c.want {
			t.Errorf("%s with %q: %q, want %q", c.file, c.content, got, c.want)
		}
	}
}

// Whatever the files say, reading them does not fail, and nothing counts as
// encrypted where no device says that it is.
func FuzzFromLinux(f *testing.F) {
	f.Add(heading+"/dev/dm-1 partition 1 0 0", "22 1 8:1 / / rw", "0::/a/b")
	f.Add("x\n\n \n/a", "", "0::/../..")
	f.Fuzz(func(t *testing.T, swaps, mounts, groups string) {
		facts := FromLinux(tree(map[string]string{
			"proc/swaps": swaps, "proc/self/mountinfo": mounts, "proc/self/cgroup": groups,
			block + "dm-1/slaves/dm-1/x": "",
		}))
		for _, a := range facts.Swap.Areas {
			if a.Encrypted == Yes || strings.Contains(a.Name, "\n") && !strings.Contains(swaps, `\012`) {
				t.Errorf("%+v", a)
			}
		}
	})
}
