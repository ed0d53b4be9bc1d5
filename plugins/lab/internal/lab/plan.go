package lab

import (
	"context"
	"fmt"
	"strings"

	"icm/plugins/lab/internal/node"
	"icm/plugins/provider"
)

// Plan implements [provider.Provider]. It reads what is there and nothing else.
func (l *Lab) Plan(_ context.Context, req provider.Request) ([]provider.Action, error) {
	wants, problems := l.read(req)
	if err := firstError(problems); err != nil {
		return nil, err
	}
	d, err := l.deployments.Look(req.Deployment)
	if err != nil {
		return nil, err
	}
	var actions []provider.Action
	if !d.HasSubnet() {
		actions = append(actions, provider.Action{Verb: "make", What: "network of " + req.Deployment})
	}
	wanted := map[string]bool{}
	for _, w := range wants {
		wanted[w.machine] = true
		n := d.Node(w.machine)
		if err := n.Load(); err != nil {
			return nil, err
		}
		action, err := actionFor(n, w)
		if err != nil {
			return nil, err
		}
		actions = append(actions, action)
	}
	machines, err := d.Machines()
	for _, m := range machines {
		if !wanted[m] {
			actions = append(actions, provider.Action{Verb: "destroy", What: "node " + m, Detail: "with its volumes"})
		}
	}
	return actions, err
}

func actionFor(n *node.Node, w want) (provider.Action, error) {
	action := provider.Action{What: "node " + w.machine}
	if !n.Prepared {
		action.Verb, action.Detail = "make", "volumes: "+volumeList(w.config.Volumes)
		return action, nil
	}
	change, err := n.Diff(w.config)
	if err != nil {
		return action, err
	}
	var details []string
	if len(change.Grow) > 0 {
		details = append(details, "grow "+volumeList(change.Grow))
	}
	if len(change.Add) > 0 {
		details = append(details, "add "+volumeList(change.Add))
	}
	if change.Rate {
		details = append(details, "network rate "+orOff(w.config.Rate))
	}
	if !n.Running() {
		details = append(details, "start it")
	}
	action.Verb, action.Detail = "keep", strings.Join(details, ", ")
	if len(details) > 0 {
		action.Verb = "change"
	}
	return action, nil
}

func volumeList(volumes []node.Volume) string {
	var words []string
	for _, v := range volumes {
		words = append(words, fmt.Sprintf("%s %d GB", v.Purpose, v.GB))
	}
	if len(words) == 0 {
		return "none"
	}
	return strings.Join(words, ", ")
}

func orOff(rate string) string {
	if rate == "" {
		return "off"
	}
	return rate
}
