// Package memguard is a drop-in replacement for github.com/awnumar/memguard v0.23: the
// same names, built on this module's enclaves. Programs written for memguard switch by
// a change of import path. New programs should use
// [github.com/memkeep/memkeep/enclave], whose calls return errors and whose Use leaves
// no buffer to forget.
//
// # Switching
//
// To switch, run this in the module's folder:
//
//	grep -rl --include='*.go' awnumar/memguard . | xargs sed -i 's#github.com/awnumar/memguard#github.com/memkeep/memkeep/enclave/memguard#' && go get github.com/memkeep/memkeep && go mod tidy
//
// To switch back, as long as nothing uses what only this package has:
//
//	grep -rl --include='*.go' memkeep/enclave/memguard . | xargs sed -i 's#github.com/memkeep/memkeep/enclave/memguard#github.com/awnumar/memguard#' && go get github.com/awnumar/memguard@v0.23.0 && go mod tidy
//
// # The same
//
//	Names          every exported one, of core too, with its signature; the error values
//	               compare with == and errors.Is, and read the same
//	Buffers        data ends at a guard page; the kernel enforces Freeze; a canary lies before
//	               the data; String, the views and Reader are the memory itself; an
//	               unreachable handle stays valid, so a finalizer on one works
//	Null values    sizes below one, nil and destroyed buffers, empty enclaves
//	Wiping         NewBufferFromBytes, NewEnclave, Move and Stream.Write wipe their source
//	Readers        return what was read before an error together with the error
//	Purge          destroys buffers and makes old enclaves undecryptable; the program continues
//	Locks          the same methods lock the exported RWMutex, and so does a purge
//	Ciphertexts    core.Encrypt and core.Decrypt open what memguard's sealed, and the reverse
//
// # Different
//
//	No memory can be locked    NewBuffer panics with a *locked.LimitError, and calls that return errors
//	                           return it, with the resource that ran out (locked memory, file
//	                           descriptors, mappings, address space), the figures and the remedy.
//	                           memguard purges everything before it panics, or hangs. Here only a
//	                           broken canary purges, so that a program can continue without one buffer.
//	MEMKEEP_ALLOW_UNLOCKED=1   in the environment lets the program continue with memory that is not
//	                           locked, where it may lock none: open secrets may then be swapped out.
//	                           core.Session's Stats report it. memguard has no such way.
//	The limit on locked memory the soft limit is raised to the hard one, and child processes inherit
//	                           it. memguard does not raise it, and gets fewer buffers.
//	The session's key          is assembled in registers (in locked memory where the cipher is no
//	                           assembly). memguard opens a buffer for each use of it, leaves parts of
//	                           it on the heap, and at a full limit hangs.
//	Secrets at rest            XChaCha20-Poly1305 in assembly that leaves nothing behind; memguard's
//	                           cipher leaves subkeys. Enclaves never leave the process, so none sees it.
//	Concurrent Purge           is safe, and no call deadlocks with another.
//	A failed decryption        leaks no buffer and no key.
//	Read-only sources          NewEnclave panics with enclave.ErrReadOnly; Stream.Write and
//	                           core.NewEnclave return it. In memguard the fault ends the process.
//	A short ciphertext         is core.ErrDecryptionFailed. memguard panics below 24 bytes.
//	Goroutines                 none at rest, so leak detectors are quiet. CatchSignal has one.
//	CatchSignal                does not disturb other handlers of the program, and without a list of
//	                           signals ignores the one that the Go runtime sends itself.
//	fmt, log/slog, JSON, XML   print "[REDACTED 32 bytes]", so that a secret does not reach a log by
//	                           accident. String returns the data. go.uber.org/zap and spew call String,
//	                           so they print the data of a *LockedBuffer, as with memguard: give them
//	                           its Size.
//	Embedding                  a struct that embeds an enclave or a buffer inherits its methods: it is
//	                           encoded as the size alone, without its other fields, and decoding those
//	                           fields is an error. memguard encodes and decodes them. Use a named field, or
//	                           give the struct its own MarshalJSON and UnmarshalJSON. If it embeds a buffer
//	                           and has a String method, give it a Format method too.
//	Reading those back         leaves the value empty, as reading memguard's {} does. Any other text is
//	                           an error.
//	Import                     changes nothing. memguard disables core dumps of the process and its
//	                           children for good; here the pages are kept out of dumps. To have none at
//	                           all, call locked.Harden(locked.Hardening{NoCoreDumps: true}).
//	Direct input and output    with memfd_secret (Linux), O_DIRECT, vmsplice and MSG_ZEROCOPY from a
//	                           buffer return EFAULT: the kernel does not read those pages for a device.
//	                           Plain reads and writes work.
//	Buffers of megabytes       take about five times as long to create with memfd_secret, because the
//	                           kernel unmaps each page from its own address space on first use.
//	A canary                   exists for any size: data that fills its pages has one more page, which
//	                           shows in the length of Inner, and counts towards the limit. Of buffers
//	                           of a whole page, half as many fit under a small one.
//	Overlapping Copy and Move  move the bytes as Go's copy does. memguard copies them one by one, so that
//	                           the first ones may repeat.
//	Readers that misreport     how much they have read get an error. memguard panics, or accepts it.
//	A broken canary            found by Destroy leaves a destroyed buffer. memguard's stays alive.
//	Readers that give nothing  a hundred times in a row end with io.ErrNoProgress, not in a loop.
//	Exit                       ends the process with its code even if a canary is broken.
//	Stream.Flush               is one step, and reads into a buffer that fits.
//
// The budget is all that the process may lock. The session itself uses a few pages
// of it, as memguard's own do. [core.Session] reports how many are in use.
//
// # Signing with ed25519
//
// Since Go 1.26 crypto/ed25519 keeps a weak pointer to a private key, and the Go
// runtime ends the process if the key lies in locked memory, here as in memguard.
// Sign with github.com/memkeep/memkeep/enclave/keys. If you can't, sign with a key on
// the heap and wipe it; stack frames may keep copies:
//
//	key := ed25519.NewKeyFromSeed(buf.Bytes()) // a seed of 32 bytes in locked memory
//	signature := ed25519.Sign(key, message)
//	memguard.WipeBytes(key)
//
// # Moving on
//
// Move to [github.com/memkeep/memkeep/enclave] where a secret is opened often, where
// running out of locked memory must be an error or a wait, or where parts of a program
// need budgets of their own. You can move call by call: [core.Session] is the session
// for new enclaves, core.Unwrap(e.Enclave) converts an old enclave e, and
// &LockedBuffer{Buffer: core.Wrap(b)} converts a new buffer b.
//
//	memguard                               enclave, locked
//	e := memguard.NewEnclave(secret)       e, err := session.New(secret)
//	e := memguard.NewEnclaveRandom(32)     e, err := session.NewRandom(32)
//	b, err := e.Open(); … b.Destroy()      err := e.Use(func(secret []byte) error { … })
//	b, err := e.Open()                     b, err := e.OpenContext(ctx)
//	b := memguard.NewBuffer(32)            b, err := session.NewBuffer(32)
//	b := memguard.NewBufferFromBytes(s)    e, err := session.New(s), then e.Use
//	memguard.NewBufferFromReader(r, 32)    b, err := session.ReadFull(r, 32)
//	memguard.NewBufferFromReaderUntil(r, c)  b, err := session.ReadUntil(r, c)
//	memguard.NewBufferFromEntireReader(r)  b, err := session.ReadAll(r)
//	e := b.Seal()                          e, err := session.Seal(b)
//	b.EqualTo(x)                           b.Equal(x), or without a buffer: ok, err := e.Equal(x)
//	b.Wipe(); b.Scramble()                 err := b.Wipe(); err := b.Scramble()
//	b.Copy(src)                            err := b.Use(func(data []byte) error { copy(data, src); return nil })
//	b.CopyAt(8, src)                       the same, with copy(data[8:], src)
//	b.Move(src); b.MoveAt(8, src)          the same, and then clear(src)
//	memguard.WipeBytes(s)                  clear(s)
//	memguard.ScrambleBytes(s)              crypto/rand.Read(s)
//	stream := memguard.NewStream()         stream := session.NewStream()
//	b, err := stream.Flush()               b, err := session.ReadFull(stream, stream.Size())
//	memguard.Purge()                       err := session.Purge()
//	memguard.SafePanic(v)                  session.Purge(), then panic(v)
//	memguard.SafeExit(1)                   session.Purge(), then os.Exit(1)
//	memguard.CatchInterrupt()              ctx, stop := signal.NotifyContext(ctx, os.Interrupt), and
//	                                       session.Purge() when main has ended its work
//	memguard.CatchSignal(f, s...)          signal.Notify(caught, s...), and in a goroutine
//	                                       f(<-caught), session.Purge(), os.Exit(1)
//
// Unlike memguard's readers, those of the session return no part of a secret together
// with an error.
package memguard
