package deploy

import (
	"context"
	"fmt"
	"sync"

	"icm/internal/wire"
)

// lookAll asks every node of a draft what each of its tasks would do. Nodes
// are asked side by side, each once.
func lookAll(ctx context.Context, nodes map[string]Node, stages []draftStage, parallel int) (looks, error) {
	tasks, order, err := tasksByNode(stages)
	if err != nil {
		return nil, err
	}
	out := looks{}
	var mu sync.Mutex
	err = forEach(ctx, order, parallel, func(ctx context.Context, _ int, name string) error {
		node, ok := nodes[name]
		if !ok {
			return fmt.Errorf("is not connected")
		}
		var reply wire.LookReply
		if err := node.Call(ctx, wire.MethodLook, wire.LookRequest{Tasks: tasks[name]}, &reply); err != nil {
			return fromAgent(err)
		}
		if len(reply.Looks) != len(tasks[name]) {
			return fmt.Errorf("answered %d of %d looks", len(reply.Looks), len(tasks[name]))
		}
		seen := map[string]wire.Look{}
		for i, t := range tasks[name] {
			seen[t.ID] = reply.Looks[i]
		}
		mu.Lock()
		defer mu.Unlock()
		out[name] = seen
		return nil
	})
	return out, err
}

// tasksByNode collects what each node is asked, over all stages; order lists
// the nodes as they come.
func tasksByNode(stages []draftStage) (map[string][]wire.Task, []string, error) {
	tasks := map[string][]wire.Task{}
	var order []string
	for _, st := range stages {
		for _, ch := range st.changes {
			if _, ok := tasks[ch.node]; !ok {
				order = append(order, ch.node)
				tasks[ch.node] = nil
			}
			for _, d := range ch.tasks {
				t, err := d.task()
				if err != nil {
					return nil, nil, err
				}
				tasks[ch.node] = append(tasks[ch.node], t)
			}
		}
	}
	return tasks, order, nil
}
