package deploy

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"icm/controller/spec"
	"icm/internal/kind"
)

// fields are those of a data server in a file, with others above them. The
// result has all of ICM's own defaults.
func fields(t *testing.T, more map[string]string) spec.Fields {
	t.Helper()
	s, problems := spec.Load(spec.Input{
		Defaults: spec.File{Name: "defaults.json", Data: []byte(`{"Provider": "Lab", "Label": "ACME", "Tag": "TEST",
			"Containerless": true, "SSHUser": "icm", "SSHPublicKey": "k.pub", "SSHPrivateKey": "k", "DataDeviceName": "sdb"}`)},
		Definitions: spec.File{Name: "definitions.json", Data: []byte(`[{"Role": "DM"}]`)},
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return s.Definitions[0].Fields.With(spec.FromOption, more)
}

func settled(t *testing.T, n nodeFacts, more map[string]string) settings {
	t.Helper()
	n.machine, n.role, n.label, n.tag, n.address = "ACME-DM-TEST-0001", "DM", "ACME", "TEST", "192.0.2.1"
	if more["KitURL"] == "" {
		all := map[string]string{"KitURL": "https://kits.acme.com/IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz"}
		for k, v := range more {
			all[k] = v
		}
		more = all
	}
	s, err := settingsOf(fields(t, more), n, true)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestPortsAreThoseOfTheKitsEraUnlessGiven(t *testing.T) {
	for _, row := range []struct {
		version, super, web string
		wantSuper, wantWeb  int
		portal              string
	}{
		{"2018.2.0.792.0", "", "", 51773, 52773, "http://192.0.2.1:52773/csp/sys/UtilHome.csp"},
		{"2023.1.0.235.1", "", "", 1972, 52773, "http://192.0.2.1:52773/csp/sys/UtilHome.csp"},
		{"2025.1.0.223.0", "", "", 1972, 0, ""},
		{"2023.1.0.235.1", "51774", "52774", 51774, 52774, "http://192.0.2.1:52774/csp/sys/UtilHome.csp"},
	} {
		more := map[string]string{"KitURL": "file:///k/IRIS-" + row.version + "-lnxrh8x64.tar.gz"}
		if row.super != "" {
			more["SuperServerPort"], more["WebServerPort"] = row.super, row.web
		}
		s := settled(t, nodeFacts{}, more)
		in := s.install("")
		if in.SuperServerPort != row.wantSuper || in.WebServerPort != row.wantWeb || s.portal() != row.portal {
			t.Errorf("%+v: ports %d and %d, portal %s", row, in.SuperServerPort, in.WebServerPort, s.portal())
		}
	}
}

func TestOnlyFieldsThatSomebodySetReachTheConfiguration(t *testing.T) {
	bare := settled(t, nodeFacts{}, nil).configure().Settings
	if _, is := bare["config.globals"]; is {
		t.Errorf("nobody set it: %v", bare)
	}
	got := settled(t, nodeFacts{}, map[string]string{"ISCglobals": "0,0,800,0,0,0", "ISCroutines": "200", "ISClocksiz": "1"}).configure().Settings
	for key, want := range map[string]string{
		"config.globals": "0,0,800,0,0,0", "config.routines": "200", "config.wijdir": "/irissys/wij",
		"Journal.CurrentDirectory": "/irissys/journal1", "Journal.AlternateDirectory": "/irissys/journal2",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
}

func TestASecretIsAskedForOnlyWhereATaskNeedsIt(t *testing.T) {
	with := nodeFacts{hasPassword: true}
	const old = "file:///k/IRIS-2018.2.0.792.0-lnxrhx64.tar.gz"
	merge, classic := settled(t, with, nil), settled(t, with, map[string]string{"KitURL": old})
	if c := merge.configure(); c.PasswordSecret != secretPasswordHash || c.PlainSecret != "" || !c.Merge {
		t.Errorf("a kit with merge is configured with %+v", c)
	}
	if c := classic.configure(); c.PasswordSecret != secretPasswordHash || c.PlainSecret != secretPassword || c.Merge {
		t.Errorf("a kit without merge is configured with %+v", c)
	}
	if c := settled(t, nodeFacts{}, nil).configure(); c.PasswordSecret != "" {
		t.Errorf("without a password it is configured with %+v", c)
	}
	for _, c := range []kind.Configure{classic.verify(), classic.verifyVersion()} {
		if c.PasswordSecret != "" || c.PlainSecret != "" {
			t.Errorf("reading back asks for secrets: %+v", c)
		}
	}
}

func TestTheUsersDeviceStandsAboveTheProviders(t *testing.T) {
	s := settled(t, nodeFacts{
		devices: map[string]string{"data": "/dev/disk/by-id/from-provider", "wij": "/dev/disk/by-id/wij"},
		wipe:    []string{"ACME-DM-TEST-0001:disk/by-id/wij", "ACME-DM-TEST-0002:sdb"},
	}, nil)
	data, wij := s.Volumes[0], s.Volumes[1]
	if data.Device != "sdb" || wij.Device != "/dev/disk/by-id/wij" {
		t.Errorf("the devices are %s and %s", data.Device, wij.Device)
	}
	if data.Wipe || !wij.Wipe {
		t.Errorf("consent to wipe: data %v, wij %v", data.Wipe, wij.Wipe)
	}
}

func TestLabelsFitAndIdentitiesStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		label := rapid.StringMatching(`[A-Za-z][A-Za-z0-9_]{0,30}`).Draw(t, "label")
		seen := map[string]bool{}
		for _, v := range volumePurposes {
			l := volumeLabel(label, v.short)
			id := volumeUUID(label, "TEST", "m", v.purpose)
			if len(l) > 12 || !strings.HasSuffix(l, "-"+v.short) || !strings.HasPrefix(label, strings.TrimSuffix(l, "-"+v.short)) {
				t.Fatalf("%s gives the label %s", label, l)
			}
			if seen[l] || seen[id] || id != volumeUUID(label, "TEST", "m", v.purpose) || id == volumeUUID(label, "TEST", "n", v.purpose) {
				t.Fatalf("%s of %s has label %s and identity %s", v.purpose, label, l, id)
			}
			seen[l], seen[id] = true, true
		}
	})
	// What is on disks must be found again by every later icm.
	const want = "7144aa24-2e40-8535-b75e-6138f67e122b"
	if got := volumeUUID("ACME", "TEST", "ACME-DM-TEST-0001", "data"); got != want {
		t.Errorf("the identity is %s, it was %s", got, want)
	}
}

func TestHugePagesHoldWhatTheInstanceAsksFor(t *testing.T) {
	for _, row := range []struct {
		fields map[string]string
		want   string
	}{
		{map[string]string{}, ""},
		{map[string]string{"ISCglobals": "0,0,800,0,0,0"}, "561"},
		{map[string]string{"ISCglobals": "0,0,1000,0,0,100", "ISCroutines": "200"}, "816"},
		{map[string]string{"ISCglobals": "0,0,800,0,0,0", "HugePages": "false"}, ""},
	} {
		if got := settled(t, nodeFacts{}, row.fields).Kernel.Sysctl["vm.nr_hugepages"]; got != row.want {
			t.Errorf("%v: %q pages, want %q", row.fields, got, row.want)
		}
	}
}

func TestKitsWithoutUserAndPassword(t *testing.T) {
	for url, want := range map[string]string{
		"": "KitURL is not set", "file://tmp/IRIS-2018.2.0.792.0-lnxrhx64.tar.gz": "file:///tmp/",
		"https://u:canary@x/IRIS-2018.2.0.792.0-lnxrhx64.tar.gz": "must not hold a user",
	} {
		_, err := settingsOf(fields(t, map[string]string{"KitURL": url}), nodeFacts{}, true)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", url, err)
		}
		if s, err := settingsOf(fields(t, map[string]string{"KitURL": url}), nodeFacts{}, false); err != nil || s.Kit.Name != "" {
			t.Errorf("%q stands in the way of work that needs no kit: %v, %+v", url, err, s.Kit)
		}
	}
}

func TestSelections(t *testing.T) {
	for _, row := range []struct {
		s             Selection
		machine, role string
		want          bool
	}{
		{Selection{}, "ACME-DM-TEST-0001", "DM", true},
		{Selection{Role: "dm"}, "ACME-DM-TEST-0001", "DM", true},
		{Selection{Role: "AM"}, "ACME-DM-TEST-0001", "DM", false},
		{Selection{Machine: "ACME-DM"}, "ACME-DM-TEST-0001", "DM", false},
		{Selection{Machine: "ACME-DM.*|x"}, "ACME-DM-TEST-0001", "DM", true},
		{Selection{Machine: "x|ACME-AM.*"}, "ACME-DM-TEST-0001", "DM", false},
		{Selection{Machine: ".*0001", Role: "AM"}, "ACME-DM-TEST-0001", "DM", false},
	} {
		match, err := row.s.matcher()
		if err != nil || match(row.machine, row.role) != row.want {
			t.Errorf("%+v of %s: want %v (%v)", row.s, row.machine, row.want, err)
		}
	}
	for _, s := range []Selection{{Role: "QM"}, {Machine: "("}} {
		if _, err := s.matcher(); err == nil {
			t.Errorf("%+v is taken", s)
		}
	}
}
