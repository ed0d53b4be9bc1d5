package tasks

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/kind"
	"icm/internal/wire"
)

func clusterInitialize(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookClusterInitialize, Do: d.doClusterInitialize}
}

func decodeClusterInit(t *engine.Task) (kind.ClusterInit, error) {
	var a kind.ClusterInit
	if err := t.Decode(&a); err != nil {
		return a, err
	}
	for _, n := range []string{a.Namespace, a.Master} {
		if n != "" {
			if err := checkNamespace(n); err != nil {
				return a, err
			}
		}
	}
	return a, checkAddress(a.Address)
}

func checkAddress(address string) error {
	if address != "" && !hostPort.MatchString(address) {
		return fmt.Errorf("cannot use %q as the address of a node: host:port is expected", address)
	}
	return nil
}

// inCluster asks an instance whether it is a node of a cluster; one that does
// not run is not asked.
func (d Deps) inCluster(ctx context.Context, name string) (bool, error) {
	in, err := d.find(ctx, name)
	if err != nil || !in.there || !iris.Running(in.Instance) {
		return false, err
	}
	return d.nodeOfCluster(ctx, in.Instance)
}

// nodeOfCluster is by the instance's own list of nodes. An error of the listing
// is how it says that there is none.
func (d Deps) nodeOfCluster(ctx context.Context, in wire.Instance) (bool, error) {
	_, err := d.IRIS.ListNodes(ctx, in)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return err == nil, nil
}

func (d Deps) lookCluster(ctx context.Context, i kind.Instance, as string) (wire.Look, error) {
	is, err := d.inCluster(ctx, i.Name)
	if err != nil || is {
		return wire.Look{Satisfied: is}, err
	}
	return wire.Look{Diffs: []wire.Diff{{What: "instance " + i.Name, Before: "no node of a cluster", After: as}}}, nil
}

func (d Deps) lookClusterInitialize(ctx context.Context, t *engine.Task) (wire.Look, error) {
	a, err := decodeClusterInit(t)
	if err != nil {
		return wire.Look{}, err
	}
	return d.lookCluster(ctx, a.Instance, "first data node of a new cluster")
}

// doClusterInitialize makes a cluster whose only node this instance is.
//
// Rerun: a cluster that is there stays as it is.
// Undo: none; its namespaces stay, and are empty.
func (d Deps) doClusterInitialize(ctx context.Context, t *engine.Task) error {
	a, err := decodeClusterInit(t)
	if err != nil {
		return err
	}
	return d.becomeNode(ctx, t, a.Instance, func(in wire.Instance) error { return d.IRIS.InitializeCluster(ctx, in, a) })
}

// becomeNode does what initializing and attaching have in common.
func (d Deps) becomeNode(ctx context.Context, t *engine.Task, i kind.Instance, join func(wire.Instance) error) error {
	in, err := d.served(ctx, t, i, "make a node of a cluster")
	if err != nil {
		return err
	}
	is, err := d.nodeOfCluster(ctx, in)
	if err != nil {
		return err
	}
	if !is {
		if err := t.Note("begun", true); err != nil {
			return err
		}
		if err := join(in); err != nil {
			return err
		}
		if _, err := d.IRIS.ListNodes(ctx, in); err != nil {
			return fmt.Errorf("cannot make %s a node of a cluster: it says it is one, but: %w", in.Name, err)
		}
	}
	return d.IRIS.Mark(in.Name, iris.ClusterMark, "")
}

func clusterAttach(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookClusterAttach, Do: d.doClusterAttach, Undo: d.undoClusterAttach}
}

var clusterURL = regexp.MustCompile(`^IRIS://[A-Za-z0-9_.:\[\]-]+:[0-9]{1,5}(/[A-Za-z%][A-Za-z0-9_-]*)?$`)

