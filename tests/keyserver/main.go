// Command keyserver holds signing keys, HMAC-SHA-256 and Ed25519, all of them in
// enclaves, and signs and verifies over HTTP. It imports memkeep as any program
// would, and shows what that looks like in a long-running server: many secrets, a
// small budget of locked memory, and a clean shutdown.
//
//	go run ./tests/keyserver
//
// makes 100,000 keys, says what they cost, and prints the curl lines that sign
// and verify with one of them. -load takes keys from a file or a pipe, one JSON
// object in a line; -h lists the rest.
//
// -key and -keys-dir load keys from files, folders and systemd credentials, by package
// enclave/load, and follow them: a new version of a file is in use within
// -reload-interval, or at once after SIGHUP, and no request fails for it. Signatures
// that have begun use the old version or the new one. What is no key is refused, and
// the old version stays in use: the log, the status page and /metrics say so. Write a
// new file and rename it, as Kubernetes does.
//
// The server listens on loopback addresses only, since it has no TLS, and answers only
// to a Host header that names one, so that no page in a browser gets at it. -token
// names a bearer token that the API then requires, and follows it like a key.
//
// / shows a status page, and /metrics has the figures for Prometheus. Both show no
// secret and require no token. The folder deploy has a systemd unit and a Kubernetes pod
// to start from: with them, locked/doctor -pid finds no weakness.
//
// SIGTERM and SIGINT let the requests that are under way finish, wipe everything
// and exit 0. A second one wipes and exits at once, 130 or 143.
package main

import "os"

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
