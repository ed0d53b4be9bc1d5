package terraform

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"icm/plugins/provider"
)

func TestVersionsThatWork(t *testing.T) {
	for version, want := range map[string]bool{"1.4.7": false, "1.5.0": true, "1.11.4": true, "1.12.0-beta1": true, "2.0.0": false, "0.13.7": false} {
		err := versionFits("/usr/bin/terraform", version)
		if (err == nil) != want {
			t.Errorf("%s: %v", version, err)
		}
	}
	err := versionFits("/opt/terraform", "1.2.3")
	if !strings.Contains(err.Error(), "cannot use /opt/terraform: it is version 1.2.3, and icm works with 1.5.0 and later, before 2.0.0") {
		t.Error(err)
	}
}

// deployment is one with fields of the defaults file.
func deployment(fields map[string]string) *Deployment {
	d, _ := understand(request(fields, "DM"), About{})
	return d
}

func TestAProgramThatIsMissingIsToldWithWhatToInstall(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	file := filepath.Join(dir, "terraform")
	if err := os.WriteFile(file, []byte("no program"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"": "neither terraform nor tofu is on the PATH", "/nonexistent/terraform": "no such file", dir: "it is no program", file: "it is no program",
	} {
		_, err := find(deployment(map[string]string{"TerraformPath": path}))
		var e *provider.Error
		if !errors.As(err, &e) || !strings.Contains(e.Message, want) || e.Hint == "" || e.Kind != provider.KindRefused {
			t.Errorf("%q: %v", path, err)
		}
	}
	for _, name := range []string{"tofu", "terraform"} { // terraform wins
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o700); err != nil {
			t.Fatal(err)
		}
		_ = os.Chmod(filepath.Join(dir, name), 0o700)
		path, err := find(deployment(nil))
		if err != nil || path != filepath.Join(dir, name) {
			t.Errorf("found %q, %v", path, err)
		}
	}
}

func TestAProgramThatIsNoTerraformIsRefused(t *testing.T) {
	err := checkVersion(t.Context(), t.TempDir(), "/bin/true")
	if err == nil || !strings.Contains(err.Error(), "cannot use /bin/true: it does not say its version") {
		t.Error(err)
	}
}

