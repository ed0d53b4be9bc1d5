package cpf

import (
	"os"
	"syscall"
)

// keepOwner gives tmp the owner of the file it will replace. Only root may,
// and only root needs to: anybody else already is the owner.
func keepOwner(tmp *os.File, old os.FileInfo) error {
	st, ok := old.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return tmp.Chown(int(st.Uid), int(st.Gid))
}
