package kitname

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheAddressTellsTheKit(t *testing.T) {
	const old = "IRIS-2018.2.0.792.0-lnxrhx64.tar.gz"
	for address, want := range map[string]Kit{
		"http://kits.acme.com/iris/unix/" + old:                                 {Name: old, Product: "IRIS", Version: "2018.2.0.792.0", Platform: "lnxrhx64"},
		"file:///tmp/IRISHealth-2024.1.0.267.2-lnxrh9x64.tar.gz":                {Name: "IRISHealth-2024.1.0.267.2-lnxrh9x64.tar.gz", Product: "IRISHealth", Version: "2024.1.0.267.2", Platform: "lnxrh9x64"},
		"https://x/IRIS_Community-2020.1.1.408.0-lnxubuntu2004x64.tar.gz?sig=1": {Name: "IRIS_Community-2020.1.1.408.0-lnxubuntu2004x64.tar.gz", Product: "IRIS_Community", Version: "2020.1.1.408.0", Platform: "lnxubuntu2004x64"},
		"local:kits/" + old:   {Name: old, Product: "IRIS", Version: "2018.2.0.792.0", Platform: "lnxrhx64"},
		"local:/srv/%/" + old: {Name: old, Product: "IRIS", Version: "2018.2.0.792.0", Platform: "lnxrhx64"},
		"bundle:" + old:       {Name: old, Product: "IRIS", Version: "2018.2.0.792.0", Platform: "lnxrhx64"},
	} {
		want.URL = address
		got, err := ParseURL(address)
		if err != nil {
			t.Errorf("%s: %v", address, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", address, diff)
		}
	}
}

func TestAnAddressThatIsNoKitIsRefused(t *testing.T) {
	for address, want := range map[string]string{
		"file://tmp/IRIS-2018.2.0.792.0-lnxrhx64.tar.gz":  "file:///tmp/IRIS-2018.2.0.792.0-lnxrhx64.tar.gz",
		"file:IRIS-2018.2.0.792.0-lnxrhx64.tar.gz":        "three slashes",
		"ftp://x/IRIS-2018.2.0.792.0-lnxrhx64.tar.gz":     "must begin with",
		"/tmp/IRIS-2018.2.0.792.0-lnxrhx64.tar.gz":        "must begin with",
		"http:///IRIS-2018.2.0.792.0-lnxrhx64.tar.gz":     "names no host",
		"http://x/IRIS-2018.2.0.792.0-lnxrhx64.zip":       "is not the name of a kit",
		"http://x/iris.tar.gz":                            "is not the name of a kit",
		"bundle:kits/IRIS-2018.2.0.792.0-lnxrhx64.tar.gz": "is not the name of a kit",
		"local:": "is not the name of a kit",
		"http://a:canary@x/IRIS-2018.2.0.792.0-a.tar.gz":   "must not hold a user",
		"http://a:canary@x:y/IRIS-2018.2.0.792.0-a.tar.gz": "cannot be read",
	} {
		_, err := ParseURL(address)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q in it", address, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: the password shows in %v", address, err)
		}
	}
}

func TestVersionsCompareByNumber(t *testing.T) {
	for _, row := range []struct {
		a, b string
		want int
	}{
		{"2023.1.0.235.1", "2023.1.0.235.1com", 0},
		{"2023.1", "2023.1.0", 0},
		{"2023.10", "2023.9", 1},
		{"2018.2.0.792.0", "2018.2.1.417.0", -1},
		{"2023.01", "2023.1", 0},
	} {
		if got := Compare(row.a, row.b); got != row.want {
			t.Errorf("Compare(%s, %s) = %d, want %d", row.a, row.b, got, row.want)
		}
	}
}

func TestTheVersionTellsTheInterface(t *testing.T) {
	for _, row := range []struct {
		version    string
		merge      bool
		super, web int
	}{
		{"2018.2.0.792.0", false, 51773, 52773},
		{"2019.4.0.383.0", false, 51773, 52773},
		{"2020.1.0.215.0", false, 1972, 52773},
		{"2021.1.0.215.0", true, 1972, 52773},
		{"2023.1.0.235.1", true, 1972, 52773},
		{"2023.2.0.227.0", true, 1972, 0},
		{"2025.1.0.223.0", true, 1972, 0},
	} {
		k := Kit{Version: row.version}
		if k.HasMerge() != row.merge || k.SuperServerPort() != row.super || k.WebServerPort() != row.web {
			t.Errorf("%s: merge %v, ports %d and %d", row.version, k.HasMerge(), k.SuperServerPort(), k.WebServerPort())
		}
	}
}

func TestTheAddressTellsWhoBringsTheKit(t *testing.T) {
	const name = "IRIS-2018.2.0.792.0-lnxrhx64.tar.gz"
	for address, want := range map[string]struct {
		file     string
		inBundle bool
	}{
		"local:a b/" + name:   {file: "a b/" + name},
		"bundle:" + name:      {inBundle: true},
		"file:///tmp/" + name: {},
	} {
		k, err := ParseURL(address)
		file, ok := k.File()
		if err != nil || k.InBundle() != want.inBundle || ok != (want.file != "") || ok && file != want.file {
			t.Errorf("%s: file %q %v, bundle %v, %v", address, file, ok, k.InBundle(), err)
		}
	}
}
