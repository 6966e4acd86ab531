//go:build !ios

// Doctor reports what protects secrets in the memory of a process, what does not,
// and how to fix each weakness.
//
//	go run github.com/memkeep/memkeep/locked/doctor [-json] [-pid N]
//
// Without -pid it stands in for your server: it reads the limits and what the
// system does with memory, then locks and writes what the smallest session of
// package enclave takes. Run it where the server runs: as its user, under its
// service manager, in its container. It can't see what a server does at run time,
// such as locked.Harden.
//
// With -pid it reports on a process that runs: its limits, its locked pages, what
// of it is in swap, and who may dump or trace it. It reads /proc alone and neither
// stops the process nor reads its memory. It needs Linux, and the right to trace
// the process: run it as root, or as the same user if the process is dumpable. In
// a container run it inside, or on the host with the process id there.
//
// It changes nothing.
//
// # Good settings
//
// The keyserver in tests/keyserver is an example of a server in which doctor -pid
// finds no weakness: its folder deploy has a systemd unit and a Kubernetes pod,
// with the reason beside each setting.
//
// # Exit status
//
//	0  secrets can be protected, or the process of -pid holds locked memory;
//	   there may be weaknesses
//	1  they can't: the smallest session can't be locked, or the process of
//	   -pid holds no locked memory
//	2  not known: wrong usage, no such process, no permission to look at its
//	   pages, a system other than Linux with -pid, or the report could not
//	   be written
//
// -help prints the usage and exits with 0. go run exits with 1 for any status but
// 0: build the program to tell them apart.
//
// # The JSON form
//
// With -json it prints one object. These names and the values of status stay as
// they are as long as version is 1; fields and findings may be added. Texts are
// for people, and change.
//
//	version    1
//	os, arch   as Go names them
//	protected  true for exit status 0
//	process    object; only with -pid
//	  pid, name, user          user is the effective user's id
//	  resident_bytes           in main memory
//	  locked_bytes             VmLck, which may leave memfd_secret out
//	  secret_bytes             mappings of memfd_secret; null if unreadable
//	  swapped_bytes            in swap now
//	  core_bytes               the core limit; null for unlimited
//	  coredump_filter          what a core dump holds, in hexadecimal, or ""
//	limits     object; absent where the platform can't lock memory
//	  soft_bytes, hard_bytes   null for unlimited
//	  exempt                   no limit applies to the process
//	  page_bytes               the unit of locking
//	  backend, backend_reason  the mechanism; why not a better one, or ""
//	  default_bytes            the budget that a pool asks for by default
//	  budget_bytes             what it would get
//	  dump_exclusion, fork_exclusion, exit_wipe  the calls, or ""
//	findings   list of objects
//	  name     lock, limit, backend, outside, page-dumps, page-children,
//	           runtime-secret, swap, core, hibernation, tracing, dumpable,
//	           privileges, seccomp, container
//	  status   good; weak: copies of a secret, or more, may leak this way;
//	           bad: secrets can't be protected; unknown: could not be read
//	           here; note: neither good nor weak
//	  text     what was found
//	  remedies ways to fix it, each a command or a setting and where it
//	           belongs; absent if there is nothing to fix
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/memkeep/memkeep/internal/platform"
)

func main() { os.Exit(run(os.Args[1:], examine, os.Stdout, os.Stderr)) }

// The exit statuses.
const (
	protected   = 0
	unprotected = 1
	noReport    = 2
)

// run is the program. examine looks at the process of that id, or at this one if
// it is 0.
func run(args []string, examine func(pid int) (state, error), out, errs io.Writer) (status int) {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(errs)
	asJSON := flags.Bool("json", false, "print one JSON object, whose form the package documentation gives")
	pid := 0
	flags.Func("pid", "report on the running process with this `id` (Linux)", func(s string) (err error) {
		if pid, err = strconv.Atoi(s); err != nil || pid <= 0 {
			return errors.New("not the id of a process")
		}
		return nil
	})
	flags.Usage = func() {
		fmt.Fprintln(errs, "usage: doctor [-json] [-pid N]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return protected
	} else if err != nil {
		return noReport
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(errs, "doctor: unexpected arguments %q\n", flags.Args())
		flags.Usage()
		return noReport
	}
	s, err := examine(pid)
	if err != nil {
		fmt.Fprintln(errs, "doctor:", err)
		return noReport
	}
	write := writeText
	if *asJSON {
		write = writeJSON
	}
	if err := write(out, s, diagnose(s)); err != nil {
		fmt.Fprintln(errs, "doctor:", err)
		return noReport
	}
	switch s.protected() {
	case platform.Yes:
		return protected
	case platform.No:
		return unprotected
	default:
		return noReport
	}
}
