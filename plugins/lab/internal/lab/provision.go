package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"icm/plugins/lab/internal/cgroup"
	"icm/plugins/lab/internal/deployment"
	"icm/plugins/lab/internal/node"
	"icm/plugins/provider"
)

// Provision implements [provider.Provider]. Nodes are made side by side; one
// that fails does not stop the others.
func (l *Lab) Provision(ctx context.Context, req provider.Request, progress func(provider.Progress)) (provider.Result, error) {
	var result provider.Result
	wants, problems := l.read(req)
	if err := firstError(problems); err != nil {
		return result, err
	}
	if err := firstError(unfit(false)); err != nil {
		return result, err
	}
	d, unlock, err := l.deployments.Open(ctx, req.Deployment)
	if err != nil {
		return result, err
	}
	defer unlock()
	say := teller{progress}
	if err := say.around("init", labelOf(req), func() error { return l.begin(ctx, d, wants) }); err != nil {
		return result, err
	}
	if err := destroyOthers(ctx, d, wants); err != nil {
		return result, err
	}
	job := &provisioning{lab: l, deployment: d, request: req, say: say, left: map[string]int{}}
	nodes, err := job.run(ctx, wants)
	for _, n := range nodes {
		result.Nodes = append(result.Nodes, describe(n))
	}
	return result, err
}

// begin makes what all nodes share, and fills in what depends on this machine.
func (l *Lab) begin(ctx context.Context, d *deployment.Deployment, wants []want) error {
	if err := raiseInotify(inotifyInstances); err != nil {
		return err
	}
	overlay, err := node.OverlayWorks(ctx, d.Dir())
	if err != nil {
		return err
	}
	var machines []string
	for i := range wants {
		machines = append(machines, wants[i].machine)
		wants[i].config.Overlay = overlay
		if wants[i].config.Image, err = l.images.Ensure(ctx, wants[i].source); err != nil {
			return err
		}
	}
	if err := l.deployments.ChooseSubnet(ctx, d); err != nil {
		return err
	}
	if err := d.Assign(machines); err != nil {
		return err
	}
	return d.Subnet.Up(ctx)
}

// labelOf is what ICM calls the part of a deployment that all definitions
// share.
func labelOf(req provider.Request) string {
	if req.Label == "" || req.Tag == "" {
		return req.Deployment
	}
	return req.Label + "-" + req.Tag
}

// destroyOthers removes nodes that are no longer in the request; Plan has
// announced it.
func destroyOthers(ctx context.Context, d *deployment.Deployment, wants []want) error {
	wanted := map[string]bool{}
	for _, w := range wants {
		wanted[w.machine] = true
	}
	machines, err := d.Machines()
	if err != nil {
		return err
	}
	for _, m := range machines {
		if wanted[m] {
			continue
		}
		if err := d.Node(m).Destroy(ctx); err != nil {
			return fmt.Errorf("cannot destroy node %s: %w", m, err)
		}
		if err := d.Forget(m); err != nil {
			return err
		}
	}
	return nil
}

// provisioning is one run of Provision.
type provisioning struct {
	lab        *Lab
	deployment *deployment.Deployment
	request    provider.Request
	say        teller

	mu   sync.Mutex
	left map[string]int // nodes of each definition that are not done
}

// run makes and boots all nodes and returns those that are ready, in the
// request's order.
func (p *provisioning) run(ctx context.Context, wants []want) ([]*node.Node, error) {
	for _, w := range wants {
		if p.left[w.definition.Name]++; p.left[w.definition.Name] == 1 {
			p.say.starting("apply", w.definition.Name)
		}
	}
	nodes := make([]*node.Node, len(wants))
	err := sideBySide(len(wants), func(i int) error {
		n := p.deployment.Node(wants[i].machine)
		if err := p.one(ctx, n, wants[i]); err != nil {
			return err
		}
		nodes[i] = n
		p.done(wants[i].definition.Name)
		return nil
	})
	ready := nodes[:0]
	for _, n := range nodes {
		if n != nil {
			ready = append(ready, n)
		}
	}
	return ready, err
}

func (p *provisioning) one(ctx context.Context, n *node.Node, w want) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	access := node.Access{PublicKey: p.request.PublicKey, Password: w.password}
	if err := n.Make(ctx, w.config, access, p.hosts()); err != nil {
		return fmt.Errorf("cannot make node %s: %w", n.Machine, err)
	}
	return p.say.around("boot", n.Machine, func() error { return n.Boot(ctx) })
}

// hosts lists all nodes of the deployment.
func (p *provisioning) hosts() []node.Host {
	var hosts []node.Host
	for _, d := range p.request.Definitions {
		for _, w := range d.Nodes {
			hosts = append(hosts, node.Host{Name: w.MachineName, Address: p.deployment.Node(w.MachineName).Address()})
		}
	}
	return hosts
}

// done counts a finished node; with its last one a definition is complete.
func (p *provisioning) done(definition string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.left[definition]--; p.left[definition] == 0 {
		p.say.completed("apply", definition)
	}
}

// sideBySide calls do for 0 to n-1, twice as many at a time as there are
// processors: booting is half computing and half waiting. All errors are told.
func sideBySide(n int, do func(i int) error) error {
	slots := make(chan struct{}, 2*runtime.NumCPU())
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			errs[i] = do(i)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Unprovision implements [provider.Provider]. It needs nothing to be readable
// but the names of the directories.
func (l *Lab) Unprovision(ctx context.Context, req provider.Request, progress func(provider.Progress)) error {
	if !deploymentForm.MatchString(req.Deployment) {
		return fmt.Errorf("%q cannot be the name of a deployment", req.Deployment)
	}
	if _, err := os.Stat(filepath.Join(l.deployments.Dir, req.Deployment)); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	d, unlock, err := l.deployments.Open(ctx, req.Deployment)
	if err != nil {
		return err
	}
	defer unlock()
	say := teller{progress}
	return say.around("destroy", labelOf(req), func() error { return l.destroy(ctx, d) })
}

func (l *Lab) destroy(ctx context.Context, d *deployment.Deployment) error {
	machines, err := d.Machines()
	if err != nil {
		return err
	}
	err = sideBySide(len(machines), func(i int) error {
		if err := d.Node(machines[i]).Destroy(ctx); err != nil {
			return fmt.Errorf("cannot destroy node %s: %w", machines[i], err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if d.HasSubnet() {
		if err := d.Subnet.Down(ctx); err != nil {
			return err
		}
	}
	for _, path := range []string{filepath.Join(node.GroupRoot, d.ID), node.GroupRoot} {
		group, err := cgroup.New(path)
		if err != nil {
			return err
		}
		group.Prune()
	}
	return l.deployments.Remove(ctx, d)
}

// teller reports progress in ICM's form.
type teller struct{ progress func(provider.Progress) }

func (t teller) starting(what, subject string) {
	t.progress(provider.Progress{Starting: true, What: what, Subject: subject})
}

func (t teller) completed(what, subject string) {
	t.progress(provider.Progress{What: what, Subject: subject})
}

// around tells that do starts, and that it is completed when it went well.
func (t teller) around(what, subject string, do func() error) error {
	t.starting(what, subject)
	err := do()
	if err == nil {
		t.completed(what, subject)
	}
	return err
}
