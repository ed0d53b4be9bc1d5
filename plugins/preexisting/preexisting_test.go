package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"icm/plugins/provider"
	"icm/plugins/provider/providertest"
)

type names map[string][]string

func (n names) LookupHost(ctx context.Context, host string) ([]string, error) {
	if addrs, ok := n[host]; ok {
		return addrs, ctx.Err()
	}
	return nil, errors.New("no such host")
}

func newTested() *preExisting {
	return &preExisting{resolver: names{"dm1.example.net": {"2001:db8::1", "192.0.2.9", "192.0.2.1"}}}
}

func TestConformance(t *testing.T) {
	providertest.Run(t, providertest.Config{
		New: func() provider.Provider { return newTested() },
		Request: func(t *testing.T) provider.Request {
			r := request(
				map[string]string{"IPAddress": "192.0.2.7"},
				map[string]string{"DNSName": "dm1.example.net", "SSHPort": "2222", "SSHUser": "icmuser"})
			r.StateDir = t.TempDir()
			return r
		},
	})
}

func TestWhatANodeIs(t *testing.T) {
	for name, test := range map[string]struct {
		fields map[string]string
		want   provider.Node
	}{
		"an address":            {map[string]string{"IPAddress": "192.0.2.7"}, provider.Node{IPAddress: "192.0.2.7", DNSName: "192.0.2.7"}},
		"a name, always alike":  {map[string]string{"DNSName": "dm1.example.net"}, provider.Node{IPAddress: "192.0.2.1", DNSName: "dm1.example.net"}},
		"both, nobody is asked": {map[string]string{"IPAddress": "192.0.2.7", "DNSName": "nowhere.example"}, provider.Node{IPAddress: "192.0.2.7", DNSName: "nowhere.example"}},
		"user and port":         {map[string]string{"ipaddress": "192.0.2.7", "SSHPort": "2222", "SSHUser": "u"}, provider.Node{IPAddress: "192.0.2.7", DNSName: "192.0.2.7", Port: 2222, User: "u"}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := newTested().Provision(t.Context(), request(test.fields), nil)
			if err != nil {
				t.Fatal(err)
			}
			test.want.MachineName, test.want.State = "ACME-DM-TEST-0001", "unknown"
			if diff := cmp.Diff([]provider.Node{test.want}, r.Nodes); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryNameThatDoesNotResolveIsTold(t *testing.T) {
	p := providertest.Connect(t, newTested())
	_, err := p.Provision(t.Context(), request(
		map[string]string{"DNSName": "a.example"}, map[string]string{"DNSName": "b.example"}), nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"node ACME-DM-TEST-0001: cannot resolve DNSName a.example: no such host",
		"node ACME-DM-TEST-0002: cannot resolve DNSName b.example: no such host",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	var e *provider.Error
	if !errors.As(err, &e) || e.Hint == "" || e.Kind != provider.KindUnavailable {
		t.Errorf("error is %#v", e)
	}
}

func TestWhatValidateFinds(t *testing.T) {
	for name, test := range map[string]struct {
		nodes []map[string]string
		want  []string
	}{
		"nothing in good nodes":         {[]map[string]string{{"IPAddress": "192.0.2.1"}, {"DNSName": "b.example"}}, nil},
		"a node without an address":     {[]map[string]string{{}}, []string{"0 IPAddress: neither IPAddress nor DNSName is given"}},
		"an address that is a name":     {[]map[string]string{{"IPAddress": "b.example"}}, []string{`0 IPAddress: "b.example" is no IP address`}},
		"a name that cannot be":         {[]map[string]string{{"DNSName": "a b"}}, []string{`0 DNSName: "a b" is no host name`}},
		"a port that cannot be":         {[]map[string]string{{"IPAddress": "192.0.2.1", "SSHPort": "70000"}}, []string{`0 SSHPort: SSHPort "70000" is no port number`}},
		"one address twice":             {[]map[string]string{{"IPAddress": "192.0.2.1"}, {"IPAddress": "192.0.2.1"}}, []string{"1 IPAddress: 192.0.2.1 is the address of ACME-DM-TEST-0001 already"}},
		"one name twice, spelled apart": {[]map[string]string{{"DNSName": "b.example"}, {"DNSName": "B.example."}}, []string{"1 DNSName: b.example is the address of ACME-DM-TEST-0001 already"}},
		"not one address, two ports":    {[]map[string]string{{"IPAddress": "192.0.2.1", "SSHPort": "2201"}, {"IPAddress": "192.0.2.1", "SSHPort": "2202"}}, nil},
		"not an address as its name":    {[]map[string]string{{"IPAddress": "192.0.2.1", "DNSName": "192.0.2.1"}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			problems, err := newTested().Validate(t.Context(), request(test.nodes...))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range problems {
				got = append(got, fmt.Sprintf("%d %s: %s", p.Definition, p.Field, p.Text))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnEntryIsOneNode(t *testing.T) {
	r := request(map[string]string{"IPAddress": "192.0.2.1"})
	r.Definitions[0].Nodes = append(r.Definitions[0].Nodes, r.Definitions[0].Nodes[0])
	problems, err := newTested().Validate(t.Context(), r)
	if err != nil || len(problems) != 1 || problems[0].Field != "Count" {
		t.Errorf("problems are %v, %v", problems, err)
	}
}

// request has one entry for each set of fields.
func request(nodes ...map[string]string) provider.Request {
	r := provider.Request{Deployment: "ICM-1", Label: "ACME", Tag: "TEST"}
	for i, fields := range nodes {
		name := fmt.Sprintf("ACME-DM-TEST-%04d", i+1)
		r.Definitions = append(r.Definitions, provider.Definition{
			Name: "ACME-DM-TEST", Index: i, Role: "DM",
			Nodes: []provider.Want{{MachineName: name, Fields: fields}},
		})
	}
	return r
}
