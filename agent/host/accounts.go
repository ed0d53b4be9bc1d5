package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Account is one line of /etc/passwd.
type Account struct {
	Name     string
	UID, GID uint32
	Home     string
	Shell    string
}

// Group is one line of /etc/group.
type Group struct {
	Name    string
	GID     uint32
	Members []string
}

// Accounts reads local accounts below a root. Accounts of a directory service
// are not among them: see FindAccount.
func Accounts(root string) ([]Account, error) {
	rows, err := colonRows(filepath.Join(root, "etc/passwd"), 7)
	var all []Account
	for _, r := range rows {
		all = append(all, Account{Name: r[0], UID: number(r[2]), GID: number(r[3]), Home: r[5], Shell: r[6]})
	}
	return all, err
}

// Groups reads local groups below a root.
func Groups(root string) ([]Group, error) {
	rows, err := colonRows(filepath.Join(root, "etc/group"), 4)
	var all []Group
	for _, r := range rows {
		g := Group{Name: r[0], GID: number(r[2])}
		if r[3] != "" {
			g.Members = strings.Split(r[3], ",")
		}
		all = append(all, g)
	}
	return all, err
}

// FindAccount looks an account up by name.
func FindAccount(root, name string) (Account, bool, error) {
	all, err := Accounts(root)
	i := slices.IndexFunc(all, func(a Account) bool { return a.Name == name })
	if err != nil || i < 0 {
		return Account{}, false, err
	}
	return all[i], true, nil
}

// FindGroup looks a group up by name.
func FindGroup(root, name string) (Group, bool, error) {
	all, err := Groups(root)
	i := slices.IndexFunc(all, func(g Group) bool { return g.Name == name })
	if err != nil || i < 0 {
		return Group{}, false, err
	}
	return all[i], true, nil
}

// HalfMade reports whether an account is there, but not in all the files and
// groups that useradd writes. A node without shadow files has none to write.
func HalfMade(root string, n NewAccount) (bool, error) {
	_, found, err := FindAccount(root, n.Name)
	if err != nil || !found {
		return false, err
	}
	if in, err := inShadow(root, "etc/shadow", n.Name); err != nil || !in {
		return !in, err
	}
	for _, name := range n.Groups {
		g, found, err := FindGroup(root, name)
		if err != nil {
			return false, err
		}
		if found && !slices.Contains(g.Members, n.Name) {
			return true, nil
		}
	}
	return false, nil
}

// HalfMadeGroup reports whether a group is there, but not in all the files that
// groupadd writes.
func HalfMadeGroup(root, name string) (bool, error) {
	_, found, err := FindGroup(root, name)
	if err != nil || !found {
		return false, err
	}
	in, err := inShadow(root, "etc/gshadow", name)
	return !in, err
}

func inShadow(root, file, name string) (bool, error) {
	data, err := os.ReadFile(filepath.Join(root, file))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return strings.Contains("\n"+string(data), "\n"+name+":"), err
}

func colonRows(path string, fields int) ([][]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot read accounts: %v", err)
	}
	var rows [][]string
	for line := range strings.Lines(string(data)) {
		if r := strings.Split(strings.TrimSpace(line), ":"); len(r) >= fields {
			rows = append(rows, r)
		}
	}
	return rows, nil
}

func number(s string) uint32 {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		return ^uint32(0) // nobody's: never taken for root
	}
	return uint32(n)
}

// ValidAccountName reports whether useradd on every distribution takes a name.
func ValidAccountName(name string) bool {
	if name == "" || len(name) > 32 {
		return false
	}
	for i, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || c == '_'
		if !letter && (i == 0 || !('0' <= c && c <= '9') && c != '-') {
			return false
		}
	}
	return true
}

// NewAccount is an account that is to be made.
type NewAccount struct {
	Name   string
	UID    int // 0 lets the system choose
	Group  string
	Groups []string
	Shell  string
	Home   string
}

// AddGroup is the command that makes a system group.
func AddGroup(root, name string) Command {
	return Command{Path: "groupadd", Args: append(rootArgs(root), "--system", name)}
}

// AddAccount is the command that makes a system account with a locked
// password and no home directory.
func AddAccount(root string, a NewAccount) Command {
	args := append(rootArgs(root), "--system", "--no-create-home", "--no-user-group",
		"--gid", a.Group, "--home-dir", a.Home, "--shell", a.Shell)
	if a.UID != 0 {
		args = append(args, "--uid", strconv.Itoa(a.UID))
	}
	if len(a.Groups) > 0 {
		args = append(args, "--groups", strings.Join(a.Groups, ","))
	}
	return Command{Path: "useradd", Args: append(args, a.Name)}
}

// RemoveAccount is the command that deletes an account and leaves its files.
func RemoveAccount(root, name string) Command {
	return Command{Path: "userdel", Args: append(rootArgs(root), name)}
}

// RemoveGroup is the command that deletes a group.
func RemoveGroup(root, name string) Command {
	return Command{Path: "groupdel", Args: append(rootArgs(root), name)}
}

func rootArgs(root string) []string {
	if root == "/" || root == "" {
		return nil
	}
	return []string{"--prefix", root}
}
