package sshtest

import (
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"strconv"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// Session is one command.
type Session struct {
	Command string // "" is a shell
	TTY     bool
	Stdin   io.Reader
	Stdout  io.Writer
	Stderr  io.Writer

	signals chan string
	resized chan [2]int
}

// Signals delivers what the client sends: "TERM", …
func (s *Session) Signals() <-chan string { return s.signals }

// Resized delivers the sizes of the terminal, width first, the first one too.
func (s *Session) Resized() <-chan [2]int { return s.resized }

// Shell runs the command with /bin/sh on this machine; it is the default of
// Options.Exec.
func Shell(ctx context.Context, s *Session) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-s.Signals():
			cancel()
		case <-ctx.Done():
		}
	}()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", s.Command)
	stdin, err := cmd.StdinPipe() // not cmd.Stdin: a command need not read it to its end
	if err != nil {
		return 255
	}
	cmd.Stdout, cmd.Stderr = s.Stdout, s.Stderr
	if err := cmd.Start(); err != nil {
		return 127
	}
	go func() {
		_, _ = io.Copy(stdin, s.Stdin)
		_ = stdin.Close()
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() < 0:
		return 143
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		return 255
	}
	return 0
}

func (s *Server) channel(open ssh.NewChannel) {
	switch open.ChannelType() {
	case "session":
		ch, reqs, err := open.Accept()
		if err != nil {
			return
		}
		s.session(ch, reqs)
	case "direct-tcpip":
		s.forward(open)
	default:
		_ = open.Reject(ssh.UnknownChannelType, "no")
	}
}

func (s *Server) session(ch ssh.Channel, reqs <-chan *ssh.Request) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var running sync.WaitGroup
	defer running.Wait()
	sess := &Session{Stdin: ch, Stdout: ch, Stderr: ch.Stderr(),
		signals: make(chan string, 8), resized: make(chan [2]int, 8)}
	for req := range reqs {
		switch req.Type {
		case "pty-req":
			var pty struct {
				Term                string
				Width, Height, A, B uint32
				Modes               string
			}
			sess.TTY = ssh.Unmarshal(req.Payload, &pty) == nil
			sess.resize(pty.Width, pty.Height)
			_ = req.Reply(sess.TTY, nil)
		case "window-change":
			var size struct{ Width, Height, A, B uint32 }
			if ssh.Unmarshal(req.Payload, &size) == nil {
				sess.resize(size.Width, size.Height)
			}
		case "signal":
			var sig struct{ Name string }
			if ssh.Unmarshal(req.Payload, &sig) == nil {
				sess.signals <- sig.Name
			}
		case "exec", "shell":
			var line struct{ Line string }
			_ = ssh.Unmarshal(req.Payload, &line) // a shell has none
			sess.Command = line.Line
			_ = req.Reply(true, nil)
			running.Go(func() { end(ch, s.opts.Exec(ctx, sess)) })
		case "subsystem":
			_ = req.Reply(!s.opts.NoSFTP, nil)
			if !s.opts.NoSFTP {
				running.Go(func() { serveSFTP(ch) })
			}
		default:
			_ = req.Reply(false, nil)
		}
	}
	cancel()
}

func (s *Session) resize(width, height uint32) {
	select {
	case s.resized <- [2]int{int(width), int(height)}:
	default: // nobody looks
	}
}

// end sends the exit status and closes.
func end(ch ssh.Channel, status int) {
	_ = ch.CloseWrite()
	_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(status)}))
	_ = ch.Close()
}

func serveSFTP(ch ssh.Channel) {
	defer ch.Close()
	server, err := sftp.NewServer(ch)
	if err != nil {
		return
	}
	_ = server.Serve()
	_ = server.Close()
}

// forward joins a direct-tcpip channel, which makes the server a bastion.
func (s *Server) forward(open ssh.NewChannel) {
	var to struct {
		Host       string
		Port       uint32
		Origin     string
		OriginPort uint32
	}
	if err := ssh.Unmarshal(open.ExtraData(), &to); err != nil {
		_ = open.Reject(ssh.ConnectionFailed, "bad request")
		return
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		_ = open.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer conn.Close()
	ch, reqs, err := open.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	go ssh.DiscardRequests(reqs)
	go func() {
		_, _ = io.Copy(conn, ch)
		_ = conn.Close()
	}()
	_, _ = io.Copy(ch, conn)
}
