package cli

import (
	"bytes"
	"strings"
	"testing"
)

func TestEveryCommandExplainsItselfAndIsCompleted(t *testing.T) {
	var bash, zsh, fish, list bytes.Buffer
	completeBash(&bash)
	completeZsh(&zsh)
	completeFish(&fish)
	overview(&list, "1")
	seen := map[string]bool{}
	for _, c := range commands() {
		if c.summary == "" || c.help == "" || c.setup == nil || seen[c.name] {
			t.Errorf("%q has no summary, no help or no code, or is there twice", c.name)
		}
		seen[c.name] = true
		holds(t, list.String(), "  "+c.name+" ", c.summary)
		var usage bytes.Buffer
		c.usage(&usage)
		holds(t, usage.String(), "Usage: icm "+c.name, exitHelp)
		holds(t, bash.String(), "    "+c.name+") ")
		holds(t, zsh.String(), "'"+c.name+":")
		holds(t, fish.String(), "-a "+c.name+" -d ")
		for _, o := range optionNames(c) {
			holds(t, usage.String(), "  "+o)
			if !strings.Contains(bash.String(), o) {
				t.Errorf("%s of %s is not completed", o, c.name)
			}
		}
		for line := range strings.Lines(usage.String()) {
			if len(line) > 101 {
				t.Errorf("help %s has a line of %d bytes: %s", c.name, len(line), line)
			}
		}
	}
}

func TestOptionsMayFollowOperandsAndHaveOneDashOrTwo(t *testing.T) {
	u := provisioned(t, cluster)
	want := u.must(t, "plan", "install", "-role", "DM")
	for _, args := range [][]string{{"plan", "-role", "DM", "install"}, {"plan", "install", "--role=DM"}, {"plan", "install", "-role=dm"}} {
		same(t, strings.Join(args, " "), u.must(t, args...), want)
	}
	argv := []string{"-version"}
	u.must(t, argv...)
	same(t, "the caller's argv", argv[0], "-version")
}

func TestSelectionsThatMatchNothingAreToldSo(t *testing.T) {
	u := provisioned(t, cluster)
	for _, row := range []struct{ args, want string }{
		{"-machine ACME-DM", "no node matches name ACME-DM\nicm: hint: icm inventory lists the nodes; -machine must match the whole name"},
		{"-role DS", "no node matches role DS"},
		{"-role QM", "Unrecognized role 'QM'"},
		{"-machine (", "-machine is no regular expression"},
	} {
		holds(t, u.fails(t, ExitError, append([]string{"ps"}, strings.Fields(row.args)...)...), row.want)
	}
	out := u.must(t, "inventory", "-machine", ".*-000[12]", "-role", "am")
	if strings.Count(out, "ACME-AM") != 2 || strings.Contains(out, dm) {
		t.Errorf("the selection is\n%s", out)
	}
}
