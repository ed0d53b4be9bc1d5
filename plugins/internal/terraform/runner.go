package terraform

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"icm/plugins/provider"
)

// runner is everything that running terraform for a deployment takes.
type runner struct {
	cloud   Cloud
	about   About
	d       *Deployment
	program string // terraform itself
	self    string // the program that becomes terraform
	config  string // terraform's own configuration file
	env     map[string]string
	root    string        // above the workspaces
	dry     bool          // the workspaces are copies
	slots   chan struct{} // processes at once
}

// newRunner finds terraform and makes its environment: nothing of ours goes
// there but what is named here.
func (p *Provider) newRunner(ctx context.Context, d *Deployment, root string) (*runner, error) {
	r := &runner{cloud: p.cloud, about: p.cloud.About(), d: d, self: p.self, root: root, slots: make(chan struct{}, max(2, runtime.NumCPU()))}
	var err error
	if r.program, err = find(d); err != nil {
		return nil, err
	}
	if err := checkVersion(ctx, root, r.program); err != nil {
		return nil, err
	}
	if r.config, err = writeConfig(root, d, p.outside); err != nil {
		return nil, err
	}
	login, err := p.cloud.Environment(d, p.outside)
	if err != nil {
		return nil, &provider.Error{Message: err.Error(), Kind: provider.KindCredentials}
	}
	r.env = environment(p.outside)
	for name, value := range login {
		r.env[name] = value
	}
	r.env[guardVar], r.env["TF_CLI_CONFIG_FILE"] = r.program, r.config
	return r, nil
}

// passed are variables that terraform and its providers may need besides
// credentials: to run, and to get out of the site.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR",
}

func environment(outside func(string) string) map[string]string {
	env := map[string]string{"CHECKPOINT_DISABLE": "1"}
	for _, name := range passed {
		if v := outside(name); v != "" {
			env[name] = v
		}
	}
	return env
}

// network is the workspace of what all nodes share.
func (r *runner) network() *workspace {
	return &workspace{r: r, dir: filepath.Join(r.root, r.d.Name), name: r.d.Name, template: "network", dry: r.dry}
}

// group is the workspace of a definition.
func (r *runner) group(name string) *workspace {
	return &workspace{r: r, dir: filepath.Join(r.root, name), name: name, template: "nodes", dry: r.dry}
}

// obsolete are the workspaces of definitions that there are no longer, and
// that still have something.
func (r *runner) obsolete() ([]*workspace, error) {
	var out []*workspace
	all, err := r.existing()
	for _, w := range all {
		if !slices.ContainsFunc(r.d.Groups, func(g *Group) bool { return g.Name == w.name }) {
			out = append(out, w)
		}
	}
	return out, err
}

// existing are the workspaces of definitions that have something, wanted or
// not.
func (r *runner) existing() ([]*workspace, error) {
	entries, err := os.ReadDir(r.root)
	if err != nil {
		return nil, err
	}
	var out []*workspace
	for _, e := range entries {
		name := e.Name()
		if !e.IsDir() || name == r.d.Name || !strings.HasPrefix(name, r.d.Label+"-") || !strings.HasSuffix(name, "-"+r.d.Tag) {
			continue
		}
		s, err := readState(filepath.Join(r.root, name))
		if err != nil {
			return nil, err
		}
		if s.makes() {
			out = append(out, r.group(name))
		}
	}
	return out, nil
}
