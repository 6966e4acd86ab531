package scram

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
)

// PostgreSQL returns a connection to a PostgreSQL server that logs in by itself: when
// the server asks for SCRAM-SHA-256, it answers in place of the client that reads from
// the connection, which sees only that the login succeeded. If TLS is used, conn is
// within it. The login waits for locked memory until ctx ends; it is part of the first
// Read, which returns its errors.
//
// Where the server asks for the password itself, or for MD5, the login fails. A server
// that asks for nothing, or for a certificate, works as without PostgreSQL.
func PostgreSQL(ctx context.Context, conn net.Conn, password Password) net.Conn {
	return &postgres{Conn: conn, ctx: ctx, client: &Client{Password: password}}
}

// postgres is a connection that logs in.
type postgres struct {
	net.Conn

	// The rest is used by Read alone, which is not for concurrent use.
	ctx     context.Context
	client  *Client // nil once the login is over
	err     error   // that ended it
	pending []byte  // for the reader
}

// Messages of the server, and what an authentication message asks for: chapter
// "Message Formats" of PostgreSQL's manual.
const (
	typeAuthentication = 'R'
	typeError          = 'E'
	typeNotice         = 'N'
	typeResponse       = 'p' // the client's

	askNothing      = 0
	askCleartext    = 3
	askMD5          = 5
	askSASL         = 10
	askSASLContinue = 11
	askSASLFinal    = 12

	headerSize = 5       // type and length
	maxMessage = 1 << 16 // before the login is over, and far more than servers send
)

// Read reads what the server sends after the login.
func (p *postgres) Read(b []byte) (int, error) {
	for p.client != nil && len(p.pending) == 0 && p.err == nil {
		p.err = p.step()
	}
	switch {
	case len(p.pending) > 0:
		n := copy(b, p.pending)
		p.pending = p.pending[n:]
		return n, nil
	case p.err != nil:
		return 0, p.err
	}
	return p.Conn.Read(b)
}

// step reads a message, and answers it or leaves it to the reader.
func (p *postgres) step() error {
	message := make([]byte, headerSize)
	if _, err := io.ReadFull(p.Conn, message); err != nil {
		return err
	}
	length := binary.BigEndian.Uint32(message[1:])
	if length < 4 || length > maxMessage {
		return fmt.Errorf("%w: a message of %d bytes", ErrProtocol, length)
	}
	message = append(message, make([]byte, length-4)...)
	if _, err := io.ReadFull(p.Conn, message[headerSize:]); err != nil {
		return err
	}
	body := message[headerSize:]
	// Clients take some messages for the end of the login, whatever came before. Within
	// one that began, none of those pass before the server has proven itself.
	unproven := p.client.nonce != "" && !p.client.verified
	if message[0] != typeAuthentication || len(body) < 4 {
		switch {
		case !unproven && message[0] == typeError:
			p.client = nil
		case unproven && message[0] != typeError && message[0] != typeNotice:
			return errEarly
		}
		p.pending = message
		return nil
	}
	ask, body := binary.BigEndian.Uint32(body), body[4:]
	switch {
	case ask == askSASL:
		return p.begin(body)
	case ask == askSASLContinue:
		final, err := p.client.Final(p.ctx, body)
		if err != nil {
			return err
		}
		return p.respond(final)
	case ask == askSASLFinal:
		return p.client.Verify(body)
	case ask == askCleartext || ask == askMD5:
		return fmt.Errorf("%w: the server asks for the password itself, or its MD5, not for %s", ErrProtocol, Mechanism)
	case unproven:
		return errEarly
	}
	p.pending, p.client = message, nil
	return nil
}

var errEarly = fmt.Errorf("%w: the login ended early", ErrServer)

// begin answers the list of mechanisms.
func (p *postgres) begin(mechanisms []byte) error {
	known := false
	for name := range bytes.SplitSeq(mechanisms, []byte{0}) {
		known = known || string(name) == Mechanism
	}
	if !known {
		return fmt.Errorf("%w: the server has no %s", ErrProtocol, Mechanism)
	}
	if p.client.nonce != "" {
		return fmt.Errorf("%w: the login begins again", ErrProtocol)
	}
	first := p.client.First()
	body := append([]byte(Mechanism), 0)
	body = binary.BigEndian.AppendUint32(body, uint32(len(first)))
	return p.respond(append(body, first...))
}

// respond sends the client's part.
func (p *postgres) respond(body []byte) error {
	message := binary.BigEndian.AppendUint32([]byte{typeResponse}, uint32(len(body)+4))
	_, err := p.Conn.Write(append(message, body...))
	return err
}
