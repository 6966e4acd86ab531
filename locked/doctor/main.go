//go:build !ios

// Doctor tells what protects secrets in the memory of this process, what does
// not, and for every weak point the line that mends it.
//
//	go run github.com/memkeep/memkeep/locked/doctor [-json]
//
// It reads the limits and what the system does with memory, and it locks and
// writes what the smallest session of package enclave takes, to know for
// certain. It changes nothing: what it raises or locks ends with it. Run it where
// the server runs: as its user, under its service manager, in its container. It
// looks at itself: what a server takes with locked.Harden does not show.
//
// # Exit status
//
//	0  secrets can be protected here, weak points or not
//	1  they can't: what the smallest session takes can't be locked
//	2  nothing is known: wrong usage, or the report could not be written
//
// Asked for -help it says how it is used, and ends with 0.
//
// go run ends with 1 for any status but 0; a program that was built tells them
// apart.
//
// # The JSON form
//
// With -json it prints one object. These names and the values of status stay
// as they are as long as version is 1; fields and findings may be added. Texts
// are for people, and change.
//
//	version    1
//	os, arch   as Go names them
//	protected  whether the smallest session could be locked: the exit status
//	limits     object; absent where the platform can't lock memory
//	  soft_bytes, hard_bytes   null for unlimited
//	  exempt                   no limit holds this process
//	  page_bytes               the unit of locking
//	  backend, backend_reason  the mechanism; why not a better one, or ""
//	  default_bytes            the budget that a pool asks for by default
//	  budget_bytes             what it would get
//	  dump_exclusion, fork_exclusion, exit_wipe  the calls, or ""
//	findings   list of objects
//	  name     lock, limit, backend, outside, page-dumps, page-children,
//	           swap, core, hibernation, tracing, dumpable, container
//	  status   good; weak: a secret's copies, or more, may leak this way;
//	           bad: secrets can't be protected; unknown: could not be read
//	           here; note: neither good nor weak
//	  text     what was found
//	  remedies list of lines that mend it, each a command or a setting and
//	           where it belongs; absent where nothing is to be mended
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() { os.Exit(run(os.Args[1:], examine, os.Stdout, os.Stderr)) }

// The exit statuses.
const (
	protected   = 0
	unprotected = 1
	noReport    = 2
)

func run(args []string, examine func() state, out, errs io.Writer) (status int) {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(errs)
	asJSON := flags.Bool("json", false, "print one JSON object, whose form the package documentation gives")
	flags.Usage = func() {
		fmt.Fprintln(errs, "usage: doctor [-json]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return protected
	} else if err != nil {
		return noReport
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(errs, "doctor: it takes no arguments, got %q\n", flags.Args())
		flags.Usage()
		return noReport
	}
	s := examine()
	write := writeText
	if *asJSON {
		write = writeJSON
	}
	if err := write(out, s, diagnose(s)); err != nil {
		fmt.Fprintln(errs, "doctor:", err)
		return noReport
	}
	if s.protected() {
		return protected
	}
	return unprotected
}
