package tasks

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/internal/kind"
	"icm/internal/wire"
)

func accountEnsure(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookAccount, Do: d.doAccount, Undo: d.undoAccount}
}

// accountsMade is what account.ensure made, noted before it was made.
type accountsMade struct {
	Users  []string `json:"users"`
	Groups []string `json:"groups"`
}

// missing compares what is wanted with what there is.
func (d Deps) missing(a kind.Account) (users []host.NewAccount, groups []string, err error) {
	for _, g := range []string{a.Group, a.OwnerGroup} {
		_, found, err := host.FindGroup(d.Root, g)
		if err != nil {
			return nil, nil, err
		}
		if g != "" && !found && !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	for _, n := range d.newAccounts(a) {
		_, found, err := host.FindAccount(d.Root, n.Name)
		if err != nil {
			return nil, nil, err
		}
		if n.Name != "" && !found && !slices.ContainsFunc(users, func(u host.NewAccount) bool { return u.Name == n.Name }) {
			users = append(users, n)
		}
	}
	return users, groups, nil
}

// newAccounts are the two accounts as they are made. The owner has a shell,
// because commands and sessions of the instance run as the owner; its password
// is locked, so nobody can log in with it. Neither has a home directory of its
// own: IRIS needs none.
func (d Deps) newAccounts(a kind.Account) []host.NewAccount {
	owner := host.NewAccount{Name: a.Owner, UID: d.freeUID(a.OwnerUID), Group: a.OwnerGroup, Shell: "/bin/bash", Home: "/"}
	if a.Group != a.OwnerGroup {
		owner.Groups = []string{a.Group}
	}
	user := host.NewAccount{Name: a.User, Group: a.Group, Shell: d.noLogin(), Home: "/"}
	return []host.NewAccount{owner, user}
}

// freeUID returns the wanted number, or 0 when somebody has it.
func (d Deps) freeUID(uid int) int {
	all, err := host.Accounts(d.Root)
	if err != nil || slices.ContainsFunc(all, func(a host.Account) bool { return int(a.UID) == uid }) {
		return 0
	}
	return uid
}

func (d Deps) noLogin() string {
	for _, p := range []string{"/usr/sbin/nologin", "/sbin/nologin"} {
		if exists(d.path(p)) {
			return p
		}
	}
	return "/bin/false"
}

func (d Deps) lookAccount(_ context.Context, t *engine.Task) (wire.Look, error) {
	a, err := decodeAccount(t)
	if err != nil {
		return wire.Look{}, err
	}
	users, groups, err := d.missing(a)
	if err != nil {
		return wire.Look{}, err
	}
	var l wire.Look
	for _, g := range groups {
		l.Diffs = append(l.Diffs, wire.Diff{What: "group " + g, Before: "", After: "made"})
	}
	for _, u := range users {
		after := "made, group " + u.Group
		if u.UID != 0 {
			after = fmt.Sprintf("made, uid %d, group %s", u.UID, u.Group)
		}
		l.Diffs = append(l.Diffs, wire.Diff{What: "account " + u.Name, Before: "", After: after})
	}
	l.Satisfied = len(l.Diffs) == 0
	return l, nil
}

func decodeAccount(t *engine.Task) (kind.Account, error) {
	var a kind.Account
	if err := t.Decode(&a); err != nil {
		return a, err
	}
	for _, name := range []string{a.Owner, a.OwnerGroup, a.User, a.Group} {
		if !host.ValidAccountName(name) {
			return a, fmt.Errorf("%q cannot be the name of an account or group", name)
		}
	}
	return a, nil
}

// doAccount makes the accounts and groups that IRIS runs as, where they are
// missing. Existing ones are left as they are.
//
// Rerun: what was made before the crash is there and is left alone; an account
// that useradd did not bring into all of its files is made anew.
// Undo: deletes the accounts and groups that this task made, and no others.
func (d Deps) doAccount(ctx context.Context, t *engine.Task) error {
	a, err := decodeAccount(t)
	if err != nil {
		return err
	}
	if err := d.clearHalfMade(ctx, t, a); err != nil {
		return err
	}
	users, groups, err := d.missing(a)
	if err != nil {
		return err
	}
	made, err := noteMade(t, users, groups)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if _, err := host.AddGroup(d.Root, g).Run(ctx); err != nil {
			return fmt.Errorf("cannot make group %s: %w", g, err)
		}
		t.Logf("Made group %s", g)
	}
	for _, u := range users {
		if u.Name == a.Owner && u.UID == 0 && a.OwnerUID != 0 {
			t.Logf("Somebody has uid %d: %s gets another one", a.OwnerUID, u.Name)
		}
		if _, err := host.AddAccount(d.Root, u).Run(ctx); err != nil {
			return fmt.Errorf("cannot make account %s: %w", u.Name, err)
		}
		t.Logf("Made account %s", u.Name)
	}
	return d.recordMade(made)
}

