package peers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"os/user"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// newSigners returns an SSH signer of each algorithm.
func newSigners(t *testing.T) []ssh.Signer {
	t.Helper()
	var signers []ssh.Signer
	for _, alg := range signing {
		s, err := ssh.NewSignerFromSigner(generate(t, alg))
		if err != nil {
			t.Fatal(err)
		}
		signers = append(signers, s)
	}
	return signers
}

// authorizedKeys are the signers' public keys, one a line, each behind the prefix.
func authorizedKeys(prefix string, signers ...ssh.Signer) []byte {
	var lines bytes.Buffer
	for _, s := range signers {
		lines.WriteString(prefix)
		lines.Write(ssh.MarshalAuthorizedKey(s.PublicKey()))
	}
	return lines.Bytes()
}

// sshOptions are those of an ssh that knows the hosts in the file, and nothing of
// the user who runs it.
func sshOptions(hosts string, more ...string) []string {
	options := []string{"-F", "none", "-T", "-o", "UserKnownHostsFile=" + hosts, "-o", "GlobalKnownHostsFile=none",
		"-o", "HostKeyAlias=host", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "UpdateHostKeys=no"}
	for _, o := range more {
		options = append(options, "-o", o)
	}
	return options
}

// identity returns the options with which ssh uses one key of the agent.
func identity(t *testing.T, dir folder, socket string, s ssh.Signer) []string {
	t.Helper()
	return []string{"IdentityAgent=" + socket, "IdentitiesOnly=yes", "IdentityFile=" + dir.write(t, "id.pub", authorizedKeys("", s))}
}

// newServer starts an SSH server that runs one command, named after the user's key,
// and returns its address.
func newServer(t *testing.T, config *ssh.ServerConfig) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accept(t, l, func(c net.Conn) {
		conn, channels, requests, err := ssh.NewServerConn(c, config)
		if err != nil {
			return // the client tells why
		}
		go ssh.DiscardRequests(requests)
		for ch := range channels {
			if ch.ChannelType() != "session" {
				_ = ch.Reject(ssh.UnknownChannelType, "only sessions") // the client has left
				continue
			}
			if channel, requests, err := ch.Accept(); err == nil {
				answer(channel, requests, conn.Permissions)
			}
		}
	})
	return l.Addr().String()
}

// answer answers the command with the key that the user logged in with.
func answer(channel ssh.Channel, requests <-chan *ssh.Request, p *ssh.Permissions) {
	defer channel.Close()
	for r := range requests {
		if r.Type != "exec" {
			_ = r.Reply(false, nil) // here and below: the client has left
			continue
		}
		_ = r.Reply(true, nil)
		text := "nobody"
		if p != nil {
			text = p.Extensions["key"]
		}
		_, _ = io.WriteString(channel, text)
		_, _ = channel.SendRequest("exit-status", false, []byte{0, 0, 0, 0})
		return
	}
}

// login runs a command by ssh and returns what it prints.
func login(t *testing.T, addr string, options []string) (string, error) {
	t.Helper()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return try(t, nil, "ssh", append(options, "-p", port, "somebody@"+host, "command")...)
}

func TestOpenSSHKnowsTheHostKeys(t *testing.T) {
	if !alone(t, "ssh") {
		return
	}
	needAccount(t)
	dir := newFolder(t)
	config := &ssh.ServerConfig{NoClientAuth: true}
	signers := newSigners(t)
	for _, s := range signers {
		config.AddHostKey(s)
	}
	addr := newServer(t, config)
	hosts := dir.write(t, "hosts", authorizedKeys("host ", signers...))
	for _, algorithm := range []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoRSASHA256, ssh.KeyAlgoRSASHA512} {
		for range scaled(10, 1, 1) {
			if out, err := login(t, addr, sshOptions(hosts, "HostKeyAlgorithms="+algorithm)); err != nil || out != "nobody" {
				t.Errorf("%s: %v, %s", algorithm, err, out)
			}
		}
	}
	// The control: a host whose key is another.
	hosts = dir.write(t, "others", authorizedKeys("host ", newSigners(t)[0]))
	if out, err := login(t, addr, sshOptions(hosts, "HostKeyAlgorithms="+ssh.KeyAlgoED25519)); err == nil {
		t.Errorf("an unknown host key is trusted: %s", out)
	}
	checkLimit(t)
}

