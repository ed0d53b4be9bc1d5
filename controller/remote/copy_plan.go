package remote

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"icm/internal/hint"
)

// copyList is everything a copy is going to do, found out before the node is
// touched.
type copyList struct {
	entries []copyEntry // parents before children
	total   int64       // bytes
	file    string      // the remote name when it must not be a directory
}

type copyEntry struct {
	local, remote string
	mode          fs.FileMode
	size          int64
	target        string // of a symbolic link
	root          bool   // the directory copied into: its mode is not ours
}

// planCopy is the table of the guide, 3.5.2.3:
//
//	local      remote     result
//	file       file       remote
//	file       dir/       dir/ + name of the file
//	dir/       dir/       the contents of local, in remote
//	dir        dir/       dir/ + name of local, with its contents
//	dir, dir/  file       refused
func planCopy(cp Copy) (*copyList, error) {
	info, err := os.Stat(cp.Local)
	if err != nil {
		return nil, rootCause(err)
	}
	remote := cp.Remote
	if remote == "" {
		remote = strings.TrimSuffix(cp.Home, "/") + "/"
	}
	list := &copyList{}
	switch {
	case info.Mode().IsRegular() && isRemoteDir(remote):
		list.addDir(copyEntry{local: filepath.Dir(cp.Local), remote: path.Clean(remote), mode: fs.ModeDir, root: true})
		return list, list.addFile(cp.Local, path.Join(remote, filepath.Base(cp.Local)), info)
	case info.Mode().IsRegular():
		list.file = path.Clean(remote)
		return list, list.addFile(cp.Local, list.file, info)
	case info.IsDir() && !isRemoteDir(remote):
		return nil, hint.New(fmt.Errorf("it is a directory, and %s names a file", remote),
			"a directory on the node is written with a slash at the end: -remotePath "+remote+"/")
	case info.IsDir():
		return list, list.addTree(cp.Local, remote)
	default:
		return nil, errors.New("it is neither a file nor a directory")
	}
}

func (l *copyList) addDir(e copyEntry) { l.entries = append(l.entries, e) }

func (l *copyList) addFile(local, remote string, info fs.FileInfo) error {
	l.entries = append(l.entries, copyEntry{local: local, remote: remote, mode: info.Mode(), size: info.Size()})
	l.total += info.Size()
	return nil
}

func (l *copyList) addTree(local, remote string) error {
	top, err := filepath.Abs(local)
	if err != nil {
		return err
	}
	l.addDir(copyEntry{local: top, remote: path.Clean(remote), mode: fs.ModeDir, root: true})
	into := path.Clean(remote)
	if !strings.HasSuffix(local, "/") {
		into = path.Join(into, filepath.Base(top))
	}
	// The tree's top may be a link itself; what it leads to is walked.
	real, err := filepath.EvalSymlinks(top)
	if err != nil {
		return err
	}
	return filepath.WalkDir(real, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(real, name)
		if err != nil {
			return err
		}
		if rel == "." && into == path.Clean(remote) {
			return nil // the contents only; remote itself is made, its mode not set
		}
		return l.addEntry(real, name, path.Join(into, filepath.ToSlash(rel)), d)
	})
}

func (l *copyList) addEntry(top, local, remote string, d fs.DirEntry) error {
	info, err := d.Info()
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		l.addDir(copyEntry{local: local, remote: remote, mode: info.Mode()})
		return nil
	case info.Mode()&fs.ModeSymlink != 0:
		return l.addLink(top, local, remote)
	case info.Mode().IsRegular():
		return l.addFile(local, remote, info)
	default:
		return fmt.Errorf("%s is a %s, which cannot be copied", local, kindOf(info.Mode()))
	}
}

// addLink keeps a link that stays inside the tree a link. One that leads out
// would mean something else on the node: the file it names is copied instead,
// and a directory or nothing is refused.
func (l *copyList) addLink(top, local, remote string) error {
	target, err := os.Readlink(local)
	if err != nil {
		return err
	}
	inside := !filepath.IsAbs(target) && isUnder(top, filepath.Join(filepath.Dir(local), target))
	if inside {
		l.entries = append(l.entries, copyEntry{local: local, remote: remote, mode: fs.ModeSymlink, target: target})
		return nil
	}
	info, err := os.Stat(local)
	if err != nil {
		return fmt.Errorf("%s is a link that leads nowhere (%s)", local, target)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is a link out of the directory, to %s, which is not a file", local, target)
	}
	return l.addFile(local, remote, info)
}

func isUnder(top, name string) bool {
	rel, err := filepath.Rel(top, name)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, "../")
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	default:
		return "device"
	}
}
