package gateway

import (
	"fmt"
	"slices"
	"strings"
)

// route is the servers that may answer a request, best first.
type route struct {
	path    string // of the application
	servers []string
}

// route chooses by the longest enabled application path. turn is how many
// requests were spread so far.
func (c ini) route(path string, turn uint64) (route, error) {
	best := ""
	for name := range c["APP_PATH_INDEX"] {
		if c.enabled("APP_PATH_INDEX", name) && covers(name, path) && len(name) > len(best) {
			best = name
		}
	}
	if best == "" {
		return route{}, fmt.Errorf("no application path of CSP.ini has %s", path)
	}
	section := "APP_PATH:" + best
	var servers []string
	add := func(name string) {
		if name != "" && !slices.Contains(servers, name) && c.enabled("SYSTEM_INDEX", name) {
			servers = append(servers, name)
		}
	}
	add(strings.ToUpper(c.get(section, "Default_Server")))
	way := strings.ToUpper(c.get(section, "Alternative_Servers"))
	if way == "LOADBALANCING" || way == "FAILOVER" {
		for n := range 64 {
			f := strings.Split(c.get(section, fmt.Sprintf("Alternative_Server_%d", n)), "~")
			if f[0] == "1" {
				add(strings.ToUpper(f[len(f)-1]))
			}
		}
	}
	if len(servers) == 0 {
		return route{}, fmt.Errorf("application path %s of CSP.ini has no enabled server", strings.ToLower(best))
	}
	if way == "LOADBALANCING" {
		first := int(turn % uint64(len(servers)))
		servers = append(slices.Clone(servers[first:]), servers[:first]...)
	}
	return route{best, servers}, nil
}

// covers says whether an application path, such as /csp, has the page.
func covers(app, path string) bool {
	app, path = strings.ToUpper(strings.TrimSuffix(app, "/")), strings.ToUpper(path)
	return path == app || strings.HasPrefix(path, app+"/")
}
