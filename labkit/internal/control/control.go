// Package control is how the iris command and a running instance talk: one
// Unix socket in the manager directory, and two small files beside it.
package control

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Request is the first line a client sends.
type Request struct {
	Op        string // stop, session, sql, merge, stat
	Namespace string
	Code      string
	Terminal  bool   // the user sees what they type
	File      string // merge file
	Target    string // configuration file a merge goes to
	// NoFailover of a stop: no backup is to take over.
	NoFailover bool
}

// Frame kinds of what the instance answers.
const (
	Output = 'o' // bytes for the user
	Echo   = 'e' // "on" or "off": whether typing may be seen
	Exit   = 'x' // decimal exit status, the last frame
)

const socketName = "iris.sock"

// at runs f with a path to the socket that is short enough for the kernel,
// however deep dir is.
func at(dir string, f func(path string) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return f(fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), socketName))
}

// Listen opens the socket in the manager directory. Anybody may connect; who
// it was is asked of the kernel.
func Listen(mgr string) (net.Listener, error) {
	path := filepath.Join(mgr, socketName)
	os.Remove(path)
	var l net.Listener
	err := at(mgr, func(short string) error {
		var err error
		l, err = net.Listen("unix", short)
		return err
	})
	if err != nil {
		return nil, err
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	return l, os.Chmod(path, 0o666)
}

// Dial connects to the instance whose manager directory is mgr.
func Dial(mgr string, req Request) (*net.UnixConn, error) {
	var c net.Conn
	err := at(mgr, func(short string) error {
		var err error
		c, err = net.DialTimeout("unix", short, 5*time.Second)
		return err
	})
	if err != nil {
		return nil, err
	}
	line, err := json.Marshal(req)
	if err == nil {
		_, err = c.Write(append(line, '\n'))
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c.(*net.UnixConn), nil
}

// WriteFrame sends one frame.
func WriteFrame(w io.Writer, kind byte, data []byte) error {
	head := make([]byte, 5, 5+len(data))
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(data)))
	_, err := w.Write(append(head, data...))
	return err
}

// maxFrame bounds what a broken peer can make us allocate.
const maxFrame = 16 << 20

// ReadFrame reads one frame.
func ReadFrame(r io.Reader) (kind byte, data []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > maxFrame {
		return 0, nil, fmt.Errorf("cannot read frame: %d bytes are too many", size)
	}
	data = make([]byte, size)
	_, err = io.ReadFull(r, data)
	return head[0], data, err
}