func TestOpenSSHLogsInWithTheAgentsKeys(t *testing.T) {
	if !alone(t, "ssh", "ssh-add", "ssh-keygen") {
		return
	}
	needAccount(t)
	dir := newFolder(t)
	signers := newSigners(t)
	socket := serveAgent(t, dir, signers)
	host, stranger := newSigners(t)[0], newSigners(t)[0]
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		for _, s := range signers {
			if bytes.Equal(s.PublicKey().Marshal(), key.Marshal()) {
				return &ssh.Permissions{Extensions: map[string]string{"key": ssh.FingerprintSHA256(key)}}, nil
			}
		}
		return nil, errors.New("unknown key")
	}}
	config.AddHostKey(host)
	addr := newServer(t, config)
	hosts := dir.write(t, "hosts", authorizedKeys("host ", host))
	for _, s := range signers {
		out, err := login(t, addr, sshOptions(hosts, identity(t, dir, socket, s)...))
		if want := ssh.FingerprintSHA256(s.PublicKey()); err != nil || out != want {
			t.Errorf("%s: %v, %s, want %s", s.PublicKey().Type(), err, out, want)
		}
	}
	if out, err := login(t, addr, sshOptions(hosts, identity(t, dir, socket, stranger)...)); err == nil {
		t.Errorf("a key that the agent does not have logs in: %s", out)
	}
	checkAgent(t, dir, socket, signers)
	checkLimit(t)
}

// checkAgent has OpenSSH's own tools use the agent.
func checkAgent(t *testing.T, dir folder, socket string, signers []ssh.Signer) {
	t.Helper()
	env := []string{"SSH_AUTH_SOCK=" + socket}
	list, err := tryWith(t, env, nil, "ssh-add", "-l")
	if err != nil {
		t.Errorf("ssh-add -l: %v, %s", err, list)
	}
	if n := strings.Count(list, "\n"); n != len(signers) {
		t.Errorf("ssh-add -l lists %d keys, not %d", n, len(signers))
	}
	for i, s := range signers {
		kind := s.PublicKey().Type()
		if !strings.Contains(list, fmt.Sprintf("%s key %d ", ssh.FingerprintSHA256(s.PublicKey()), i)) {
			t.Errorf("ssh-add -l does not list %s:\n%s", kind, list)
		}
		public := dir.write(t, "id.pub", authorizedKeys("", s))
		// It has the agent sign, and verifies the signature.
		if out, err := tryWith(t, env, nil, "ssh-add", "-T", public); err != nil {
			t.Errorf("ssh-add -T, %s: %v, %s", kind, err, out)
		}
		// git signs commits in this way.
		message := dir.write(t, "message", []byte("message"))
		dir.remove(t, "message.sig")
		if out, err := tryWith(t, env, nil, "ssh-keygen", "-Y", "sign", "-f", public, "-n", "git", message); err != nil {
			t.Errorf("ssh-keygen -Y sign, %s: %v, %s", kind, err, out)
			continue
		}
		allowed := dir.write(t, "allowed", authorizedKeys("me ", s))
		verify := []string{"-Y", "verify", "-f", allowed, "-I", "me", "-n", "git", "-s", dir.path("message.sig")}
		if out, err := try(t, []byte("message"), "ssh-keygen", verify...); err != nil {
			t.Errorf("ssh-keygen -Y verify, %s: %v, %s", kind, err, out)
		}
		if out, err := try(t, []byte("another"), "ssh-keygen", verify...); err == nil {
			t.Errorf("ssh-keygen -Y verify, %s: right for another message: %s", kind, out)
		}
	}
}

// needAccount skips the test for a user whom OpenSSH does not know.
func needAccount(t *testing.T) string {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Skipf("SKIPPED: OpenSSH needs a user with an account: %v", err)
	}
	return me.Username
}

