package terraform

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"icm/internal/atomicfile"
	"icm/plugins/provider"
)

// configFile is terraform's own configuration, which we write.
const configFile = "terraform.rc"

// implied are the directories in which terraform looks by itself for providers
// that an administrator put there.
func implied(home string) []string {
	var out []string
	for _, dir := range []string{filepath.Join(home, ".terraform.d/plugins"), filepath.Join(home, ".local/share/terraform/plugins"), "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins"} {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			out = append(out, dir)
		}
	}
	return out
}

// writeConfig tells terraform where its providers are: in TerraformMirror and
// nowhere else; where that is not set, what the site has set up for terraform
// counts; and else what lies on this machine. Nothing is downloaded unless the
// site's own configuration of terraform says so. It returns the path.
func writeConfig(dir string, d *Deployment, outside func(string) string) (string, error) {
	mirrors := []string{}
	if mirror := d.Global.Get("TerraformMirror"); mirror != "" {
		mirror, err := checkMirror(mirror)
		if err != nil {
			return "", err
		}
		mirrors = append(mirrors, mirror)
	} else {
		for _, own := range []string{outside("TF_CLI_CONFIG_FILE"), filepath.Join(outside("HOME"), ".terraformrc"), filepath.Join(outside("HOME"), ".tofurc")} {
			if own == "" {
				continue
			}
			if info, err := os.Stat(own); err == nil && !info.IsDir() {
				return own, nil
			}
		}
		mirrors = implied(outside("HOME"))
	}
	var text strings.Builder
	text.WriteString("# Written by icm.\ndisable_checkpoint = true\nprovider_installation {\n")
	for _, mirror := range mirrors {
		quoted, err := marshal(mirror)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "  filesystem_mirror {\n    path = %s\n  }\n", quoted)
	}
	if len(mirrors) == 0 {
		// A block without any method would mean "the registry".
		text.WriteString("  filesystem_mirror {\n    path = \"/nonexistent\"\n  }\n")
	}
	text.WriteString("}\n")
	path := filepath.Join(dir, configFile)
	return path, atomicfile.Write(path, []byte(text.String()), 0o600)
}

func checkMirror(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("it is no directory")
	}
	if err != nil {
		return "", &provider.Error{
			Message: fmt.Sprintf("cannot use TerraformMirror %s: %v", path, rootCause(err)),
			Hint:    "make one on a machine with a network: terraform providers mirror DIR",
			Kind:    provider.KindRefused,
		}
	}
	return path, nil
}
