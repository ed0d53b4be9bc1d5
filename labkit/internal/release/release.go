// Package release knows what changed between versions of the kit.
//
// Everything that depends on a version is asked here, so that "which era does
// what" stands in one place.
package release

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Release is one version of the kit, as its file dist/release says.
type Release struct {
	Version  string // five dotted numbers
	Platform string // e.g. lnxubuntu2204x64
	Variant  string // a deliberate fault, empty for a sound kit
}

// Load reads the description of a kit or an installation at dir.
func Load(dir string) (Release, error) {
	data, err := os.ReadFile(filepath.Join(dir, "dist", "release"))
	if err != nil {
		return Release{}, fmt.Errorf("cannot tell the version: %w", err)
	}
	f := strings.Fields(string(data))
	if len(f) < 2 {
		return Release{}, fmt.Errorf("cannot tell the version: %q is too short", data)
	}
	r := Release{Version: f[0], Platform: f[1]}
	if len(f) > 2 {
		r.Variant = f[2]
	}
	return r, nil
}

// String is the form Load reads.
func (r Release) String() string {
	return strings.TrimSpace(r.Version+" "+r.Platform+" "+r.Variant) + "\n"
}

// atLeast compares year and release only.
func (r Release) atLeast(year, rel int) bool {
	p := Numbers(r.Version)
	return p[0] > year || p[0] == year && p[1] >= rel
}

// Numbers splits a version into five numbers, missing ones being zero.
func Numbers(version string) [5]int {
	var out [5]int
	for i, part := range strings.SplitN(version, ".", 5) {
		out[i], _ = strconv.Atoi(strings.TrimRight(part, "com"))
	}
	return out
}

// Compare is negative when a is older than b.
func Compare(a, b string) int {
	x, y := Numbers(a), Numbers(b)
	for i := range x {
		if x[i] != y[i] {
			return x[i] - y[i]
		}
	}
	return 0
}

// StartMerge says whether ISC_CPF_MERGE_FILE is looked at on start.
func (r Release) StartMerge() bool { return r.atLeast(2020, 1) }

// Actions says whether merge files may have [Actions] and "iris merge" exists.
func (r Release) Actions() bool { return r.atLeast(2021, 1) }

// ConfigMirror says whether the action of that name exists.
func (r Release) ConfigMirror() bool { return r.atLeast(2022, 1) }

// PrivateWeb says whether the kit brings its own web server.
func (r Release) PrivateWeb() bool { return !r.atLeast(2023, 2) }

// NewList says whether the newer form of "iris list" and "iris qlist" is used.
func (r Release) NewList() bool { return r.atLeast(2024, 1) }

// NewSQL says whether the SQL shell draws tables with bars.
func (r Release) NewSQL() bool { return r.atLeast(2020, 1) }

// Events says whether lines of messages.log carry [Category.Event].
func (r Release) Events() bool { return r.atLeast(2020, 1) }

// SuperServerPort is the port used when none is asked for.
func (r Release) SuperServerPort() int {
	if r.atLeast(2020, 1) {
		return 1972
	}
	return 51773
}

// DefaultSecurity is the initial security used when none is asked for.
func (r Release) DefaultSecurity() string {
	if r.atLeast(2025, 1) {
		return "LockedDown"
	}
	return "Minimal"
}

// MinimalAllowed says whether security level Minimal can still be chosen.
func (r Release) MinimalAllowed() bool { return !r.atLeast(2025, 1) }

// WebConfigureDefault says whether a web server is looked for unless told not to.
func (r Release) WebConfigureDefault() bool { return r.atLeast(2025, 1) }

// Format numbers the layout of database and journal files.
func (r Release) Format() int {
	switch {
	case r.atLeast(2024, 1):
		return 3
	case r.atLeast(2020, 1):
		return 2
	}
	return 1
}

// Short is year and release, as ConfigFile.Version has it.
func (r Release) Short() string {
	p := Numbers(r.Version)
	return fmt.Sprintf("%d.%d", p[0], p[1])
}

// ZVersion is what $zversion says. It never claims to be the product.
func (r Release) ZVersion() string {
	p := Numbers(r.Version)
	build := fmt.Sprintf("%d", p[3])
	if p[4] != 0 {
		build += fmt.Sprintf(".%d", p[4])
	}
	return fmt.Sprintf("stand-in for IRIS for UNIX (%s) %d.%d.%d (Build %s)", r.Platform, p[0], p[1], p[2], build)
}
