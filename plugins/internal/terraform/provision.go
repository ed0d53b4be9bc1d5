package terraform

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"icm/plugins/provider"
)

// Provision implements [provider.Provider]: first the network, then all
// definitions at the same time.
func (p *Provider) Provision(ctx context.Context, req provider.Request, progress func(provider.Progress)) (provider.Result, error) {
	if err := ctx.Err(); err != nil {
		return provider.Result{}, err
	}
	r, free, err := p.begin(ctx, req, "provision")
	if err != nil {
		return provider.Result{}, err
	}
	defer free()
	say := teller(progress)
	if err := r.dropObsolete(ctx, say); err != nil {
		return provider.Result{}, err
	}
	network, err := r.makeNetwork(ctx, say)
	if err != nil {
		return provider.Result{}, err
	}
	if err := r.makeGroups(ctx, network, say); err != nil {
		return provider.Result{}, err
	}
	return r.result()
}

// begin is the beginning of all that changes something.
func (p *Provider) begin(ctx context.Context, req provider.Request, what string) (*runner, func(), error) {
	d, err := p.read(req)
	if err != nil {
		return nil, nil, err
	}
	free, err := takeSettled(ctx, req.StateDir, what)
	if err != nil {
		return nil, nil, err
	}
	r, err := p.newRunner(ctx, d, req.StateDir)
	if err != nil {
		free()
		return nil, nil, err
	}
	return r, free, nil
}

// tell reports that a phase of a workspace begins or has ended.
type tell func(starting bool, what, subject string)

func teller(progress func(provider.Progress)) tell {
	return func(starting bool, what, subject string) {
		if progress != nil {
			progress(provider.Progress{Starting: starting, What: what, Subject: subject})
		}
	}
}

// phase tells about f. What has failed is told as an error, not as an end.
func (say tell) phase(what, subject string, f func() error) error {
	say(true, what, subject)
	if err := f(); err != nil {
		return err
	}
	say(false, what, subject)
	return nil
}

// dropObsolete destroys the nodes of definitions that there are no longer.
func (r *runner) dropObsolete(ctx context.Context, say tell) error {
	losses := map[string][]string{}
	if _, err := r.gone(losses); err != nil {
		return err
	}
	if err := r.d.consent(losses); err != nil {
		return err
	}
	left, err := r.obsolete()
	if err != nil {
		return err
	}
	return forEach(left, func(_ int, w *workspace) error { return w.takeDown(ctx, say) })
}

// makeNetwork makes what all nodes share, and returns what it says of itself.
func (r *runner) makeNetwork(ctx context.Context, say tell) (any, error) {
	net := r.network()
	if err := r.prepareNetwork(net); err != nil {
		return nil, err
	}
	s, err := readState(net.dir)
	if err != nil {
		return nil, err
	}
	planning := "plan"
	if s.makes() {
		planning = "refresh"
	}
	changed := false
	err = say.phase("init", net.name, func() error { return net.init(ctx) })
	if err == nil {
		err = say.phase(planning, net.name, func() (err error) {
			_, changed, err = net.plan(ctx, false)
			return err
		})
	}
	if err == nil && changed {
		err = say.phase("apply", net.name, func() error { return net.apply(ctx) })
	}
	if err = errors.Join(err, removePlan(net.dir)); err != nil {
		return nil, err
	}
	s, err = readState(net.dir)
	if err != nil {
		return nil, err
	}
	var network any
	ok, err := s.output("network", &network)
	if err == nil && !ok {
		err = fmt.Errorf("the template of %s has no output called network", net.name)
	}
	return network, err
}

// makeGroups plans all definitions, and applies the plans when none of them
// loses anything.
func (r *runner) makeGroups(ctx context.Context, network any, say tell) error {
	changed := make([]bool, len(r.d.Groups))
	all := make([]map[string][]string, len(r.d.Groups))
	err := forEach(r.d.Groups, func(i int, g *Group) (err error) {
		w := r.group(g.Name)
		changed[i], all[i], err = r.planGroup(ctx, w, g, network, say)
		return err
	})
	if err != nil {
		return err
	}
	losses := map[string][]string{}
	for _, l := range all {
		maps.Copy(losses, l)
	}
	if err := r.d.consent(losses); err != nil {
		return err
	}
	return forEach(r.d.Groups, func(i int, g *Group) error {
		w := r.group(g.Name)
		if !changed[i] {
			return errors.Join(removePlan(w.dir), w.noteKeys())
		}
		err := say.phase("apply", w.name, func() error { return w.apply(ctx) })
		return errors.Join(err, w.noteKeys())
	})
}

