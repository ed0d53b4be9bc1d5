package tasks

import (
	"context"
	"os"
	"testing"

	"icm/agent/engine/enginetest"
	"icm/internal/kind"
)

// TestFewerHugePagesThanAskedForAreAskedForOnce: otherwise no plan would ever
// be empty on a node whose memory is in pieces.
func TestFewerHugePagesThanAskedForAreAskedForOnce(t *testing.T) {
	const knob = "/proc/sys/vm/nr_hugepages"
	k := kind.Kernel{Sysctl: map[string]string{hugePages: "500", "vm.swappiness": "5"}}
	for _, row := range []struct {
		what      string
		given     string // by the kernel, after it was asked
		swappy    string
		forget    bool // the file for the next boot is lost
		satisfied bool
	}{
		{"all pages are there", "500", "5", false, true},
		{"the kernel had fewer", "321", "5", false, true},
		{"somebody set more", "600", "5", false, false},
		{"the kernel had fewer, and the next boot would not ask", "321", "5", true, false},
		{"another setting is never complete by half", "500", "4", false, false},
	} {
		d, _ := rootDir(t, map[string]string{"proc/sys/vm/nr_hugepages": "0\n", "proc/sys/vm/swappiness": "60\n"})
		if err := kernelSet(d).Do(context.Background(), enginetest.NewTask(t, kind.KernelSet, k)); err != nil {
			t.Fatal(err)
		}
		for path, value := range map[string]string{knob: row.given, "/proc/sys/vm/swappiness": row.swappy} {
			if err := os.WriteFile(d.path(path), []byte(value+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if row.forget {
			if err := os.Remove(d.path(sysctlFile)); err != nil {
				t.Fatal(err)
			}
		}
		l, err := kernelSet(d).Look(context.Background(), enginetest.NewTask(t, kind.KernelSet, k))
		if err != nil || l.Satisfied != row.satisfied {
			t.Errorf("%s: satisfied is %v, %v, %v", row.what, l.Satisfied, l.Diffs, err)
		}
	}
}
