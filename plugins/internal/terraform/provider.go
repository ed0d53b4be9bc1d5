package terraform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"icm/plugins/provider"
)

// Provider makes the nodes of one cloud.
type Provider struct {
	cloud   Cloud
	self    string
	outside func(string) string
}

var _ provider.Provider = (*Provider)(nil)

// New makes a provider of a cloud. Its program's main must call [Guard] first.
func New(cloud Cloud) (*Provider, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &Provider{cloud: cloud, self: self, outside: os.Getenv}, nil
}

// Main is the whole main function of a cloud's plugin.
func Main(cloud Cloud) {
	Guard()
	p, err := New(cloud)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	provider.Serve(p)
}

// Info implements [provider.Provider].
func (p *Provider) Info(context.Context) (provider.Info, error) {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	about := p.cloud.About()
	return provider.Info{Name: about.Name, Version: version, MakesNodes: true, LoadBalancers: about.LoadBalancers, Devices: about.Devices}, nil
}

// Validate implements [provider.Provider].
func (p *Provider) Validate(ctx context.Context, req provider.Request) ([]provider.Problem, error) {
	d, problems := understand(req, p.cloud.About())
	problems = append(problems, p.cloud.Check(d)...)
	if _, err := find(d); err != nil {
		problems = append(problems, asProblem("TerraformPath", err))
	}
	if mirror := d.Global.Get("TerraformMirror"); mirror != "" {
		if _, err := checkMirror(mirror); err != nil {
			problems = append(problems, asProblem("TerraformMirror", err))
		}
	}
	if _, err := p.cloud.Environment(d, p.outside); err != nil {
		problems = append(problems, asProblem("Credentials", err))
	}
	return unique(problems), ctx.Err()
}

func asProblem(field string, err error) provider.Problem {
	out := provider.Problem{Definition: -1, Field: field, Text: err.Error()}
	var e *provider.Error
	if errors.As(err, &e) {
		out.Hint = e.Hint
	}
	return out
}

// unique drops problems that each node of a definition has again.
func unique(problems []provider.Problem) []provider.Problem {
	seen := map[provider.Problem]bool{}
	var out []provider.Problem
	for _, p := range problems {
		if !seen[p] {
			out = append(out, p)
		}
		seen[p] = true
	}
	return out
}

// read understands a request whose problems nobody has looked at.
func (p *Provider) read(req provider.Request) (*Deployment, error) {
	d, problems := understand(req, p.cloud.About())
	for _, x := range append(problems, p.cloud.Check(d)...) {
		if !x.Warning {
			return nil, &provider.Error{Message: x.Text, Hint: x.Hint, Kind: provider.KindRefused}
		}
	}
	return d, nil
}

// Plan implements [provider.Provider]. It works on copies: nothing is changed.
func (p *Provider) Plan(ctx context.Context, req provider.Request) ([]provider.Action, error) {
	d, err := p.read(req)
	if err != nil {
		return nil, err
	}
	tmp, err := os.MkdirTemp("", "icm-plan-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp) //nolint:errcheck // a copy that stays harms nobody: only its owner may read it
	if err := settle(ctx, req.StateDir); err != nil {
		return nil, err
	}
	if err := copyStates(req.StateDir, tmp, d); err != nil {
		return nil, err
	}
	r, err := p.newRunner(ctx, d, tmp)
	if err != nil {
		return nil, err
	}
	r.dry = true
	return r.planAll(ctx)
}

// copyStates copies what terraform knows of the deployment.
func copyStates(from, to string, d *Deployment) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if !e.IsDir() || !nameForm.MatchString(e.Name()) {
			continue
		}
		for _, name := range []string{stateFile, lockFile, varsFile, hostKeysFile} {
			data, err := os.ReadFile(filepath.Join(from, e.Name(), name))
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return err
			}
			if err := os.MkdirAll(filepath.Join(to, e.Name()), 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(to, e.Name(), name), data, 0o600); err != nil {
				return err
			}
		}
	}
	return err
}

// forEach calls f for all at the same time, and joins the errors.
func forEach[T any](list []T, f func(i int, x T) error) error {
	errs := make([]error, len(list))
	var wg sync.WaitGroup
	for i, x := range list {
		wg.Go(func() { errs[i] = f(i, x) })
	}
	wg.Wait()
	return errors.Join(errs...)
}