// planGroup prepares and plans one definition. A machine that is going to be
// made anew gets another host key: the old one was used.
func (r *runner) planGroup(ctx context.Context, w *workspace, g *Group, network any, say tell) (changed bool, losses map[string][]string, err error) {
	if err := r.prepareGroup(w, g, network, r.network().dir); err != nil {
		return false, nil, err
	}
	if err := say.phase("init", w.name, func() error { return w.init(ctx) }); err != nil {
		return false, nil, err
	}
	s, err := readState(w.dir)
	if err != nil {
		return false, nil, err
	}
	err = say.phase("plan", w.name, func() error {
		// A first plan makes everything, and needs no look.
		p, any, err := w.plan(ctx, s.makes())
		if err != nil || !any {
			return err
		}
		changes := changesOf(p)
		changed, losses = true, r.losses(changes)
		again, err := r.freshKeys(w, changes)
		if err != nil || !again {
			return err
		}
		if err := r.prepareGroup(w, g, network, r.network().dir); err != nil {
			return err
		}
		_, _, err = w.plan(ctx, false)
		return err
	})
	return changed, losses, err
}

// freshKeys drops the used host keys of machines that are made.
func (r *runner) freshKeys(w *workspace, changes []change) (dropped bool, err error) {
	keys, err := loadHostKeys(w.dir)
	if err != nil {
		return false, err
	}
	for _, c := range changes {
		made := c.verb == "make" || c.verb == "replace"
		if made && slices.Contains(r.about.Machines, c.kind) && keys[c.machine] != nil && keys[c.machine].Used {
			delete(keys, c.machine)
			dropped = true
		}
	}
	if !dropped {
		return false, nil
	}
	return true, keys.save(w.dir)
}

// noteKeys marks the host keys of machines that exist as used.
func (w *workspace) noteKeys() error {
	keys, err := loadHostKeys(w.dir)
	if err != nil {
		return err
	}
	nodes, _, err := w.results()
	if err != nil {
		return err
	}
	changed := false
	for machine := range nodes {
		if k := keys[machine]; k != nil && !k.Used {
			k.Used, changed = true, true
		}
	}
	if !changed {
		return nil
	}
	return keys.save(w.dir)
}

// Unprovision implements [provider.Provider]: all definitions at the same
// time, then the network.
func (p *Provider) Unprovision(ctx context.Context, req provider.Request, progress func(provider.Progress)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	d, _ := understand(req, p.cloud.About()) // what was made is taken down, whatever the files say now
	free, err := takeSettled(ctx, req.StateDir, "unprovision")
	if err != nil {
		return err
	}
	defer free()
	r := &runner{cloud: p.cloud, about: p.cloud.About(), d: d, root: req.StateDir}
	groups, err := r.existing()
	if err != nil {
		return err
	}
	s, err := readState(r.network().dir)
	if err != nil {
		return err
	}
	if len(groups) == 0 && !s.makes() {
		return nil
	}
	if r, err = p.newRunner(ctx, d, req.StateDir); err != nil {
		return err
	}
	if groups, err = r.existing(); err != nil {
		return err
	}
	say := teller(progress)
	if err := forEach(groups, func(_ int, w *workspace) error { return w.takeDown(ctx, say) }); err != nil {
		return err
	}
	if !s.makes() {
		return nil
	}
	return r.network().takeDown(ctx, say)
}

// takeDown destroys what a workspace has made, with the templates that made
// it.
func (w *workspace) takeDown(ctx context.Context, say tell) error {
	return say.phase("destroy", w.name, func() error {
		if err := w.init(ctx); err != nil {
			return err
		}
		if err := w.destroy(ctx); err != nil {
			return err
		}
		return hostKeys{}.save(w.dir)
	})
}
