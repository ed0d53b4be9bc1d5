package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

// shellFiles is files for a node whose sshd has no sftp subsystem: one session
// for each thing done, which is slow and works everywhere.
type shellFiles struct{ conn *Conn }

func (f *shellFiles) close() {}

func (f *shellFiles) isDir(ctx context.Context, name string) (bool, error) {
	res, _, err := f.run(ctx, "test -d "+quotePath(name), nil)
	return res.Exit == 0, err
}

func (f *shellFiles) mkdirAll(ctx context.Context, name string) error {
	return f.must(ctx, "mkdir -p "+quotePath(name), nil)
}

func (f *shellFiles) chmod(ctx context.Context, name string, mode fs.FileMode) error {
	return f.must(ctx, fmt.Sprintf("chmod %o %s", mode, quotePath(name)), nil)
}

func (f *shellFiles) symlink(ctx context.Context, target, name string) error {
	return f.must(ctx, linkCommand(target, name), nil)
}

func (f *shellFiles) put(ctx context.Context, name string, r io.Reader, size int64, mode fs.FileMode) error {
	return f.must(ctx, putCommand(name, size, mode), r)
}

func linkCommand(target, name string) string {
	return fmt.Sprintf("rm -f %[1]s && ln -s %[2]s %[1]s && mv -fT %[1]s %[3]s",
		quotePath(tempName(name)), Quote(target), quotePath(name))
}

// putCommand writes standard input to the side, checks its size and renames.
// The part is removed whatever went wrong.
func putCommand(name string, size int64, mode fs.FileMode) string {
	return fmt.Sprintf("umask 077; t=%s; rm -f \"$t\"; cat > \"$t\" && n=$(wc -c < \"$t\") && "+
		"{ [ $n -eq %[2]d ] || { echo \"$((n)) bytes arrived, the file had %[2]d\" >&2; false; }; } && "+
		"chmod %[3]o \"$t\" && mv -f \"$t\" %[4]s || { rm -f \"$t\"; exit 1; }",
		quotePath(tempName(name)), size, mode, quotePath(name))
}

// quotePath keeps a name that begins with "-" from being an option.
func quotePath(name string) string {
	if !path.IsAbs(name) {
		name = "./" + name
	}
	return Quote(name)
}

func (f *shellFiles) must(ctx context.Context, line string, stdin io.Reader) error {
	res, said, err := f.run(ctx, line, stdin)
	if err == nil && res.Exit != 0 {
		err = errors.New(lastLine(said, fmt.Sprintf("status %d", res.Exit)))
	}
	return err
}

func (f *shellFiles) run(ctx context.Context, line string, stdin io.Reader) (Result, string, error) {
	var said tail
	res, err := f.conn.Run(ctx, Cmd{Line: line, Stdin: stdin, Stderr: &said})
	return res, said.String(), err
}

// lastLine is the last line of what a command said, or instead when it said
// nothing.
func lastLine(said, instead string) string {
	said = strings.TrimSpace(said)
	if said == "" {
		return instead
	}
	return strings.TrimSpace(said[strings.LastIndexByte(said, '\n')+1:])
}
