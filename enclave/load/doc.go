// Package load reads secrets from where a program finds them, such as files, the
// environment, systemd credentials and password managers, straight into locked
// memory, and returns each as an [enclave.Enclave].
//
// For a secret in a file, as Docker, Kubernetes and Vault's agent write it, use
// [File]; for a folder of them, [Dir]; in a systemd unit with LoadCredential=,
// [Credential]. Use [NewRotating] if the secret may change while the program runs.
// In a configuration use [Ref], which names the source instead of holding the
// secret:
//
//	type Config struct {
//		Password load.Ref `json:"password"` // "file:/run/secrets/db"
//	}
//
//	password, err := config.Password.Resolve(ctx)
//
// If you can choose, pass secrets in files, not in the environment. [Field] and
// [PEM] take one secret out of a file that holds more.
//
// The functions suit most programs. All but [Terminal] and [Command] give up after
// [DefaultTimeout]. Each function that reads a secret is also a method of [Loader], with
// a context. Loader's fields set the session, the size limit and other options.
//
// # Protection
//
// The system writes the secret directly into locked memory, without a buffer of
// package os, bufio or a decoder in between. Size is bounded. One final line end,
// which editors and echo add, is not part of the secret. Empty secrets are refused,
// and so are files that every user may read. Errors name the source and never show
// what was read.
//
// The table counts copies of a secret in ordinary memory, found by a scan from
// another process a second after the last use. The process loaded the secret 100
// times (10 times with Command and FD, once with Env, Terminal and yaml.v3):
//
//	go test -v -run LoadingLeaves ./tests/loading
//
//	                                   copies   one load with
//	File, Dir, Credential, Ref              0   os.ReadFile      1
//	Rotating, 200 versions                  0   os.ReadFile      1
//	FD, Reader                              0   io.ReadAll       1
//	Terminal                                0   bufio.Reader     2–3
//	Command                                 0   exec.Cmd.Output  2
//	Field                                   0   encoding/json    2–3
//	PEM                                     0   encoding/pem     1
//	Env (Linux)                             0   os.Getenv        2
//	literal: in JSON in locked memory       0   os.ReadFile      1
//	literal: in YAML, by yaml.v3            6   os.ReadFile      1
//
// # Limits
//
// The package can't undo what happened before: until Env removes a variable, other
// processes of the same user can read it in /proc/PID/environ, and child processes
// inherit it. The kernel buffers pipes and terminals, and caches files. The decoder
// of a configuration may keep a literal: see [Ref].
package load
