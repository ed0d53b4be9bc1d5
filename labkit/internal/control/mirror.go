package control

import (
	"encoding/json"
	"os"
	"path/filepath"

	"icm/labkit/internal/store"
)

// Mirror is what a member of a mirror last was sure of, kept in
// mgr/mirror.json. The agent shows it to others when the instance is down:
// by it they decide whether they may lead.
type Mirror struct {
	Name, System string
	Databases    map[string]string // directories by mirror database name
	// Epoch is the last reign this member knows of.
	Epoch store.Epoch
	// WasPrimary says that the reign was its own, Active who had everything
	// then and may follow it on the throne.
	WasPrimary bool
	Active     []string
	// WasActive says that it followed the primary of Epoch and had everything.
	WasActive bool
	// Gave names the member that was given the lead in a clean stop.
	Gave string
	// NoFailover says that nobody is to take over from a stopped primary.
	NoFailover bool
}

// MirrorPath is the file of the mirror in a manager directory.
func MirrorPath(mgr string) string { return filepath.Join(mgr, "mirror.json") }

// LoadMirror reads what an instance last was in its mirror; the zero Mirror
// when it is in none.
func LoadMirror(mgr string) Mirror {
	var m Mirror
	data, err := os.ReadFile(MirrorPath(mgr))
	if err != nil || json.Unmarshal(data, &m) != nil {
		return Mirror{}
	}
	return m
}
