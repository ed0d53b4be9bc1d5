package gateway

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// socketName is what the Apache module connects to, beside itself.
const socketName = "gateway.sock"

// Run is the program that the Apache module starts: it opens its socket,
// becomes the web server's user, and ends with the web server.
func Run(ctx context.Context, moduleDir, confDir, uid, gid string) error {
	socket := filepath.Join(moduleDir, socketName)
	os.Remove(socket)
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		return err
	}
	if err := become(uid, gid); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() { // a web server that was killed cannot end us
		parent := os.Getppid()
		for tick := time.NewTicker(time.Second); os.Getppid() == parent; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		stop()
	}()
	return New(confDir).Serve(ctx, l)
}

// become gives root's rights up for good.
func become(uid, gid string) error {
	u, errU := strconv.Atoi(uid)
	g, errG := strconv.Atoi(gid)
	if os.Geteuid() != 0 || errU != nil || errG != nil || u == 0 {
		return nil
	}
	if err := syscall.Setgroups([]int{g}); err != nil {
		return err
	}
	if err := syscall.Setregid(g, g); err != nil {
		return err
	}
	return syscall.Setreuid(u, u)
}
