// Command standin is all programs of the stand-in kit in one file. Its name
// says which: iris, irisdb, ISCAgent; as standin it takes a word.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"icm/labkit/internal/agentd"
	"icm/labkit/internal/ctl"
	"icm/labkit/internal/gateway"
	"icm/labkit/internal/installer"
	"icm/labkit/internal/instance"
	"icm/labkit/internal/registry"
	"icm/labkit/internal/release"
	"icm/labkit/internal/store"
)

func main() { os.Exit(dispatch(filepath.Base(os.Args[0]), os.Args[1:])) }

func dispatch(name string, args []string) int {
	switch name {
	case "iris":
		return ctl.Run(ctl.Env{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, args)
	case "irisdb":
		return irisdb(args)
	case "ISCAgent":
		return agent()
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: standin install KITDIR | agentinstall KITDIR | gatewayinstall KITDIR | verify DIR... | digest DIR | iris ...")
		return 1
	}
	switch args[0] {
	case "install":
		return installer.Run(args[1], os.Getenv, os.Stdout)
	case "agentinstall":
		return agentInstall(args[1])
	case "gatewayinstall":
		return gateway.Install(args[1], args[2:], os.Getenv, os.Stdout)
	case "gateway":
		return webGateway(args[1:])
	case "verify":
		return verify(args[1:])
	case "digest":
		return digest(args[1:])
	}
	return dispatch(args[0], args[1:])
}

// irisdb runs an instance. Descriptor 3 tells "iris start" how it went.
func irisdb(args []string) int {
	if err := becomeOwner(); err != nil {
		return 1
	}
	progress := os.NewFile(3, "progress")
	out := bufio.NewWriter(progress)
	ready := func(err error) {
		if err != nil {
			fmt.Fprintf(out, "\x00failed %s\n", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Fprint(out, "\x00ready\n")
		}
		out.Flush()
		progress.Close()
	}
	inst, found, err := registry.Find(registry.Dir(), args[0])
	if err != nil || !found {
		ready(fmt.Errorf("instance %s is not defined", args[0]))
		return 1
	}
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	err = instance.Run(instance.Options{Instance: inst, CPF: args[1], Merge: os.Getenv("ISC_CPF_MERGE_FILE"), Progress: out, Ready: ready})
	if err != nil {
		return 1
	}
	return 0
}

// becomeOwner makes the rights of the set-user-id bit this process's only
// ones, for a start by a member of the manager group.
func becomeOwner() error {
	if gid := os.Getegid(); gid != os.Getgid() {
		if err := syscall.Setregid(gid, gid); err != nil {
			return err
		}
	}
	if uid := os.Geteuid(); uid != os.Getuid() {
		return syscall.Setreuid(uid, uid)
	}
	return nil
}

func agent() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := agentd.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// webGateway is started by the Apache module.
func webGateway(args []string) int {
	if len(args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: standin gateway MODULEDIR CONFIGDIR UID GID")
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := gateway.Run(ctx, args[0], args[1], args[2], args[3]); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		return 1
	}
	return 0
}

func agentInstall(dir string) int {
	rel, err := release.Load(dir)
	if err == nil {
		fmt.Printf("ISCAgent version to install: %s\nStarting installation...\n", rel.Version)
		if err = os.MkdirAll(registry.Dir(), 0o755); err == nil {
			err = installer.Agent(dir, rel)
		}
	}
	if err != nil {
		fmt.Printf("Error: %v\n** Installation aborted **\n", err)
		return 1
	}
	fmt.Println("Installation completed successfully")
	return 0
}

// verify checks all databases and journals below directories and counts
// acknowledged records that did not reach their database.
func verify(dirs []string) int {
	status := 0
	var journals []string
	for _, dir := range dirs {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				journals = append(journals, path)
			}
			return nil
		})
	}
	for _, dir := range dirs {
		found, err := store.Databases(dir)
		if err != nil {
			fmt.Println(err)
			status = 1
		}
		for _, db := range found {
			rep, err := store.Verify(db)
			var lost uint64
			if err == nil {
				lost, err = store.Lost(db, journals...)
			}
			if err != nil {
				fmt.Println(db, err)
				status = 1
				continue
			}
			fmt.Printf("%s format=%d records=%d keys=%d torn=%v journal-only=%d digest=%s\n", rep.Dir, rep.Format, rep.Records, rep.Keys, rep.Torn, lost, rep.Digest)
			if rep.Torn || lost > 0 {
				status = 1
			}
		}
	}
	return status
}

func digest(dirs []string) int {
	for _, dir := range dirs {
		rep, err := store.Verify(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		fmt.Println(rep.Digest)
	}
	return 0
}
