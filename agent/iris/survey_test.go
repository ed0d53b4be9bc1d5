package iris

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"icm/internal/wire"
)

// handInstalled is a directory as a kit's installer leaves it. What the survey
// must not tell is in it, too.
func handInstalled(t *testing.T, files map[string]string) wire.Instance {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return wire.Instance{Name: "IRIS", Dir: dir, Version: "2023.1.0.235.1", CPF: "iris.cpf"}
}

func TestASurveyTellsHowAnInstanceWasSetUpAndNoSecret(t *testing.T) {
	in := handInstalled(t, map[string]string{
		"parameters.isc": "security_settings.manager_user: irisowner\nsecurity_settings.manager_group: irisadm\n" +
			"security_settings.iris_user: irisusr\nsecurity_settings.iris_group: irisgrp\n" +
			"security_settings.initial_level: Locked Down\nplatform_selection.platform: lnxrh8x64\n",
		"iris.cpf": "[Startup]\nPasswordHash=canary,salt\nDefaultPort=1973\n[config]\nwijdir=/wij/\n" +
			"[Namespaces]\nUSER=USER\nFAR=FAR\nDB=DB\n[Databases]\nUSER=/u/mgr/user/\nDB=/data/db/\nFAR=/data/far/,ACME\n" +
			"[ECPServers]\nACME=10.0.0.1,1972,0\n",
	})
	got, err := survey(in)
	if err != nil {
		t.Fatal(err)
	}
	want := wire.Surveyed{
		Instance: in, Owner: "irisowner", OwnerGroup: "irisadm", User: "irisusr", Group: "irisgrp", Security: "LockedDown", Platform: "lnxrh8x64",
		Settings:    map[string]string{"Startup.DefaultPort": "1973", "config.wijdir": "/wij/"},
		DataServers: []string{"10.0.0.1:1972"},
		Databases:   map[string]string{"USER": "/u/mgr/user", "DB": "/data/db"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnInstallationThatKeptNoAnswersIsSurveyedByItsOwner(t *testing.T) {
	got, err := survey(handInstalled(t, map[string]string{"iris.cpf": ""}))
	if err != nil {
		t.Fatal(err)
	}
	owner, group, err := ownersOf(got.Instance.Dir)
	if err != nil || owner == "" {
		t.Fatal(owner, err)
	}
	if got.Owner != owner || got.Group != group {
		t.Errorf("it belongs to %s:%s, the directory to %s:%s", got.Owner, got.Group, owner, group)
	}
}

func TestAnInstanceWhoseConfigurationCannotBeReadIsNoGuess(t *testing.T) {
	if _, err := survey(handInstalled(t, nil)); err == nil {
		t.Error("it was surveyed without iris.cpf")
	}
}