// clearHalfMade deletes what this task had begun to make when the power failed:
// useradd and groupadd write one file after the other.
func (d Deps) clearHalfMade(ctx context.Context, t *engine.Task, a kind.Account) error {
	var made accountsMade
	if known, err := t.Load("made", &made); err != nil || !known {
		return err
	}
	for _, n := range d.newAccounts(a) {
		if !slices.Contains(made.Users, n.Name) {
			continue
		}
		if half, err := host.HalfMade(d.Root, n); err != nil || !half {
			if err != nil {
				return err
			}
			continue
		}
		if _, err := host.RemoveAccount(d.Root, n.Name).Run(ctx); err != nil {
			return fmt.Errorf("cannot delete account %s, which is half made: %w", n.Name, err)
		}
	}
	for _, g := range made.Groups {
		if half, err := host.HalfMadeGroup(d.Root, g); err != nil || !half {
			if err != nil {
				return err
			}
			continue
		}
		if _, err := host.RemoveGroup(d.Root, g).Run(ctx); err != nil {
			return fmt.Errorf("cannot delete group %s, which is half made: %w", g, err)
		}
	}
	return nil
}

// noteMade keeps the first note: on a rerun some of it is there already.
func noteMade(t *engine.Task, users []host.NewAccount, groups []string) (accountsMade, error) {
	var made accountsMade
	if known, err := t.Load("made", &made); err != nil || known {
		return made, err
	}
	made.Groups = groups
	for _, u := range users {
		made.Users = append(made.Users, u.Name)
	}
	return made, t.Note("made", made)
}

// AccountsFile lists, one "user NAME" or "group NAME" a line, what icm made on
// this node, so that removing IRIS can tell its accounts from others'. It lies
// in the agent's home.
const AccountsFile = "accounts"

// recordMade adds what this task made, also before it was cut off.
func (d Deps) recordMade(made accountsMade) error {
	if d.Home == "" || len(made.Users)+len(made.Groups) == 0 {
		return nil
	}
	old, _, err := readFile(d.home(AccountsFile))
	if err != nil {
		return err
	}
	text := old
	add := func(line string) {
		if !strings.Contains("\n"+text, "\n"+line) {
			text += line
		}
	}
	for _, g := range made.Groups {
		add("group " + g + "\n")
	}
	for _, u := range made.Users {
		add("user " + u + "\n")
	}
	if text == old {
		return nil
	}
	return writeFile(d.home(AccountsFile), text, 0o600)
}

func (d Deps) undoAccount(ctx context.Context, t *engine.Task) error {
	var made accountsMade
	if known, err := t.Load("made", &made); err != nil || !known {
		return err
	}
	for _, name := range made.Users {
		_, found, err := host.FindAccount(d.Root, name)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		if _, err := host.RemoveAccount(d.Root, name).Run(ctx); err != nil {
			return fmt.Errorf("cannot delete account %s: %w", name, err)
		}
	}
	for _, name := range made.Groups {
		_, found, err := host.FindGroup(d.Root, name)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		if _, err := host.RemoveGroup(d.Root, name).Run(ctx); err != nil {
			return fmt.Errorf("cannot delete group %s: %w", name, err)
		}
	}
	return d.forgetMade(made)
}

func (d Deps) forgetMade(made accountsMade) error {
	old, err := os.ReadFile(d.home(AccountsFile))
	if err != nil {
		return nil // nothing was recorded
	}
	var keep strings.Builder
	for line := range strings.Lines(string(old)) {
		what, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		gone := what == "user" && slices.Contains(made.Users, name) || what == "group" && slices.Contains(made.Groups, name)
		if !gone {
			keep.WriteString(line)
		}
	}
	if keep.Len() == 0 {
		return removeFiles(d.home(AccountsFile))
	}
	return writeFile(d.home(AccountsFile), keep.String(), 0o600)
}
