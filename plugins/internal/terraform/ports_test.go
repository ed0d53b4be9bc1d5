package terraform

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"icm/plugins/provider"
)

// request has one definition for each role.
func request(global map[string]string, roles ...string) provider.Request {
	r := provider.Request{Deployment: "ICM-1", Label: "ACME", Tag: "TEST", Defaults: global, PublicKey: "ssh-ed25519 AAAA"}
	for i, role := range roles {
		name := "ACME-" + role + "-TEST"
		r.Definitions = append(r.Definitions, provider.Definition{
			Name: name, Index: i, Role: role,
			Nodes: []provider.Want{{MachineName: name + "-0001", Fields: global, Zone: "z1"}},
		})
	}
	return r
}

func TestPortsAreThoseThatTheRolesNeed(t *testing.T) {
	const ssh = "all: ssh 22/tcp any"
	for name, test := range map[string]struct {
		fields map[string]string
		role   string
		want   []string
	}{
		"a data server of an old kit": {map[string]string{"Containerless": "true", "SuperServerPort": "51773"}, "DM",
			[]string{"DM: licence 4002/udp nodes", "DM: licence-tcp 4002/tcp nodes", "DM: portal 52773/tcp any", "DM: superserver 51773/tcp any", ssh}},
		"nobody has said which kit": {map[string]string{"Containerless": "true"}, "AM",
			[]string{"AM: licence 4002/udp nodes", "AM: licence-tcp 4002/tcp nodes", "AM: portal 52773/tcp any", "AM: superserver 1972/tcp any", "AM: superserver-2 51773/tcp any", ssh}},
		"a mirror member": {map[string]string{"Containerless": "true", "Mirror": "true", "SuperServerPort": "1972", "ISCAgentPort": "2199"}, "DM",
			[]string{"DM: iscagent 2199/tcp nodes", "DM: licence 4002/udp nodes", "DM: licence-tcp 4002/tcp nodes", "DM: portal 52773/tcp any", "DM: superserver 1972/tcp any", ssh}},
		"an arbiter":      {map[string]string{"Containerless": "true"}, "AR", []string{"AR: iscagent 2188/tcp nodes", ssh}},
		"a web server":    {map[string]string{"Containerless": "true"}, "WS", []string{"WS: http 80/tcp any", ssh}},
		"a plain machine": {map[string]string{}, "VM", []string{ssh, "all: weave 6783/tcp nodes", "all: weave-data 6783-6784/udp nodes"}},
		"a container node without weave": {map[string]string{"Overlay": "host"}, "CN",
			[]string{"CN: docker 2376/tcp any", ssh}},
		"a balanced machine, from two networks": {map[string]string{"Containerless": "true", "AllowedNetworks": "192.0.2.0/24, 198.51.100.0/24",
			"LoadBalancer": "true", "ForwardPort": "443", "ForwardProtocol": "tcp", "HealthCheckPort": "8080", "HealthCheckProtocol": "tcp"}, "VM",
			[]string{"VM: balanced 443/tcp 192.0.2.0/24,198.51.100.0/24", "VM: health 8080/tcp 192.0.2.0/24,198.51.100.0/24", "all: ssh 22/tcp 192.0.2.0/24,198.51.100.0/24"}},
	} {
		t.Run(name, func(t *testing.T) {
			d, problems := understand(request(test.fields, test.role), About{LoadBalancers: true})
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(test.want, spoken(d.Ports())); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func spoken(ports map[string]map[string]Port) []string {
	var out []string
	for group, list := range ports {
		for _, name := range slices.Sorted(maps.Keys(list)) {
			p := list[name]
			span, from := fmt.Sprint(p.From), strings.Join(p.Source, ",")
			if p.To != p.From {
				span += fmt.Sprintf("-%d", p.To)
			}
			switch from {
			case "":
				from = "nodes"
			case "0.0.0.0/0":
				from = "any"
			}
			out = append(out, fmt.Sprintf("%s: %s %s/%s %s", group, name, span, p.Protocol, from))
		}
	}
	slices.Sort(out)
	return out
}

func TestWhatALoadBalancerIsAndMustBeTold(t *testing.T) {
	for name, test := range map[string]struct {
		fields map[string]string
		role   string
		want   string
	}{
		"before application servers it knows all": {map[string]string{"LoadBalancer": "true", "SuperServerPort": "1972"}, "AM", "1972 tcp 1972 "},
		"before web servers too":                  {map[string]string{"LoadBalancer": "true"}, "WS", "80 tcp 80 "},
		"by http it needs a path":                 {map[string]string{"LoadBalancer": "true", "HealthCheckProtocol": "http", "HealthCheckPort": "52773"}, "AM", "1972 http 52773 /csp/user/isc_status.cxw"},
		"before plain machines it knows nothing":  {map[string]string{"LoadBalancer": "true"}, "VM", "ForwardProtocol ForwardPort HealthCheckPort HealthCheckProtocol"},
		"a path begins with a slash": {map[string]string{"LoadBalancer": "true", "ForwardProtocol": "tcp", "ForwardPort": "443",
			"HealthCheckProtocol": "http", "HealthCheckPort": "80", "HealthCheckPath": "x"}, "CN", "HealthCheckPath"},
		"nobody asked for one": {map[string]string{}, "AM", "none"},
		"not before data":      {map[string]string{"LoadBalancer": "true"}, "DM", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			d, problems := understand(request(test.fields, test.role), About{LoadBalancers: true})
			var got []string
			for _, p := range problems {
				got = append(got, p.Field)
			}
			if b := d.Groups[0].Balancers; len(problems) == 0 && len(b) == 0 {
				got = append(got, "none")
			} else if len(problems) == 0 {
				got = append(got, fmt.Sprintf("%d %s %d %s", b[0].Port, b[0].HealthProtocol, b[0].HealthPort, b[0].HealthPath))
				if b[0].Machine != "ACME-LB-TEST-0000" {
					t.Errorf("it is called %s", b[0].Machine)
				}
			}
			if s := strings.Join(got, " "); s != test.want {
				t.Errorf("got %q, want %q", s, test.want)
			}
		})
	}
}

func TestALongNameStaysShortAndItsOwn(t *testing.T) {
	a, b := ShortName("ACMEHOSPITALGROUP-AM-PRODUCTION-0001", 32), ShortName("ACMEHOSPITALGROUP-AM-PRODUCTION-0002", 32)
	if len(a) > 32 || len(b) > 32 || a == b || ShortName("ACME", 32) != "ACME" {
		t.Errorf("%q and %q", a, b)
	}
}
