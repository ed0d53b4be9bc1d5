package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// files opens the node's file system: over SFTP, or over the shell when sshd
// has no such subsystem.
func (c *Conn) files(ctx context.Context) (files, error) {
	s, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	client, err := startSFTP(s)
	if err == nil {
		return &sftpFiles{client: client, session: s}, nil
	}
	_ = s.Close() // it was of no use
	if c.Err() != nil {
		return nil, c.Err()
	}
	return &shellFiles{conn: c}, nil
}

func startSFTP(s *ssh.Session) (*sftp.Client, error) {
	w, err := s.StdinPipe()
	if err != nil {
		return nil, err
	}
	r, err := s.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.RequestSubsystem("sftp"); err != nil {
		return nil, err
	}
	// Concurrent writes hide the round trips; a file that was written with
	// holes is never renamed, because its size is checked first.
	return sftp.NewClientPipe(r, w, sftp.UseConcurrentWrites(true))
}

type sftpFiles struct {
	client  *sftp.Client
	session *ssh.Session
}

func (f *sftpFiles) close() {
	_ = f.session.Close() // first: the client's own Close waits for answers
	_ = f.client.Close()
}

func (f *sftpFiles) isDir(_ context.Context, name string) (bool, error) {
	info, err := f.client.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && info.IsDir(), err
}

func (f *sftpFiles) mkdirAll(_ context.Context, name string) error { return f.client.MkdirAll(name) }

func (f *sftpFiles) chmod(_ context.Context, name string, mode fs.FileMode) error {
	return f.client.Chmod(name, mode)
}

func (f *sftpFiles) symlink(ctx context.Context, target, name string) error {
	if dir, err := f.isDir(ctx, name); err != nil || dir {
		return errors.Join(err, errIf(dir, "a directory is in its place"))
	}
	temp := tempName(name)
	_ = f.client.Remove(temp) // of an attempt before
	if err := f.client.Symlink(target, temp); err != nil {
		return err
	}
	return f.rename(temp, name)
}

func (f *sftpFiles) put(_ context.Context, name string, r io.Reader, size int64, mode fs.FileMode) (err error) {
	temp := tempName(name)
	// A part left by an attempt before may be one that cannot be written to.
	_ = f.client.Remove(temp)
	defer func() {
		if err != nil {
			_ = f.client.Remove(temp) // the first error is the one that matters
		}
	}()
	if err := f.write(temp, r, size, mode); err != nil {
		return err
	}
	return f.rename(temp, name)
}

func (f *sftpFiles) write(temp string, r io.Reader, size int64, mode fs.FileMode) error {
	file, err := f.client.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	// Before the first byte: what is copied may be a secret.
	err = file.Chmod(0o600)
	if err == nil {
		_, err = file.ReadFromWithConcurrency(r, 32)
	}
	if err == nil {
		err = file.Chmod(mode)
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	info, err := f.client.Stat(temp)
	if err != nil {
		return err
	}
	return sizeError(info.Size(), size)
}

// rename replaces name; servers without the POSIX extension do it in two steps.
func (f *sftpFiles) rename(temp, name string) error {
	if _, ok := f.client.HasExtension("posix-rename@openssh.com"); ok {
		return f.client.PosixRename(temp, name)
	}
	if err := f.client.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.client.Rename(temp, name)
}

func sizeError(got, want int64) error {
	if got == want {
		return nil
	}
	return fmt.Errorf("%d bytes arrived, the file had %d: it changed while it was copied, or the node's disk is full", got, want)
}

func errIf(yes bool, text string) error {
	if yes {
		return errors.New(text)
	}
	return nil
}
