package remote

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"icm/controller/remote/sshtest"
	"icm/internal/hint"
)

// tree makes the files of a test: "name" is a file, "name/" a directory,
// "name -> target" a link.
func tree(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		link, target, isLink := strings.Cut(name, " -> ")
		full := filepath.Join(dir, link)
		err := os.MkdirAll(filepath.Dir(full), 0o755)
		switch {
		case err != nil:
		case isLink:
			err = os.Symlink(target, full)
		case strings.HasSuffix(name, "/"):
			err = os.MkdirAll(full, 0o755)
		default:
			err = os.WriteFile(full, []byte(link), 0o640)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// found lists a directory as tree makes it.
func found(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		switch {
		case err != nil || rel == ".":
		case d.IsDir():
			rel += "/"
			out = append(out, rel)
		case d.Type()&fs.ModeSymlink != 0:
			target, _ := os.Readlink(name)
			out = append(out, rel+" -> "+target)
		default:
			out = append(out, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func eachWay(t *testing.T, f func(t *testing.T, c *Conn)) {
	for name, opts := range map[string]sshtest.Options{"sftp": {}, "shell": {NoSFTP: true}} {
		t.Run(name, func(t *testing.T) { f(t, newWorld(t, opts).dial(t, Options{})) })
	}
}

func TestTheTrailingSlashDecidesAsTheGuideSays(t *testing.T) {
	for name, tc := range map[string]struct {
		local, remote string
		want          []string
		err           string
	}{
		"a file to a file":               {"f", "/new", []string{"home/", "new", "old/"}, ""},
		"a file to a directory":          {"f", "/old/", []string{"home/", "old/", "old/f"}, ""},
		"a file to a new directory":      {"f", "/x/y/", []string{"home/", "old/", "x/", "x/y/", "x/y/f"}, ""},
		"a file where a directory is":    {"f", "/old", nil, "is a directory on the node"},
		"a file to the home":             {"f", "", []string{"home/", "home/f", "old/"}, ""},
		"the contents of a directory":    {"d/", "/old/", []string{"home/", "old/", "old/a", "old/l -> a", "old/s/", "old/s/b"}, ""},
		"a directory itself":             {"d", "/old/", []string{"home/", "old/", "old/d/", "old/d/a", "old/d/l -> a", "old/d/s/", "old/d/s/b"}, ""},
		"a directory itself to the home": {"d", "", []string{"home/", "home/d/", "home/d/a", "home/d/l -> a", "home/d/s/", "home/d/s/b", "old/"}, ""},
		"a directory to a file":          {"d", "/new", nil, "it is a directory, and "},
		"something that is missing":      {"zzz", "/new", nil, "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, c *Conn) {
				here, there := t.TempDir(), t.TempDir()
				tree(t, here, "f", "d/a", "d/s/b", "d/l -> a")
				tree(t, there, "old/", "home/")
				cp := Copy{Local: here + "/" + tc.local, Home: there + "/home"}
				if tc.remote != "" {
					cp.Remote = there + tc.remote
				}
				err := c.Copy(t.Context(), cp)
				if tc.err != "" {
					if err == nil || !strings.Contains(err.Error(), tc.err) {
						t.Errorf("err = %v", err)
					}
					return
				}
				if got := found(t, there); err != nil || !slices.Equal(got, tc.want) {
					t.Errorf("err = %v\ngot  %q\nwant %q", err, got, tc.want)
				}
			})
		})
	}
}

func TestModesAreKeptAndACopyCanBeDoneAgain(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Conn) {
		here, there := t.TempDir(), t.TempDir()
		tree(t, here, "d/run me.sh", "d/it's", "d/ro/x", "d/l -> it's")
		for name, mode := range map[string]fs.FileMode{"run me.sh": 0o755, "it's": 0o400, "ro": 0o555} {
			if err := os.Chmod(filepath.Join(here, "d", name), mode); err != nil {
				t.Fatal(err)
			}
		}
		var last [2]int64
		for range 2 {
			err := c.Copy(t.Context(), Copy{Local: here + "/d", Remote: there + "/", Moved: func(done, total int64) { last = [2]int64{done, total} }})
			if err != nil {
				t.Fatal(err)
			}
		}
		for name, want := range map[string]fs.FileMode{"run me.sh": 0o755, "it's": 0o400, "ro": 0o555 | fs.ModeDir} {
			info, err := os.Stat(filepath.Join(there, "d", name))
			if err != nil || info.Mode() != want {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
		if want := int64(len("d/run me.sh") + len("d/it's") + len("d/ro/x")); last != [2]int64{want, want} {
			t.Errorf("the last progress was %v, want %d of %d", last, want, want)
		}
	})
}

func TestWhatCannotBeCopiedIsRefusedBeforeAnythingIs(t *testing.T) {
	c := newWorld(t, sshtest.Options{}).dial(t, Options{})
	for name, tc := range map[string]struct {
		spoil func(dir string) error
		want  string
	}{
		"a pipe":                        {func(d string) error { return syscall.Mkfifo(d+"/p", 0o600) }, "is a named pipe, which cannot be copied"},
		"a link to nowhere":             {func(d string) error { return os.Symlink("/nowhere", d+"/p") }, "is a link that leads nowhere (/nowhere)"},
		"a link to a directory outside": {func(d string) error { return os.Symlink("/etc", d+"/p") }, "is a link out of the directory, to /etc"},
	} {
		t.Run(name, func(t *testing.T) {
			here, there := t.TempDir(), t.TempDir()
			tree(t, here, "a")
			if err := tc.spoil(here); err != nil {
				t.Fatal(err)
			}
			err := c.Copy(t.Context(), Copy{Local: here + "/", Remote: there + "/"})
			if err == nil || !strings.Contains(err.Error(), tc.want) || len(found(t, there)) != 0 {
				t.Errorf("err = %v, there is %q", err, found(t, there))
			}
		})
	}
}

func TestALinkOutToAFileBecomesTheFile(t *testing.T) {
	c := newWorld(t, sshtest.Options{}).dial(t, Options{})
	here, there := t.TempDir(), t.TempDir()
	tree(t, here, "secret", "d/a", "d/l -> ../secret")
	if err := c.Copy(t.Context(), Copy{Local: here + "/d/", Remote: there + "/"}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(there + "/l"); err != nil || string(got) != "secret" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAFileThatGrowsWhileItIsCopiedIsNotLeftHalf(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Conn) {
		there := t.TempDir()
		to, err := c.files(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer to.close()
		tree(t, there, "f")
		err = to.put(t.Context(), there+"/f", strings.NewReader("more than said"), 3, 0o644)
		if err == nil || !strings.Contains(err.Error(), "14 bytes arrived, the file had 3") {
			t.Errorf("err = %v", err)
		}
		if got, _ := os.ReadFile(there + "/f"); string(got) != "f" || len(found(t, there)) != 1 {
			t.Errorf("%q is there, f holds %q", found(t, there), got)
		}
	})
}

func TestACancelledCopyStops(t *testing.T) {
	eachWay(t, func(t *testing.T, c *Conn) {
		here, there := t.TempDir(), t.TempDir()
		if err := os.WriteFile(here+"/big", make([]byte, 8<<20), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		err := c.Copy(ctx, Copy{Local: here + "/big", Remote: there + "/", Moved: func(int64, int64) { cancel() }})
		if err == nil || ctx.Err() == nil {
			t.Errorf("err = %v", err)
		}
		if _, err := os.Stat(there + "/big"); !os.IsNotExist(err) {
			t.Error("the file is there")
		}
	})
}

func TestADirectoryHintNamesTheOption(t *testing.T) {
	_, err := planCopy(Copy{Local: t.TempDir(), Remote: "/x"})
	if got := hint.Of(err); !strings.Contains(got, "-remotePath /x/") {
		t.Errorf("hint %q", got)
	}
}
