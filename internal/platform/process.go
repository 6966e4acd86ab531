package platform

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Unlimited is the value of a limit that does not bound anything.
const Unlimited = math.MaxUint64

// A Process is what the system tells of another process. A size is in bytes.
type Process struct {
	PID  int
	Name string // of its program, cut to 15 bytes by the kernel
	UID  int    // effective

	// The limits on locked memory, and whether the process is exempt from them.
	LockSoft, LockHard uint64
	Exempt             bool

	Resident   uint64 // in main memory
	Locked     uint64 // counted as locked: VmLck, in which kernels may leave memfd_secret out
	SwappedOut uint64 // in swap now

	Pages    Pages
	PagesErr error // why Pages could not be read

	DumpFilter    uint64 // which kinds of memory a core dump holds, as bits
	HasDumpFilter bool

	NoNewPrivileges Answer
	Filtered        Answer // its system calls pass a seccomp filter

	// Setuid says how a program whose file grants privileges is dumped: the
	// system's fs.suid_dumpable. Only with 2 is there a dump that only root reads.
	Setuid string
}

// Pages is the memory of the library in another process, as its mappings show
// it. A size is in bytes, of mappings: a page that is mapped twice counts twice.
type Pages struct {
	Secret int // memfd_secret
	Memfd  int // memfd_create and mlock
	Locked int // locked pages without a name, where there are none of the above
	Dumped int // of these, what a core dump may hold
	Forked int // of these, what a child process gets
}

// Total returns how much of the library's memory was seen.
func (p Pages) Total() int { return p.Secret + p.Memfd + p.Locked }

// FromLinuxProcess reads what Linux tells of the process under root, which is the
// system's root folder, and the facts of the system around it. owner returns the
// user that a file belongs to.
func FromLinuxProcess(root fs.FS, pid int, owner func(name string) (uid int, err error)) (Process, Facts, error) {
	p := Process{PID: pid}
	l := linux{root, strconv.Itoa(pid)}
	status, err := fs.ReadFile(root, l.proc("status"))
	if err != nil {
		return p, Facts{}, err
	}
	p.readStatus(parseStatus(string(status)))
	limits, err := fs.ReadFile(root, l.proc("limits"))
	if err != nil {
		return p, Facts{}, err
	}
	f := fromLinux(l)
	p.LockSoft, p.LockHard, _ = limitOf(string(limits), "Max locked memory")
	f.Core.Limit, _, f.Core.Limited = limitOf(string(limits), "Max core file size")
	// As package locked has it: the kernel asks for the capability in the initial
	// user namespace.
	users, _ := l.text(l.proc("uid_map"))
	p.Exempt = p.Exempt && slices.Equal(strings.Fields(users), []string{"0", "0", "4294967295"})
	if filter, ok := l.text(l.proc("coredump_filter")); ok {
		p.DumpFilter, err = strconv.ParseUint(strings.TrimPrefix(filter, "0x"), 16, 64)
		p.HasDumpFilter = err == nil
	}
	p.Setuid, _ = l.text("proc/sys/fs/suid_dumpable")
	// proc(5): the files are owned by the effective user, but by root "if the
	// process's dumpable attribute is set to a value other than 1". Of a process of
	// root's nothing shows.
	if uid, err := owner(l.proc("status")); err == nil && p.UID != 0 {
		f.Tracing.Dumpable = answer(uid == p.UID)
	}
	p.Pages, err = readPages(root, l.proc("smaps"))
	var failed *fs.PathError
	if errors.As(err, &failed) {
		err = failed.Err // of which the path is one under root
	}
	if err != nil {
		p.PagesErr = fmt.Errorf("/%s: %w", l.proc("smaps"), err)
	}
	return p, f, nil
}

// parseStatus returns the fields of proc_pid_status(5).
func parseStatus(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	return fields
}

