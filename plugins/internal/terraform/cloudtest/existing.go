package cloudtest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"icm/plugins/provider"
)

// Small makes a site with one data server that has a data volume only.
func Small(t *testing.T, c Cloud) *Site {
	t.Helper()
	s := New(t, c)
	s.Request.Definitions = nil
	s.Define("DM", 1)
	for _, device := range []string{"WIJ", "Journal1", "Journal2"} {
		s.Set(device+"DeviceName", "null")
	}
	return s
}

// LeavesAlone provisions and unprovisions, and fails unless just what was in
// the cloud before is there afterwards. none are types of which nothing may be
// made.
func (s *Site) LeavesAlone(none ...string) map[string]provider.Node {
	s.Helper()
	before := s.Objects()
	count := map[string]int{}
	for _, kind := range none {
		count[kind] = len(s.Find(kind))
	}
	nodes := s.Provision()
	for _, kind := range none {
		if now := len(s.Find(kind)); now != count[kind] {
			s.Errorf("there were %d %s and are %d", count[kind], kind, now)
		}
	}
	s.Unprovision()
	if after := s.Objects(); !slices.Equal(before, after) {
		s.Errorf("the cloud had %q and has %q", before, after)
	}
	return nodes
}

// Override writes a file of the site's own templates.
func (s *Site) Override(name, text string) {
	s.Helper()
	dir := s.Request.Defaults["TerraformOverrideDir"]
	if dir == "" {
		dir = s.TempDir()
		s.Set("TerraformOverrideDir", dir)
	}
	path := filepath.Join(dir, name)
	s.Must(os.MkdirAll(filepath.Dir(path), 0o700))
	s.Must(os.WriteFile(path, []byte(text), 0o600))
}
