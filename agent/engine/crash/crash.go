// Package crash ends the process at a chosen record of the task journal, as
// kill -9 or a power cut would. Only tests, and an agent built for tests, use
// it.
package crash

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"icm/agent/engine"
)

// At makes a fault of a specification: "before:N" and "after:N" kill around
// record N, "torn:N:K" after the first K bytes of it were written. "" is none.
func At(spec string) (func(engine.FaultPoint) error, error) {
	if spec == "" {
		return nil, nil
	}
	when, rest, _ := strings.Cut(spec, ":")
	record, bytes, torn := strings.Cut(rest, ":")
	n, err := strconv.ParseUint(record, 10, 64)
	k := 0
	if err == nil && torn {
		k, err = strconv.Atoi(bytes)
	}
	known := when == "before" || when == "after" || when == "torn"
	if err != nil || !known || torn != (when == "torn") || k < 0 {
		return nil, fmt.Errorf("%q is not a fault: before:N, after:N or torn:N:BYTES", spec)
	}
	return func(p engine.FaultPoint) error {
		if p.Seq != n || p.After != (when == "after") {
			return nil
		}
		if torn {
			if _, err := p.File.Write(p.Line[:min(k, len(p.Line))]); err != nil {
				return err
			}
		}
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}, nil
}
