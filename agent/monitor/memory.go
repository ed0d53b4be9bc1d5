package monitor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"icm/internal/atomicfile"
	"icm/internal/wire"
)

// maxPast is how many findings that are over are kept.
const maxPast = 50

// memoryFormat is what this program writes and the only one it reads.
const memoryFormat = 1

// memory is what the monitor knows from one round to the next, and over
// restarts: the file health.json in the agent's directory. It holds no secrets.
type memory struct {
	Format     int                  `json:"format"`
	Deployment string               `json:"deployment,omitempty"` // whose tasks are kept
	At         time.Time            `json:"at"`
	Open       []known              `json:"open,omitempty"`
	Past       []wire.HealthFinding `json:"past,omitempty"`
	// Kept are the tasks that say how the node was set, by what they set.
	Kept map[string]kept `json:"kept,omitempty"`
	// Taken are the changes of the journal whose tasks are among them.
	Taken []string `json:"taken,omitempty"`
	// Places are where messages.log was read to, by instance.
	Places map[string]place `json:"places,omitempty"`
	// Samples are how full file systems were, by mount point, oldest first.
	Samples map[string][]sample `json:"samples,omitempty"`
}

// known is a finding with what it is known by.
type known struct {
	ID string `json:"id"`
	wire.HealthFinding
}

func memoryPath(home string) string { return filepath.Join(home, "health.json") }

func newMemory() memory {
	return memory{Format: memoryFormat, Kept: map[string]kept{}, Places: map[string]place{}, Samples: map[string][]sample{}}
}

func readMemory(home string) (memory, error) {
	data, err := os.ReadFile(memoryPath(home))
	if errors.Is(err, fs.ErrNotExist) {
		return newMemory(), nil
	}
	if err != nil {
		return newMemory(), fmt.Errorf("cannot read what was found: %v", err)
	}
	mem := newMemory()
	if err := json.Unmarshal(data, &mem); err != nil {
		return newMemory(), fmt.Errorf("cannot read what was found: %s: %v", memoryPath(home), err)
	}
	if mem.Format != memoryFormat {
		return newMemory(), fmt.Errorf("cannot read what was found: %s has the format %d, this agent reads %d", memoryPath(home), mem.Format, memoryFormat)
	}
	return mem, nil
}

// save writes it where it differs from before in more than when it was made:
// a node that is well costs no write.
func (mem memory) save(home string, before memory) error {
	data, err := json.Marshal(mem)
	if err != nil {
		return err
	}
	before.At = mem.At
	if same, err := json.Marshal(before); err == nil && bytes.Equal(same, data) {
		return nil
	}
	return atomicfile.Write(memoryPath(home), append(data, '\n'), 0o600)
}

func (mem memory) clone() memory {
	if mem.Format == 0 {
		return newMemory()
	}
	mem.Open, mem.Past = slices.Clone(mem.Open), slices.Clone(mem.Past)
	mem.Kept, mem.Places, mem.Samples = maps.Clone(mem.Kept), maps.Clone(mem.Places), maps.Clone(mem.Samples)
	return mem
}

func (mem memory) open() []wire.HealthFinding {
	out := make([]wire.HealthFinding, 0, len(mem.Open))
	for _, k := range mem.Open {
		out = append(out, k.HealthFinding)
	}
	return out
}
