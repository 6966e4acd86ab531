package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/memkeep/memkeep/locked"
	"github.com/memkeep/memkeep/tests/keyserver/internal/api"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailed  = 1
	exitUsage   = 2
	exitSignals = 128 // and the number of the second signal
)

// run is the program, but for the process's exit.
func run(args []string, stdin io.Reader, stdout io.Writer, stderr *os.File) int {
	o, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		return exitUsage
	}
	if err := serve(o, stdin, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "keyserver:", err)
		var limit *locked.LimitError
		if errors.As(err, &limit) {
			fmt.Fprintln(stderr, limit.Remedy())
		}
		return exitFailed
	}
	return exitOK
}

// serve opens the vault, fills it, serves it until a signal comes, and wipes it.
func serve(o options, stdin io.Reader, stdout io.Writer, stderr *os.File) (err error) {
	log := o.logger(stderr)
	if o.harden {
		if _, err := locked.Harden(locked.Hardening{NoCoreDumps: true, NotDumpable: true}); err != nil {
			return err
		}
	}
	v, err := openVault(o.lockedBytes, o.allowUnlocked)
	if err != nil {
		return err
	}
	if s := v.session.Stats(); s.Unlocked {
		log.Error("memory is NOT LOCKED: open secrets and the session key may be swapped out", "backend", s.Backend, "because", s.BackendReason)
	}
	sources, err := openSources(context.Background(), o, v, log)
	if err != nil {
		return errors.Join(err, v.wipe())
	}
	handler := api.New(api.Config{
		Session: v.session, Ring: v.ring, Desk: v.desk, Token: sources.token, Sources: sources.State, Hosts: o.hosts,
		Harden: o.harden, Log: log, Timeout: o.requestTimeout, MaxBody: o.maxBody,
	})
	server := newHTTPServer(o, handler, log)
	ctx, stop := watchSignals(stderr, func() {
		// Who is reading a request's body lets go of it.
		server.Close()
		v.wipeNow()
	})
	defer stop()
	defer func() { err = errors.Join(err, v.wipe()) }()
	defer sources.close()
	defer watchReload(stderr, sources)()
	refused, err := fill(ctx, o, v, stdin, stderr)
	if err != nil {
		return unlessStopped(ctx, err)
	}
	listener, err := listen(o)
	if err != nil {
		return err
	}
	if err := summarize(ctx, stdout, o, v, refused, listener.Addr()); err != nil {
		return unlessStopped(ctx, errors.Join(err, listener.Close()))
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	handler.Drain()
	fmt.Fprintln(stderr, "keyserver: draining; another signal ends it at once")
	return drain(server, served, o.drainTimeout)
}

// errStopped is the cause of a context that a signal ended.
var errStopped = errors.New("stopped by a signal")

// unlessStopped returns nil in place of an error that comes of being stopped.
func unlessStopped(ctx context.Context, err error) error {
	if errors.Is(context.Cause(ctx), errStopped) {
		return nil
	}
	return err
}

func newHTTPServer(o options, handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:     handler,
		ReadTimeout: o.readTimeout, // of the headers too
		// From the end of the headers: the body, the wait, and as much again
		// for a client that reads slowly.
		WriteTimeout:   2*o.readTimeout + o.requestTimeout,
		IdleTimeout:    time.Minute,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// listen listens at the address, or at another port if the user named none.
func listen(o options) (net.Listener, error) {
	listener, err := net.Listen("tcp", o.addr)
	if errors.Is(err, syscall.EADDRINUSE) && o.anyPort {
		host, _, splitErr := net.SplitHostPort(o.addr)
		if splitErr != nil {
			return nil, splitErr
		}
		return net.Listen("tcp", net.JoinHostPort(host, "0"))
	}
	return listener, err
}

// drain lets the requests that are under way finish.
func drain(server *http.Server, served <-chan error, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests were still under way after %v: %w", limit, err), server.Close())
	}
	if end := <-served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// watchSignals returns a context that the first signal ends. The second one
// runs wipe and ends the process. stop ends the watch.
func watchSignals(stderr io.Writer, wipe func()) (ctx context.Context, stop func()) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancelCause(context.Background())
	stopped, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for range 2 {
			select {
			case s := <-signals:
				if ctx.Err() == nil {
					cancel(errStopped)
					continue
				}
				wipe()
				fmt.Fprintln(stderr, "keyserver: wiped; exiting at once")
				os.Exit(exitCode(s))
			case <-stopped:
				return
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(stopped)
		<-ended
		cancel(nil)
	}
}

// exitCode is what a shell reports of a process that the signal killed.
func exitCode(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return exitSignals + int(n)
	}
	return exitFailed
}