// startSSHD has an sshd serve each connection that comes to an address, which it
// returns: a process each, that ends with its connection. The sshd has no private
// key: for its host keys it asks the agent.
func startSSHD(t *testing.T, dir folder, socket string, hosts []ssh.Signer, authorized string) string {
	t.Helper()
	// Without PAM it would take an account that has no password for one that is locked.
	lines := []string{"HostKeyAgent " + socket, "AuthorizedKeysFile " + authorized, "StrictModes no", "UsePAM yes", "PidFile none",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "LogLevel VERBOSE", "UseDNS no"}
	for i, s := range hosts {
		lines = append(lines, "HostKey "+dir.write(t, fmt.Sprintf("host%d.pub", i), authorizedKeys("", s)))
	}
	config := dir.write(t, "sshd_config", []byte(strings.Join(lines, "\n")+"\n"))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accept(t, l, func(c net.Conn) {
		f, err := c.(*net.TCPConn).File()
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		var log bytes.Buffer
		// One that outlives the test is killed.
		cmd := exec.CommandContext(t.Context(), command("sshd"), "-i", "-e", "-f", config)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = f, f, &log
		cmd.WaitDelay = patience
		// A refused login is an exit status.
		if err := cmd.Run(); err != nil {
			t.Logf("sshd: %v\n%s", err, &log)
		}
	})
	return l.Addr().String()
}

// newEcho starts a server that says hello, and returns its address. The user may
// have no shell, so that what is seen of a login is that it forwards.
func newEcho(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	accept(t, l, func(c net.Conn) { _, _ = io.WriteString(c, "hello") }) // the reader says what is missing
	return l.Addr().String()
}

// sshd has its host keys from an agent of ours, a Go program logs into it with user
// keys of ours, and so does ssh with the agent's.
func TestSSHDTakesHostKeysAndUserKeys(t *testing.T) {
	if !alone(t, "ssh", "sshd") {
		return
	}
	me := needAccount(t)
	dir := newFolder(t)
	users, hosts := newSigners(t), newSigners(t)
	socket := serveAgent(t, dir, append(users[:len(users):len(users)], hosts...))
	sshd := startSSHD(t, dir, socket, hosts, dir.write(t, "authorized", authorizedKeys("", users...)))
	echo := newEcho(t)

	hello := func(user, host ssh.Signer) error {
		algorithms := []string{host.PublicKey().Type()}
		if algorithms[0] == ssh.KeyAlgoRSA {
			algorithms = []string{ssh.KeyAlgoRSASHA512}
		}
		client, err := ssh.Dial("tcp", sshd, &ssh.ClientConfig{
			User: me, Auth: []ssh.AuthMethod{ssh.PublicKeys(user)}, Timeout: patience,
			HostKeyAlgorithms: algorithms, HostKeyCallback: ssh.FixedHostKey(host.PublicKey()),
		})
		if err != nil {
			return err
		}
		defer client.Close()
		conn, err := client.Dial("tcp", echo)
		if err != nil {
			return err
		}
		defer conn.Close()
		if text, err := io.ReadAll(conn); err != nil || string(text) != "hello" {
			return fmt.Errorf("read %q: %w", text, err)
		}
		return nil
	}
	for i, s := range users {
		host := hosts[(i+1)%len(hosts)]
		if err := hello(s, host); err != nil {
			t.Errorf("crypto/ssh, user %s, host %s: %v", s.PublicKey().Type(), host.PublicKey().Type(), err)
		}
	}
	if hello(hosts[0], hosts[0]) == nil {
		t.Error("a key that is not authorized logs in")
	}

	host, port, err := net.SplitHostPort(sshd)
	if err != nil {
		t.Fatal(err)
	}
	known := dir.write(t, "hosts", authorizedKeys("host ", hosts...))
	for _, s := range users {
		options := append(sshOptions(known, identity(t, dir, socket, s)...), "-W", echo, "-p", port, me+"@"+host)
		if out, err := try(t, nil, "ssh", options...); err != nil || out != "hello" {
			t.Errorf("ssh, user %s: %v, %s", s.PublicKey().Type(), err, out)
		}
	}
	checkLimit(t)
}
