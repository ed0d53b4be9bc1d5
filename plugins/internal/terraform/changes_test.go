package terraform

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"icm/plugins/provider"
)

func TestANetworkThatExistsIsChangedWhateverBecomesOfItsParts(t *testing.T) {
	rule := change{kind: "aws_vpc_security_group_ingress_rule", verb: "destroy"}
	subnet := change{kind: "aws_subnet", verb: "make"}
	for name, c := range map[string]struct {
		changes []change
		exists  bool
		want    provider.Action
	}{
		"nothing to do":  {nil, true, provider.Action{Verb: "keep"}},
		"it is new":      {[]change{subnet, subnet}, false, provider.Action{Verb: "make", Detail: "subnet"}},
		"a port closes":  {[]change{rule}, true, provider.Action{Verb: "change", Detail: "destroy vpc security group ingress rule"}},
		"a zone is more": {[]change{rule, subnet}, true, provider.Action{Verb: "change", Detail: "make subnet; destroy vpc security group ingress rule"}},
	} {
		c.want.What = "network ACME-TEST"
		if diff := cmp.Diff([]provider.Action{c.want}, sharedActions("network ACME-TEST", c.changes, c.exists)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
