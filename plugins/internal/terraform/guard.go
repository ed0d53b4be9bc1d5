package terraform

import (
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// guardVar names, for a child of ours, the terraform that it is to become.
const guardVar = "ICM_TERRAFORM_PROGRAM"

// Files that a terraform which changes something writes to, in its workspace.
const (
	outFile = "terraform.out"
	errFile = "terraform.err"
)

// Guard must be the first thing that a plugin's main does. In a child that was
// started to run terraform it does not return: it becomes terraform.
//
// Whoever runs terraform has the kernel kill it when its parent dies, and a
// pipe that nobody reads kills it too. In the middle of an apply either loses
// track of what the cloud has made. So the child takes the order to die back,
// and lets a terraform that changes something write to files: when a plugin is
// killed, terraform finishes, and the next run waits for it.
func Guard() {
	program := os.Getenv(guardVar)
	if program == "" {
		return
	}
	err := become(program)
	fmt.Fprintf(os.Stderr, "cannot run %s: %v\n", program, err)
	os.Exit(1)
}

func become(program string) error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0); err != nil {
		return err
	}
	if len(os.Args) > 1 && slices.Contains([]string{"apply", "destroy", "refresh", "import"}, os.Args[1]) {
		for name, fd := range map[string]int{outFile: 1, errFile: 2} {
			f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
			if err != nil {
				return err
			}
			if err := unix.Dup3(int(f.Fd()), fd, 0); err != nil {
				return err
			}
		}
	}
	env := slices.DeleteFunc(os.Environ(), func(e string) bool { return len(e) > len(guardVar) && e[:len(guardVar)+1] == guardVar+"=" })
	return unix.Exec(program, append([]string{program}, os.Args[1:]...), env)
}