func TestProvidersComeFromTheMirrorAndNowhereElse(t *testing.T) {
	home, mirror := t.TempDir(), t.TempDir()
	outside := func(name string) string { return map[string]string{"HOME": home}[name] }
	config := func(fields map[string]string) string {
		path, err := writeConfig(t.TempDir(), deployment(fields), outside)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if text := config(map[string]string{"TerraformMirror": mirror}); !strings.Contains(text, "path = \""+mirror+"\"") || strings.Contains(text, "direct") {
		t.Errorf("with a mirror it is\n%s", text)
	}
	if text := config(nil); strings.Contains(text, "direct") || !strings.Contains(text, "filesystem_mirror") {
		t.Errorf("without one it is\n%s", text)
	}
	own := filepath.Join(home, ".terraformrc")
	if err := os.WriteFile(own, []byte("# the site's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text := config(nil); text != "# the site's" {
		t.Errorf("the site's own configuration counts, and it is\n%s", text)
	}
	if text := config(map[string]string{"TerraformMirror": mirror}); text == "# the site's" {
		t.Error("the mirror does not win over the site's own configuration")
	}
	if _, err := writeConfig(t.TempDir(), deployment(map[string]string{"TerraformMirror": "/nonexistent"}), outside); err == nil {
		t.Error("a mirror that is not there is taken")
	}
}

func TestWhatTerraformSaidBecomesASentence(t *testing.T) {
	const boxed = "╷\n│ Error: creating EC2 Instance: InsufficientInstanceCapacity\n│ \n│   with aws_instance.node[\"A\"],\n│   on nodes.tf line 1, in resource \"aws_instance\" \"node\":\n│    1: resource \"aws_instance\" \"node\" {\n│ \n╵\n" +
		"╷\n│ Error: Second\n│ \n│ With a\n│ detail.\n╵\n"
	got := strings.Join(problemsIn(boxed), " | ")
	if want := "creating EC2 Instance: InsufficientInstanceCapacity | Second With a detail."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := problemsIn("something else\nmore"); strings.Join(got, "") != "something else more" {
		t.Errorf("got %q", got)
	}
	for said, want := range map[string]provider.Kind{
		"Error: Error acquiring the state lock":                                       provider.KindUnavailable,
		"Error: Failed to query available provider packages":                          provider.KindRefused,
		"Error: No valid credential sources found":                                    provider.KindCredentials,
		"the cached package does not match any of the checksums recorded in the file": provider.KindRefused,
		"Error: RequestLimitExceeded":                                                 provider.KindUnavailable,
		"Error: what nobody has seen before":                                          provider.KindOther,
	} {
		var e provider.Error
		if sortError(&e, said); e.Kind != want {
			t.Errorf("%q is %q", said, e.Kind)
		}
	}
}

func TestASecondRunIsToldWhoIsAtWork(t *testing.T) {
	dir := t.TempDir()
	free, err := takeWork(dir, "provision")
	if err != nil {
		t.Fatal(err)
	}
	_, err = takeWork(dir, "unprovision")
	if !errors.Is(err, errBusy) || !strings.Contains(err.Error(), "which began to provision at ") || !strings.Contains(err.Error(), dir) {
		t.Errorf("the second is told: %v", err)
	}
	free()
	if free, err = takeWork(dir, "unprovision"); err != nil {
		t.Fatal(err)
	}
	free()
}

// The guard's program is this test program; "apply" is a script that plays
// terraform.
func TestWhatChangesSomethingWritesToFilesAndAnythingElseToItsParent(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "terraform")
	script := "#!/bin/sh\necho \"out $1 $ICM_TERRAFORM_PROGRAM\"; echo \"err $1\" >&2\n"
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	for verb, want := range map[string]string{"apply": "", "plan": "out plan \nerr plan\n"} {
		cmd := exec.Command(os.Args[0], verb)
		cmd.Env, cmd.Dir = []string{guardVar + "=" + program}, dir
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != want {
			t.Errorf("%s said %q, %v", verb, out, err)
		}
	}
	for name, want := range map[string]string{outFile: "out apply \n", errFile: "err apply\n"} {
		if text, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(text) != want {
			t.Errorf("%s holds %q, %v", name, text, err)
		}
	}
}

func TestTheFirstHostKeyIsInTheUserDataAndItsPublicHalfWithIcm(t *testing.T) {
	dir := t.TempDir()
	keys, err := loadHostKeys(dir)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keys.of("ACME-DM-TEST-0001")
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.save(dir); err != nil {
		t.Fatal(err)
	}
	again, err := loadHostKeys(dir)
	if err != nil || *again["ACME-DM-TEST-0001"] != *key {
		t.Errorf("the key is another one: %v", err)
	}
	n := &Node{Machine: "ACME-DM-TEST-0001", Fields: Fields{"SSHUser": "ec2-user"}}
	data, err := userData(n, "ssh-ed25519 AAAA", key)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"#cloud-config\n", `"name": "ec2-user"`, `"ssh-ed25519 AAAA"`, "BEGIN OPENSSH PRIVATE KEY", key.Public} {
		if !strings.Contains(data, want) {
			t.Errorf("the user data has no %q:\n%s", want, data)
		}
	}
	if data, err = userData(n, "ssh-ed25519 AAAA", nil); err != nil || strings.Contains(data, "PRIVATE KEY") {
		t.Errorf("without cloud-init's key: %v\n%s", err, data)
	}
}

func TestADamagedStateIsTold(t *testing.T) {
	dir := t.TempDir()
	for _, text := range []string{`{"version": 4, "resources": [`, `{"version": 3}`, "\x00\x00"} {
		if err := os.WriteFile(filepath.Join(dir, stateFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readState(dir); err == nil || !strings.Contains(err.Error(), "terraform.tfstate.backup") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
