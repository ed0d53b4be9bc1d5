package crash

import "golang.org/x/sys/unix"

// oldCalls are those that newer architectures do not have.
var oldCalls = []call{
	{unix.SYS_RENAME, "rename", -1, 1},
	{unix.SYS_UNLINK, "remove", -1, 0},
	{unix.SYS_RMDIR, "remove", -1, 0},
	{unix.SYS_MKDIR, "mkdir", -1, 0},
	{unix.SYS_CHMOD, "chmod", -1, 0},
	{unix.SYS_TRUNCATE, "truncate", -1, 0},
	{unix.SYS_SYMLINK, "link", -1, 1},
	{unix.SYS_LINK, "link", -1, 1},
}
