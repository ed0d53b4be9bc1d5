package deploy

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"icm/controller/spec"
	"icm/internal/hint"
)

// Selection narrows a command to some of the nodes.
type Selection struct {
	Role    string
	Machine string // regular expression for the whole name
}

// matcher returns what tells whether a node is selected.
func (s Selection) matcher() (func(machine, role string) bool, error) {
	role := strings.ToUpper(s.Role)
	if role != "" && role != "LB" && !slices.Contains(spec.Roles, role) {
		//lint:ignore ST1005 the guide's words, C.1
		return nil, hint.New(fmt.Errorf("Unrecognized role '%s'", s.Role), "roles: "+strings.Join(spec.Roles, ", "))
	}
	re, err := regexp.Compile("^(?:" + s.Machine + ")$")
	if err != nil {
		return nil, hint.New(fmt.Errorf("-machine is no regular expression: %v", err), "a plain machine name is one too")
	}
	return func(machine, r string) bool {
		return (role == "" || r == role) && (s.Machine == "" || re.MatchString(machine))
	}, nil
}

// errNoMatch is what a selection that matches nothing comes to.
func errNoMatch(s Selection) error {
	var parts []string
	if s.Role != "" {
		parts = append(parts, "role "+strings.ToUpper(s.Role))
	}
	if s.Machine != "" {
		parts = append(parts, "name "+s.Machine)
	}
	if len(parts) == 0 {
		return hint.New(fmt.Errorf("no nodes are provisioned"), "icm provision")
	}
	return hint.New(fmt.Errorf("no node matches %s", strings.Join(parts, " and ")), "icm inventory lists the nodes; -machine must match the whole name")
}

// given reports whether a field was set by somebody, in a file or on the
// command line.
func given(f spec.Fields, name string) bool {
	s := f.Source(name)
	return s != "" && s != spec.FromICM
}
