package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"icm/internal/hint"
)

// Copy is one `icm scp` to one node.
type Copy struct {
	// Local is a file or a directory. A directory without a trailing slash is
	// copied itself, with one its contents are.
	Local string
	// Remote is a directory when it ends in a slash, else a file; "" is Home.
	Remote string
	// Home is the user's home directory on the node.
	Home string
	// Moved is told how many of how many bytes are there; may be nil.
	Moved func(done, total int64)
}

// Copy copies a file or a directory to the node. Every file is written to the
// side, checked against its size and renamed, so that the node never sees a
// part of one. Modes are kept, owners are not.
func (c *Conn) Copy(ctx context.Context, cp Copy) error {
	list, err := planCopy(cp)
	if err != nil {
		return fmt.Errorf("cannot copy %s: %w", cp.Local, err)
	}
	to, err := c.files(ctx)
	if err != nil {
		return err
	}
	defer to.close()
	stop := context.AfterFunc(ctx, to.close) // ends a transfer that is under way
	defer stop()
	return runCopy(ctx, to, list, cp.Moved)
}

// files is what copying asks of a node's file system. There are two: SFTP, and
// the shell where sshd has no sftp subsystem.
type files interface {
	// isDir reports whether name is there and a directory.
	isDir(ctx context.Context, name string) (bool, error)
	mkdirAll(ctx context.Context, name string) error
	chmod(ctx context.Context, name string, mode fs.FileMode) error
	// put writes size bytes of r to the side of name and renames.
	put(ctx context.Context, name string, r io.Reader, size int64, mode fs.FileMode) error
	symlink(ctx context.Context, target, name string) error
	close()
}

func runCopy(ctx context.Context, to files, list *copyList, moved func(done, total int64)) error {
	if err := list.fits(ctx, to); err != nil {
		return err
	}
	var done int64
	tell := func(n int64) {
		done += n
		if moved != nil {
			moved(done, list.total)
		}
	}
	for _, e := range list.entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.copy(ctx, to, tell); err != nil {
			return errors.Join(ctx.Err(), fmt.Errorf("cannot copy %s to %s: %w", e.local, e.remote, err))
		}
	}
	// Modes of directories come last, innermost first: a read-only directory
	// could not have been filled.
	for i := len(list.entries) - 1; i >= 0; i-- {
		e := list.entries[i]
		if e.mode.IsDir() && !e.root {
			if err := to.chmod(ctx, e.remote, e.mode.Perm()); err != nil {
				return fmt.Errorf("cannot set the mode of %s: %w", e.remote, err)
			}
		}
	}
	return nil
}

// fits refuses to replace a directory by a file.
func (l *copyList) fits(ctx context.Context, to files) error {
	if l.file == "" {
		return nil
	}
	dir, err := to.isDir(ctx, l.file)
	if err != nil {
		return fmt.Errorf("cannot look at %s: %w", l.file, err)
	}
	if dir {
		return hint.New(fmt.Errorf("%s is a directory on the node", l.file), "write it with a slash at the end: -remotePath "+l.file+"/")
	}
	return nil
}

func (e copyEntry) copy(ctx context.Context, to files, tell func(int64)) error {
	switch {
	case e.mode.IsDir():
		return to.mkdirAll(ctx, e.remote)
	case e.mode&fs.ModeSymlink != 0:
		return to.symlink(ctx, e.target, e.remote)
	}
	f, err := os.Open(e.local)
	if err != nil {
		return err
	}
	defer f.Close()
	return to.put(ctx, e.remote, &counted{r: io.LimitReader(f, e.size+1), tell: tell}, e.size, e.mode.Perm())
}

// counted tells how much was read.
type counted struct {
	r    io.Reader
	tell func(int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.tell(int64(n))
	return n, err
}

// tempName is where name is written before it is renamed.
func tempName(name string) string {
	return path.Join(path.Dir(name), ".icm-"+path.Base(name)+".part")
}

func isRemoteDir(name string) bool { return strings.HasSuffix(name, "/") }