func (p *Process) readStatus(status map[string]string) {
	p.Name = status["Name"]
	// Uid: real, effective, saved and of the file system.
	if uids := strings.Fields(status["Uid"]); len(uids) > 1 {
		p.UID, _ = strconv.Atoi(uids[1])
	}
	p.Resident, p.Locked, p.SwappedOut = kibibytes(status["VmRSS"]), kibibytes(status["VmLck"]), kibibytes(status["VmSwap"])
	const capIPCLock = 14 // capabilities(7)
	effective, err := strconv.ParseUint(status["CapEff"], 16, 64)
	p.Exempt = err == nil && effective>>capIPCLock&1 == 1
	if v, ok := status["NoNewPrivs"]; ok {
		p.NoNewPrivileges = answer(v == "1")
	}
	// Seccomp: 0 for none, 1 for strict, 2 for a filter.
	if v, ok := status["Seccomp"]; ok {
		p.Filtered = answer(v != "0")
	}
}

// kibibytes returns a size such as "24 kB" in bytes.
func kibibytes(s string) uint64 {
	n, err := strconv.ParseUint(strings.TrimSuffix(s, " kB"), 10, 54)
	if err != nil {
		return 0
	}
	return n << 10
}

// limitOf returns a limit of proc_pid_limits(5).
func limitOf(table, name string) (soft, hard uint64, ok bool) {
	for line := range strings.Lines(table) {
		rest, found := strings.CutPrefix(line, name+" ")
		fields := strings.Fields(rest)
		if !found || len(fields) < 2 {
			continue
		}
		soft, softOK := bound(fields[0])
		hard, hardOK := bound(fields[1])
		return soft, hard, softOK && hardOK
	}
	return 0, 0, false
}

func bound(s string) (uint64, bool) {
	if s == "unlimited" {
		return Unlimited, true
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// readPages sums up proc_pid_smaps(5). A process that locks all its memory has
// pages that are not the library's: those of the library have a name, unless they
// are private memory.
func readPages(root fs.FS, name string) (Pages, error) {
	file, err := root.Open(name)
	if err != nil {
		return Pages{}, err
	}
	defer file.Close()
	var named, nameless Pages
	var m mapping
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		switch {
		case len(fields) == 0:
		case !strings.HasSuffix(fields[0], ":"):
			if m, err = parseMapping(fields); err != nil {
				return Pages{}, err
			}
		case fields[0] == "VmFlags:" && (m.memfd || m.secret || slices.Contains(fields, "lo")):
			// Of a memfd's two mappings one is locked, which holds the pages of both. Some
			// kernels flag none of memfd_secret's.
			m.add(&named, &nameless, fields[1:])
		}
	}
	if err := lines.Err(); err != nil {
		return Pages{}, err
	}
	if named.Total() > 0 {
		return named, nil
	}
	return nameless, nil
}

// A mapping is one entry of smaps.
type mapping struct {
	size          int
	secret, memfd bool
	nameless      bool
}

// parseMapping reads an entry's first line: addresses, access, offset, device,
// inode and, for a file, its path.
func parseMapping(fields []string) (mapping, error) {
	from, to, _ := strings.Cut(fields[0], "-")
	start, err := strconv.ParseUint(from, 16, 64)
	if err != nil {
		return mapping{}, fmt.Errorf("smaps: %w", err)
	}
	end, err := strconv.ParseUint(to, 16, 64)
	if err != nil {
		return mapping{}, fmt.Errorf("smaps: %w", err)
	}
	m := mapping{size: int(end - start), nameless: len(fields) == 5}
	if len(fields) > 5 {
		m.secret = path.Base(fields[5]) == "secretmem"
		m.memfd = fields[5] == "/memfd:memkeep"
	}
	return m, nil
}

// add counts the mapping, by its flags in smaps.
func (m mapping) add(named, nameless *Pages, flags []string) {
	to := named
	switch {
	case m.secret:
		named.Secret += m.size
	case m.memfd:
		named.Memfd += m.size
	case m.nameless:
		to = nameless
		nameless.Locked += m.size
	default:
		return
	}
	// madvise(2): dd for MADV_DONTDUMP, dc for MADV_DONTFORK.
	if !slices.Contains(flags, "dd") {
		to.Dumped += m.size
	}
	if !slices.Contains(flags, "dc") {
		to.Forked += m.size
	}
}
