package release

import "testing"

func TestVersionsCompareByNumber(t *testing.T) {
	ordered := []string{"2018.2.0.792.0", "2018.2.1.417.0", "2023.1.0.235.1", "2023.1.1.380.0", "2025.1.0.223.0"}
	for i := range ordered[1:] {
		if Compare(ordered[i], ordered[i+1]) >= 0 || Compare(ordered[i+1], ordered[i]) <= 0 {
			t.Errorf("%s is not older than %s", ordered[i], ordered[i+1])
		}
	}
	if Compare("2023.1.0.235.1com", "2023.1.0.235.1") != 0 {
		t.Error("a community build is not equal to its version")
	}
}

func TestErasDiffer(t *testing.T) {
	tests := []struct {
		version             string
		merge, web, newList bool
		port, format        int
		security            string
	}{
		{"2018.2.0.792.0", false, true, false, 51773, 1, "Minimal"},
		{"2019.1.0.511.0", false, true, false, 51773, 1, "Minimal"},
		{"2021.1.0.215.0", true, true, false, 1972, 2, "Minimal"},
		{"2023.1.0.235.1", true, true, false, 1972, 2, "Minimal"},
		{"2025.1.0.223.0", true, false, true, 1972, 3, "LockedDown"},
	}
	for _, tt := range tests {
		r := Release{Version: tt.version, Platform: "lnx"}
		if r.Actions() != tt.merge || r.PrivateWeb() != tt.web || r.NewList() != tt.newList ||
			r.SuperServerPort() != tt.port || r.Format() != tt.format || r.DefaultSecurity() != tt.security {
			t.Errorf("%s: merge %v web %v newList %v port %d format %d security %s", tt.version,
				r.Actions(), r.PrivateWeb(), r.NewList(), r.SuperServerPort(), r.Format(), r.DefaultSecurity())
		}
	}
}
