package main

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"

	"icm/plugins/provider"
)

// Validate implements provider.Provider. It asks nobody, not even a resolver.
func (*preExisting) Validate(_ context.Context, req provider.Request) ([]provider.Problem, error) {
	seen := seen{}
	var out []provider.Problem
	for _, def := range req.Definitions {
		if len(def.Nodes) > 1 {
			out = append(out, provider.Problem{
				Definition: def.Index, Field: "Count",
				Text: fmt.Sprintf("an entry of provider PreExisting is one node, this one is %d", len(def.Nodes)),
				Hint: "write one entry for each node, each with its own IPAddress or DNSName",
			})
			continue // its nodes share one address: one problem is enough
		}
		for _, w := range def.Nodes {
			out = append(out, check(def.Index, w, seen)...)
		}
	}
	return out, nil
}

// seen says which node an address belongs to.
type seen map[string]string

func check(index int, w provider.Want, seen seen) []provider.Problem {
	var out []provider.Problem
	add := func(field, text, hint string) {
		out = append(out, provider.Problem{Definition: index, Field: field, Text: text, Hint: hint})
	}
	ip, name, sshPort := field(w, "IPAddress"), field(w, "DNSName"), field(w, "SSHPort")
	if ip == "" && name == "" {
		add("IPAddress", "neither IPAddress nor DNSName is given", "one of the two says which machine the node is")
	}
	if ip != "" && net.ParseIP(ip) == nil {
		add("IPAddress", fmt.Sprintf("%q is no IP address", ip), "a name belongs into DNSName")
	}
	if name != "" && net.ParseIP(name) == nil && !isHostName(name) {
		add("DNSName", fmt.Sprintf("%q is no host name", name), "")
	}
	if _, err := port(sshPort); err != nil {
		add("SSHPort", err.Error(), "")
	}
	for _, a := range []struct{ field, address string }{{"IPAddress", canonical(ip)}, {"DNSName", canonical(name)}} {
		if a.address == "" {
			continue
		}
		key := a.address + " port " + sshPort
		if other, twice := seen[key]; twice && other != w.MachineName {
			add(a.field, fmt.Sprintf("%s is the address of %s already", a.address, other), "every node is a machine of its own")
			continue
		}
		seen[key] = w.MachineName
	}
	return out
}

// canonical makes two spellings of one address equal.
func canonical(address string) string {
	if ip := net.ParseIP(address); ip != nil {
		return ip.String()
	}
	return strings.ToLower(strings.TrimSuffix(address, "."))
}

func isHostName(s string) bool {
	label := `[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?`
	return len(s) <= 254 && regexp.MustCompile(`^`+label+`(\.`+label+`)*\.?$`).MatchString(s)
}

// atOnce bounds how many names are resolved at the same time.
const atOnce = 16

// forEach calls f for 0 to n-1, some of them at the same time.
func forEach(n int, f func(i int)) {
	free := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range n {
		free <- struct{}{}
		wg.Go(func() {
			defer func() { <-free }()
			f(i)
		})
	}
	wg.Wait()
}
