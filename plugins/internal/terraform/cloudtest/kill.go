package cloudtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"icm/plugins/internal/terraform"
	"icm/plugins/provider"
)

// Variables of a child that provisions, and of who wants more rounds.
const (
	requestVar = "ICM_CLOUDTEST_REQUEST" // the file with the request
	roundsVar  = "ICM_KILLS"             // rounds of Killed; 3 without it
)

// Killed kills what provisions, when the cloud has just made so many things:
// the plugin, so that nobody can clean up, and terraform as an administrator
// kills it. The next run goes on and finishes, be it provision or unprovision,
// and in the end nothing is left in the cloud that nobody knows of.
func Killed(t *testing.T, c Cloud) {
	rounds := 3
	if n, err := strconv.Atoi(os.Getenv(roundsVar)); err == nil {
		rounds = n
	}
	for seed := range rounds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			s := New(t, c)
			s.Request.Definitions = nil
			s.Define("DM", 1)
			s.Must(s.Store.Delay(20))
			r := rand.New(rand.NewPCG(uint64(seed), 5))
			s.killAt(1+r.IntN(22), seed%2 == 0)
			if seed%3 == 2 { // nobody wants it any more
				s.end()
				return
			}
			if n := s.Provision()["ACME-DM-TEST-0001"]; n.IPAddress == "" || len(n.Volumes) != 4 {
				s.Errorf("the node is %+v", n)
			}
			if plan := s.Plan(); len(plan) > 0 {
				s.Errorf("afterwards the plan would %q", plan)
			}
			s.end()
		})
	}
}

// killAt provisions in a process of its own, and kills it, or its terraform,
// when the cloud has that many objects.
func (s *Site) killAt(objects int, plugin bool) {
	s.Helper()
	cmd := s.child()
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	s.Must(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	ctx, cancel := context.WithTimeout(s.Ctx(), Limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(s.Objects()) < objects {
		select {
		case err := <-ended:
			if err != nil {
				s.Fatalf("provision failed before the cloud had %d objects: %v\n%s", objects, err, &said)
			}
			return // this machine is faster than our eyes
		case <-tick.C:
		case <-ctx.Done():
			s.Fatal(ctx.Err())
		}
	}
	if plugin {
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.Fatal(err)
		}
	} else {
		for _, pid := range childrenOf(cmd.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGTERM) // it may have ended by itself
		}
	}
	err := <-ended
	s.Logf("killed at %d objects (plugin %v): %v %s", objects, plugin, err, &said)
}

// child is a process of this program that provisions the site.
func (s *Site) child() *exec.Cmd {
	data, err := json.Marshal(s.Request)
	s.Must(err)
	path := filepath.Join(s.TempDir(), "request.json")
	s.Must(os.WriteFile(path, data, 0o600))
	self, err := os.Executable()
	s.Must(err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), requestVar+"="+path)
	return cmd
}

// childrenOf lists the children of a process.
func childrenOf(pid int) []int {
	found, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	var out []int
	for _, path := range found {
		text, _ := os.ReadFile(path) // a thread may have ended
		for word := range strings.FieldsSeq(string(text)) {
			if n, err := strconv.Atoi(word); err == nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// provisions is the whole of a child of [Killed]; false in any other process.
func provisions(cloud terraform.Cloud) (bool, error) {
	path := os.Getenv(requestVar)
	if path == "" {
		return false, nil
	}
	var req provider.Request
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &req)
	}
	p, newErr := terraform.New(cloud)
	if err := errors.Join(err, newErr); err != nil {
		return true, err
	}
	_, err = p.Provision(context.Background(), req, func(provider.Progress) {})
	return true, err
}
