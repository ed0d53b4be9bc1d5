package node

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

func TestToAskWhetherANodeRunsDoesNotMakeItSeemToRun(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("control groups need root")
	}
	n := &Node{Dir: t.TempDir()}
	n.Deployment, n.Machine = "ICM-0", filepath.Base(n.Dir)
	stop := make(chan struct{})
	var children sync.WaitGroup
	for range 4 { // other nodes that are switched on meanwhile
		children.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.Command("true").Run() // only that it was started counts
				}
			}
		})
	}
	defer children.Wait()
	defer close(stop)
	for i := range 5000 {
		if n.Running() {
			t.Fatalf("time %d: it runs, and nobody switched it on", i)
		}
		syscall.ForkLock.RLock() // our own lock must not be inherited here either
		f, err := n.takePower()
		if err == nil {
			err = f.Close()
		}
		syscall.ForkLock.RUnlock()
		if err != nil {
			t.Fatalf("time %d: it cannot be switched on: %v", i, err)
		}
	}
}
