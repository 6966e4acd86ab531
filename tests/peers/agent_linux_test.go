package peers

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// An sshAgent is an SSH agent whose keys come from a program, and never over its
// socket.
type sshAgent struct{ signers []ssh.Signer }

var errReadOnly = errors.New("this agent's keys can't be changed")

func (a sshAgent) List() ([]*agent.Key, error) {
	var list []*agent.Key
	for i, s := range a.signers {
		public := s.PublicKey()
		list = append(list, &agent.Key{Format: public.Type(), Blob: public.Marshal(), Comment: fmt.Sprintf("key %d", i)})
	}
	return list, nil
}

func (a sshAgent) Sign(key ssh.PublicKey, data []byte) (*ssh.Signature, error) {
	return a.SignWithFlags(key, data, 0)
}

// SignWithFlags signs. The flags are for RSA keys, and name the hash.
func (a sshAgent) SignWithFlags(key ssh.PublicKey, data []byte, flags agent.SignatureFlags) (*ssh.Signature, error) {
	algorithm := ""
	switch flags {
	case agent.SignatureFlagRsaSha256:
		algorithm = ssh.KeyAlgoRSASHA256
	case agent.SignatureFlagRsaSha512:
		algorithm = ssh.KeyAlgoRSASHA512
	}
	for _, s := range a.signers {
		if !bytes.Equal(s.PublicKey().Marshal(), key.Marshal()) {
			continue
		}
		if s, ok := s.(ssh.AlgorithmSigner); ok {
			return s.SignWithAlgorithm(rand.Reader, data, algorithm)
		}
		return s.Sign(rand.Reader, data)
	}
	return nil, errors.New("no such key")
}

func (a sshAgent) Signers() ([]ssh.Signer, error) { return a.signers, nil }
func (a sshAgent) Add(agent.AddedKey) error       { return errReadOnly }
func (a sshAgent) Remove(ssh.PublicKey) error     { return errReadOnly }
func (a sshAgent) RemoveAll() error               { return errReadOnly }
func (a sshAgent) Lock([]byte) error              { return errReadOnly }
func (a sshAgent) Unlock([]byte) error            { return errReadOnly }
func (a sshAgent) Extension(string, []byte) ([]byte, error) {
	return nil, agent.ErrExtensionUnsupported
}

var _ agent.ExtendedAgent = sshAgent{}

// serveAgent serves an agent of the signers, and returns the path of its socket.
func serveAgent(t *testing.T, dir folder, signers []ssh.Signer) string {
	t.Helper()
	l, err := net.Listen("unix", dir.path("agent"))
	if err != nil {
		t.Fatal(err)
	}
	accept(t, l, func(c net.Conn) { _ = agent.ServeAgent(sshAgent{signers}, c) }) // io.EOF, as a rule
	return dir.path("agent")
}

// accept has handle serve each connection, and closes it. When the test ends it
// closes all, and waits for handle.
func accept(t *testing.T, l net.Listener, handle func(net.Conn)) {
	t.Helper()
	var group sync.WaitGroup
	var mu sync.Mutex
	open := map[net.Conn]bool{} // nil once the test has ended; mu protects it
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return // l is closed
			}
			mu.Lock()
			if open == nil {
				c.Close()
			} else {
				open[c] = true
				group.Go(func() {
					handle(c)
					c.Close()
					mu.Lock()
					defer mu.Unlock()
					delete(open, c)
				})
			}
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		mu.Lock()
		for c := range open {
			c.Close()
		}
		open = nil
		mu.Unlock()
		group.Wait()
	})
}