func decodeNode(t *engine.Task) (kind.ClusterNode, error) {
	var a kind.ClusterNode
	if err := t.Decode(&a); err != nil {
		return a, err
	}
	switch {
	case !clusterURL.MatchString(a.URL):
		return a, fmt.Errorf("cannot use %q as the address of a cluster: IRIS://host:port or IRIS://host:port/namespace is expected", a.URL)
	case a.Role != kind.DataNode && a.Role != kind.ComputeNode:
		return a, fmt.Errorf("cannot be a node %q of a cluster: %s or %s", a.Role, kind.DataNode, kind.ComputeNode)
	case !slices.Contains([]string{"", "primary", "backup", "drasync"}, a.MirrorRole):
		return a, fmt.Errorf("cannot attach a mirror member as %q: primary, backup or drasync", a.MirrorRole)
	}
	return a, checkAddress(a.Address)
}

func (d Deps) lookClusterAttach(ctx context.Context, t *engine.Task) (wire.Look, error) {
	a, err := decodeNode(t)
	if err != nil {
		return wire.Look{}, err
	}
	return d.lookCluster(ctx, a.Instance, a.Role+" node of "+a.URL)
}

// doClusterAttach makes the instance a node of a cluster that is there.
//
// Rerun: one that is a node stays one.
// Undo: detaches it, if this task attached it.
func (d Deps) doClusterAttach(ctx context.Context, t *engine.Task) error {
	a, err := decodeNode(t)
	if err != nil {
		return err
	}
	return d.becomeNode(ctx, t, a.Instance, func(in wire.Instance) error { return d.IRIS.AttachNode(ctx, in, a) })
}

func (d Deps) undoClusterAttach(ctx context.Context, t *engine.Task) error {
	a, err := decodeNode(t)
	if err != nil {
		return err
	}
	var begun bool
	if _, err := t.Load("begun", &begun); err != nil || !begun {
		return err
	}
	if follows(a) {
		t.Logf("%s is detached with the primary of its mirror", a.Instance.Name)
		return nil
	}
	return d.detach(ctx, t, a)
}

// follows reports whether a node comes and goes with another one: it is the
// primary of a mirror that is the cluster's node.
func follows(a kind.ClusterNode) bool { return a.MirrorRole == "backup" || a.MirrorRole == "drasync" }

func (d Deps) detach(ctx context.Context, t *engine.Task, a kind.ClusterNode) error {
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil || !in.there || !iris.Running(in.Instance) {
		return err
	}
	is, err := d.nodeOfCluster(ctx, in.Instance)
	if err != nil {
		return err
	}
	if is {
		t.Logf("detaching %s", in.Name)
		if err := d.IRIS.DetachNode(ctx, in.Instance); err != nil {
			return err
		}
	}
	return d.IRIS.Mark(in.Name, "", iris.ClusterMark)
}

func clusterDetach(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookClusterDetach, Do: d.doClusterDetach}
}

// withoutConsent refuses to take a part of the data out of the cluster unless
// somebody said so by name.
func withoutConsent(a kind.ClusterNode) string {
	if a.Role == kind.DataNode && !a.Data {
		return fmt.Sprintf("instance %s is a data node, which may hold a part of the cluster's data", a.Instance.Name)
	}
	return ""
}

func (d Deps) lookClusterDetach(ctx context.Context, t *engine.Task) (wire.Look, error) {
	a, err := decodeNode(t)
	if err != nil {
		return wire.Look{}, err
	}
	is, err := d.inCluster(ctx, a.Instance.Name)
	if err != nil || !is || follows(a) {
		return wire.Look{Satisfied: err == nil}, err
	}
	look := wire.Look{Refused: withoutConsent(a), Diffs: []wire.Diff{{What: "instance " + a.Instance.Name, Before: "node of a cluster", After: "no node"}}}
	if look.Refused != "" {
		look.Hint = "move its data to the other nodes, then consent by its name"
	}
	return look, nil
}

// doClusterDetach takes the instance out of its cluster. It refuses by itself
// while it holds data.
//
// Rerun: one that is out is left alone.
// Undo: none; to come back it has to attach anew.
func (d Deps) doClusterDetach(ctx context.Context, t *engine.Task) error {
	a, err := decodeNode(t)
	if err != nil || follows(a) {
		return err
	}
	if refused := withoutConsent(a); refused != "" {
		return fmt.Errorf("cannot detach: %s", refused)
	}
	if _, err := d.served(ctx, t, a.Instance, "detach from the cluster"); err != nil {
		return err
	}
	return d.detach(ctx, t, a)
}
