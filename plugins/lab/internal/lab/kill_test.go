package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"icm/plugins/lab/internal/await"
	"icm/plugins/lab/internal/disk"
	"icm/plugins/provider"
)

// provisionEnv makes the test program provision what the variable holds and
// end, so that a test can kill it.
const provisionEnv = "ICM_LAB_TEST_PROVISION"

type errand struct {
	Data    string
	Request provider.Request
}

func TestMain(m *testing.M) {
	text := os.Getenv(provisionEnv)
	if text == "" {
		os.Exit(m.Run())
	}
	var e errand
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		panic(err)
	}
	b := New("test", e.Data, CacheDir)
	if _, err := b.Provision(context.Background(), e.Request, func(provider.Progress) {}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func TestAProvisionThatIsKilledLeavesNothingThatCannotBeFinishedOrRemoved(t *testing.T) {
	exists := func(parts ...string) func(*bench) bool {
		return func(b *bench) bool {
			_, err := os.Stat(filepath.Join(append([]string{b.data, b.req.Deployment}, parts...)...))
			return err == nil
		}
	}
	const second = "ACME-DM-TEST-0002"
	for _, c := range []struct {
		when string
		come func(*bench) bool
	}{
		{"its directory has been made", exists()},
		{"addresses are given out", exists("deployment.json")},
		{"a node is on record", exists(second, "node.json")},
		{"a node has its identity", exists(second, "upper", "etc", "hostname")},
		{"a node's user is being made", exists(second, "setup.sh")},
		{"a volume is attached", func(b *bench) bool {
			found, err := disk.Attached(b.data)
			return err != nil || len(found) > 0
		}},
		{"a launcher is about to start", exists(second, "launch.sh")},
		{"a console speaks", exists(second, "console.log")},
		{"a node boots", func(b *bench) bool {
			n, err := b.lab.Find(b.req.Deployment, second)
			return err == nil && n.Leader() != 0
		}},
	} {
		for _, then := range []string{"removed", "finished"} {
			t.Run("when "+c.when+" it can be "+then, func(t *testing.T) {
				b := newBench(t)
				b.killWhen(c.come)
				if then == "finished" {
					b.provision()
					if got := b.must(t, 1, "hostname; systemctl is-system-running"); got != second+"\nrunning" {
						t.Errorf("the second node says %q", got)
					}
				}
			})
		}
	}
}

// killWhen provisions in another process and kills that one as soon as come
// is true. One that ends before is as good: the condition has come.
func (b *bench) killWhen(come func(*bench) bool) {
	b.Helper()
	text, err := json.Marshal(errand{b.data, b.req})
	if err != nil {
		b.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Stderr = os.Stderr
	child.Env = append(os.Environ(), provisionEnv+"="+string(text))
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = child.Wait()
		close(ended)
	}()
	err = await.Until(b.Context(), "the moment to kill", 3*time.Minute, func() (bool, string, error) {
		select {
		case <-ended:
			if !come(b) {
				return false, "", errors.New("the child ended before")
			}
		default:
		}
		return come(b), "not yet", nil
	})
	_ = child.Process.Kill() // it may have ended by itself
	<-ended
	if err != nil {
		b.Fatal(err)
	}
}
