// Package load brings secrets into a program: from files, the environment,
// systemd credentials, pipes, terminals and password managers, straight into
// locked memory and from there into an [enclave.Enclave].
//
// For a secret in a file, as Docker, Kubernetes and Vault's agent write it, use
// [File]; for a folder of them, [Dir]; for a unit with LoadCredential=, use
// [Credential]. If the secret may change while the program runs, use
// [NewRotating]. In a configuration, use [Ref], which holds the place of a secret
// rather than the secret:
//
//	type Config struct {
//		Password load.Ref `json:"password"` // "file:/run/secrets/db"
//	}
//
//	password, err := config.Password.Resolve(ctx)
//
// The package's functions suit most programs. A [Loader] has a method for each,
// which takes a context, a session and other options.
//
// # What it promises
//
// A secret is read from the system into locked memory with no buffer in between,
// and is bounded in size. One line end behind it, which editors and echo leave, is
// not part of it. An empty secret is an error, and so is a file that anybody on
// the system may read. An error names the source and never what was read.
//
// What is left in ordinary memory of one secret, found by a scan from outside:
//
//	go test -v -run Leftovers ./tests/load
//
//	source                                      copies   the usual way
//	File, Dir, Credential (os.ReadFile)              0               1
//	FD, Reader (io.ReadAll)                          0               1
//	Command (exec.Cmd.Output)                        0               1
//	Field, PEM (encoding/json, encoding/pem)         0              2+
//	Env on Linux (os.Getenv)                         0               2
//	Ref's literal: in JSON read by load              0               1
//	Ref's literal: in YAML (yaml.v3)                1+               1+
//
// # What it does not
//
// A secret in the environment was there before the program started: whoever
// read /proc/PID/environ until then has it, and child processes started earlier
// keep it. A pipe or a terminal has a buffer in the kernel. A literal in a
// configuration lies wherever its decoder put it: see [Ref]. The file itself is
// as safe as its file system.
package load
