package iris

import (
	"os"
	"os/user"
	"strconv"
	"syscall"

	"icm/agent/host"
)

// asOwnerOf makes a command run as the owner of an installation: only the owner
// is let in by operating system authentication, and what root starts leaves
// files that the owner cannot write. Where the owner cannot be found the
// command runs as it is.
func (n *Node) asOwnerOf(dir string, c host.Command) host.Command {
	st, err := os.Stat(dir)
	if err != nil {
		return c
	}
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 || sys.Uid == 0 {
		return c
	}
	u, err := user.LookupId(strconv.Itoa(int(sys.Uid)))
	if err != nil {
		return c
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return c
	}
	c.Credential, c.UID, c.GID, c.Groups = true, sys.Uid, uint32(gid), groups(u)
	c.Env = append(c.Env, "HOME="+u.HomeDir, "USER="+u.Username, "LOGNAME="+u.Username)
	if c.Dir == "" {
		c.Dir = "/" // the agent's own directory is closed to others
	}
	return c
}

// groups are the supplementary groups of a user: members of the instance's
// group may start and stop it.
func groups(u *user.User) []uint32 {
	ids, err := u.GroupIds()
	if err != nil {
		return nil
	}
	var out []uint32
	for _, id := range ids {
		if g, err := strconv.ParseUint(id, 10, 32); err == nil {
			out = append(out, uint32(g))
		}
	}
	return out
}

// ids looks up an account and a group. An empty name is -1, which leaves what
// is there.
func ids(owner, group string) (uid, gid int, err error) {
	uid, gid = -1, -1
	if owner != "" {
		u, err := user.Lookup(owner)
		if err != nil {
			return 0, 0, err
		}
		if uid, err = strconv.Atoi(u.Uid); err != nil {
			return 0, 0, err
		}
	}
	if group != "" {
		g, err := user.LookupGroup(group)
		if err != nil {
			return 0, 0, err
		}
		if gid, err = strconv.Atoi(g.Gid); err != nil {
			return 0, 0, err
		}
	}
	return uid, gid, nil
}

// owners returns who a file belongs to.
func owners(st os.FileInfo) (uid, gid int) {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return int(sys.Uid), int(sys.Gid)
	}
	return -1, -1
}
