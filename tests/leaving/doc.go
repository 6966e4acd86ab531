// Package leaving measures what is left of a secret in the memory of a process that
// used it with the libraries of others, and runs whole servers that leave nothing.
//
// A child process uses a secret 2,000 times, by four goroutines, against the real other
// side in a process of its own: PostgreSQL, an HTTP API, or clients of its TLS and SSH
// server. The test stops the child and searches all of its memory for the secret, and for what
// would do in its place, whole and in pieces of 16 bytes: at once, and again after two
// garbage collections.
//
//	MEMKEEP_LONG=1 go test -v -run TestLeaving ./tests/leaving
//	GOEXPERIMENT=runtimesecret MEMKEEP_LONG=1 go test -v -run TestLeaving ./tests/leaving
//
// Copies at once → after two collections, the fewest and the most of ten runs with Go 1.26,
// on a busy machine of two processors:
//
//	                              secret on the heap             inside Use   recommended
//	bearer, HTTP/1.1               702–938 → 324–702      567–888 → 196–700     4–8 → 4–6
//	bearer, HTTP/1.1, no reuse        90–103 → 12–27          84–100 → 9–43  33–57 → 2–12
//	bearer, HTTP/2                 576–824 → 321–815      494–822 → 318–696     4–7 → 4–6
//	pgx, password                  777–950 → 357–545     800–1048 → 389–599         0 → 0
//	webhook, HMAC                4468–5779 → 291–837   4731–5676 → 311–2972         0 → 0
//	JWT, HS256                  7390–9356 → 345–2169  7752–13833 → 359–4002         0 → 0
//	JWT, EdDSA                             4–6 → 4–5   3942–4799 → 642–2606         0 → 0
//	JWT, ES256                             3–5 → 3–5    1717–2001 → 214–407         0 → 0
//	TLS server, P-256                      4–5 → 2–4       372–475 → 62–127         0 → 0
//	SSH server, Ed25519                      4 → 2–4       363–438 → 39–198         0 → 0
//
// In a program built with GOEXPERIMENT=runtimesecret, Use runs its function inside
// runtime/secret.Do; with enclave.Config.NoRuntimeSecret it leaves what the table above
// says. Ten runs with Go 1.26, four with Go 1.27:
//
//	                                1.26, inside Use   recommended     1.27, inside Use  recommended
//	bearer, HTTP/1.1                   262–414 → 4–7     4–6 → 4–6        287–457 → 4–6    5–6 → 5–6
//	bearer, HTTP/1.1, no reuse          58–91 → 3–12  41–55 → 3–18          50–65 → 2–5  43–53 → 3–9
//	bearer, HTTP/2                     441–468 → 5–6       4–5 → 4           16–559 → 5    4–5 → 4–5
//	pgx, password                 683–1053 → 342–577         0 → 0    841–905 → 458–546        0 → 0
//	webhook, HMAC                      4108–4419 → 0         0 → 0        4212–4260 → 0        0 → 0
//	JWT, HS256                         4344–5686 → 0         0 → 0        3991–5016 → 0        0 → 0
//	JWT, EdDSA                  3594–4140 → 274–1746         0 → 0  3867–4103 → 494–931        0 → 0
//	JWT, ES256                     702–1576 → 27–141         0 → 0     931–1721 → 29–91        0 → 0
//	TLS server, P-256                 163–333 → 4–75         0 → 0       125–378 → 5–13        0 → 0
//	SSH server, Ed25519             340–382 → 26–220         0 → 0      308–398 → 16–28        0 → 0
//
// The test fails if the recommended way leaves materially more, and if the others leave
// next to nothing.
//
// The recommended way is enclave/bearer for tokens, enclave/keys/scram for PostgreSQL,
// and keys of enclave/keys for the rest. The two that sign with Ed25519 inside Use gain little by
// runtimesecret, since a parsed key outlives the function, and pgx, which computes outside of
// it, gains nothing. What is found of tokens in the recommended way is the write buffers of
// connections, and buffers that crypto/tls has outgrown. Of the rest there can be, at
// once, registers that a signal saved, which the library overwrites within a second.
//
// What brings the copies down where a library has to see the secret: fewer connections,
// since each has buffers of its own, and with HTTP/2 no table of headers sent before, which
// enclave/bearer turns off. DisableKeepAlives, "no reuse", does not help: each request has
// a new connection, whose buffers are freed with the token in them. Nor does a password
// that is fetched for each connection by pgx's BeforeConnect, which is the way of its row
// inside Use.
//
// # Ten thousand tenants
//
// TestTenThousandTenantsLeaveNothing runs one server that uses the secrets of 10,000
// tenants in all of these ways, under a limit of 64 KiB: 4,000 private keys, 500 tokens for
// an API, 500 passwords of PostgreSQL, and for the rest keys of HMAC. The files of 50, of
// every kind, are replaced under load. Without MEMKEEP_LONG=1 there are 1,000 tenants.
package leaving
