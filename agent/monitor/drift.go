package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"icm/agent/unit"
	"icm/internal/kind"
	"icm/internal/wire"
)

const unitMarker = unit.Marker

// driftKinds are the kinds whose tasks set something that has to stay, and the
// check that tells when it did not.
var driftKinds = map[string]string{
	kind.KernelSet:     CheckKernel,
	kind.SSHHarden:     CheckProvision,
	kind.VolumeMount:   CheckProvision,
	kind.AccountEnsure: CheckDrift,
	kind.DirEnsure:     CheckDrift,
	kind.IRISUnit:      CheckDrift,
	kind.IRISConfigure: CheckDrift,
	kind.IRISLicense:   CheckDrift,
	kind.IRISNamespace: CheckDrift,
	kind.ECPConnect:    CheckDrift,
	kind.AgentRun:      CheckDrift,
	kind.TLSInstall:    CheckDrift,
	kind.ShardEnable:   CheckDrift,

	kind.GatewayInstall:   CheckGateway,
	kind.GatewayConfigure: CheckGateway,
	kind.GatewayCheck:     CheckGateway,
}

// checkDrift asks each kind, by its own look, whether what it set is so still.
// One look that fails does not keep the others.
func checkDrift(ctx context.Context, v *view) error {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(v.mem.Kept)) {
		k := v.mem.Kept[key]
		check := driftKinds[k.Task.Kind]
		if check == "" || k.Instance != "" && !v.has(k.Instance) {
			continue // an instance that is not there is told by another check
		}
		looks, err := v.Engine.Look(ctx, []wire.Task{k.Task})
		if err != nil {
			v.failed[check] = true
			errs = append(errs, err)
			continue
		}
		if l := looks[0]; !l.Satisfied {
			v.add(check, key, wire.SeverityWarn, drifted(key, l))
		}
	}
	return errors.Join(errs...)
}

func (v *view) has(instance string) bool {
	return slices.ContainsFunc(v.instances, func(in wire.Instance) bool { return strings.EqualFold(in.Name, instance) })
}

// maxDiffs is how many differences one finding names.
const maxDiffs = 3

// drifted says what is, and what icm set.
func drifted(key string, l wire.Look) string {
	if l.Refused != "" {
		return key + ": " + l.Refused
	}
	var parts []string
	for i, d := range l.Diffs {
		if i == maxDiffs {
			parts = append(parts, fmt.Sprintf("and %d more", len(l.Diffs)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%s is %s, set was %s", d.What, orMissing(d.Before), d.After))
	}
	return strings.Join(parts, "; ")
}

func orMissing(s string) string {
	if s == "" {
		return "missing"
	}
	return s
}

func volumeOf(t wire.Task) kind.Volume {
	var v kind.Volume
	_ = json.Unmarshal(t.Args, &v) // was run: it can be read
	return v
}

// readFile is a file of the node, "" when there is none.
func (m *Monitor) readFile(path string) (string, error) {
	data, err := os.ReadFile(m.path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(data), err
}
