package webgateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"icm/internal/atomicfile"
)

// recordFormat is what this program writes and the newest it reads.
const recordFormat = 1

// Record is what the agent remembers of the node's Web Gateway that nothing
// else tells. It holds no secrets.
type Record struct {
	Format  int    `json:"format"`
	Dir     string `json:"dir"`
	Version string `json:"version"` // as installed by icm; "" for one that came otherwise
	// Brought says that there was none before icm came.
	Brought bool `json:"brought"`
	// Enabled and Active are what Apache's service was before.
	Enabled bool `json:"enabled"`
	Active  bool `json:"active"`
	// Servers and Paths are what icm wrote into CSP.ini.
	Servers []string `json:"servers,omitempty"`
	Paths   []string `json:"paths,omitempty"`
	// Mark is that of the password in CSP.ini.
	Mark string `json:"mark,omitempty"`
}

// RecordPath is where the record lies in the agent's own directory.
func RecordPath(home string) string { return filepath.Join(home, "webgateway.json") }

// ReadRecord returns the record, and whether there is one.
func ReadRecord(home string) (Record, bool, error) {
	data, err := os.ReadFile(RecordPath(home))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, false, nil
	}
	var r Record
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		return Record{}, false, fmt.Errorf("cannot read the record of the Web Gateway: %v", err)
	}
	if r.Format > recordFormat {
		return Record{}, false, errors.New("cannot read the record of the Web Gateway: a newer icm-agent wrote it")
	}
	return r, true, nil
}

// Write stores the record before it returns.
func (r Record) Write(home string) error {
	r.Format = recordFormat
	data, err := json.Marshal(r)
	if err == nil {
		err = atomicfile.Write(RecordPath(home), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot remember the Web Gateway: %v", err)
	}
	return nil
}

// Wider is the record that holds also what another one does: what CSP.ini may
// have while it is changed from one to the other.
func (r Record) Wider(other Record) Record {
	r.Servers, r.Paths = union(r.Servers, other.Servers), union(r.Paths, other.Paths)
	return r
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, x := range b {
		if !slices.Contains(out, x) {
			out = append(out, x)
		}
	}
	return out
}
