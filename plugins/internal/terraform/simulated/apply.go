package simulated

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// change is one call that changes the cloud.
type change struct {
	op, kind       string
	id             string
	prior, planned tftypes.Value
	delay          time.Duration
	hook           string
}

// ApplyResourceChange makes, changes or deletes an object. As in a real cloud
// the object is there from the moment the cloud has taken the call, whoever
// dies before the answer.
func (s *server) ApplyResourceChange(ctx context.Context, r *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	schema := s.resources[r.TypeName]
	t := schema.ValueType()
	c := change{op: "update", kind: r.TypeName}
	var err error
	if c.prior, err = decode(r.PriorState, t); err != nil {
		return nil, err
	}
	if c.planned, err = decode(r.PlannedState, t); err != nil {
		return nil, err
	}
	switch {
	case c.prior.IsNull():
		c.op = "create"
	case c.planned.IsNull():
		c.op = "delete"
	}
	//lint:ignore SA1019 as in PlanResourceChange
	out := &tfprotov6.ApplyResourceChangeResponse{NewState: r.PlannedState, Private: r.PlannedPrivate, UnsafeToUseLegacyTypeSystem: true}
	state, err := s.apply(ctx, &c, schema)
	if err != nil {
		out.NewState, out.Diagnostics = r.PriorState, problem(err.Error(), "")
		return out, nil
	}
	out.NewState, err = encode(t, state)
	return out, err
}

func (s *server) apply(ctx context.Context, c *change, schema *tfprotov6.Schema) (tftypes.Value, error) {
	if err := s.begin(c); err != nil {
		return tftypes.Value{}, err
	}
	pause(ctx, c.delay/2)
	if c.op == "delete" {
		if _, err := s.callHook(ctx, c, plainObject(c.prior)); err != nil {
			return tftypes.Value{}, err
		}
		return c.planned, s.store.update(func(all *content) error {
			if err := all.unused(s.cloud, c.kind, all.Objects[c.kind+"/"+c.id]); err != nil {
				return err
			}
			delete(all.Objects, c.kind+"/"+c.id)
			return nil
		})
	}
	state := s.complete(c, schema, c.planned, nil)
	if err := s.keep(c, state); err != nil {
		return tftypes.Value{}, err
	}
	said, err := s.callHook(ctx, c, plainObject(state))
	if err != nil {
		return tftypes.Value{}, errors.Join(err, s.refuse(c))
	}
	if len(said) > 0 {
		state = s.complete(c, schema, c.planned, said)
		if err := s.keep(c, state); err != nil {
			return tftypes.Value{}, err
		}
	}
	pause(ctx, c.delay/2)
	return state, nil
}

// refuse takes back an object that the hook could not make.
func (s *server) refuse(c *change) error {
	if c.op != "create" {
		return nil
	}
	return s.store.Delete(c.kind, c.id)
}

// begin checks whether the cloud takes the call.
func (s *server) begin(c *change) error {
	return s.store.update(func(all *content) error {
		c.delay, c.hook = time.Duration(all.DelayMS)*time.Millisecond, all.Hook
		if text := all.fault(c.op, c.kind); text != "" {
			return &cloudError{text}
		}
		if c.op != "create" {
			c.id = plainObject(c.prior).text("id")
		}
		if c.op == "delete" {
			return all.unused(s.cloud, c.kind, all.Objects[c.kind+"/"+c.id])
		}
		wanted := plainObject(c.planned)
		if err := all.referred(s.cloud, c.kind, wanted); err != nil {
			return err
		}
		if c.op == "update" {
			if all.Objects[c.kind+"/"+c.id] == nil {
				return &cloudError{fmt.Sprintf("%s %s does not exist", c.kind, c.id)}
			}
			return nil
		}
		all.Serial++
		c.id = s.newID(c.kind, wanted, all.Serial)
		return all.free(s.cloud.rules[c.kind], c.kind, c.id, wanted)
	})
}

// keep writes the object as it is now.
func (s *server) keep(c *change, state tftypes.Value) error {
	return s.store.update(func(all *content) error {
		o := plainObject(state)
		if c.op == "create" && all.Objects[c.kind+"/"+c.id] == nil {
			if err := all.free(s.cloud.rules[c.kind], c.kind, c.id, o); err != nil {
				return err
			}
		}
		all.Objects[c.kind+"/"+c.id] = o
		return nil
	})
}

// complete fills in what only the cloud tells. said overrides what we would
// invent.
func (s *server) complete(c *change, schema *tfprotov6.Schema, planned tftypes.Value, said map[string]string) tftypes.Value {
	wanted := plainObject(planned)
	before := plainObject(c.prior)
	return walk("", schema.Block, planned, func(path string, a *tfprotov6.SchemaAttribute, v tftypes.Value) tftypes.Value {
		if text, ok := said[path]; ok && a.Type.Is(tftypes.String) {
			return tftypes.NewValue(a.Type, text)
		}
		if v.IsKnown() {
			return v
		}
		return s.invent(invention{kind: c.kind, id: c.id, path: path, wanted: wanted, before: before}, a.Type)
	})
}

// ReadResource says what the object is like now.
func (s *server) ReadResource(_ context.Context, r *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	t := s.resources[r.TypeName].ValueType()
	current, err := decode(r.CurrentState, t)
	if err != nil {
		return nil, err
	}
	out := &tfprotov6.ReadResourceResponse{NewState: r.CurrentState, Private: r.Private}
	found, err := s.read(r.TypeName, plainObject(current).text("id"))
	if err != nil {
		out.Diagnostics = problem(err.Error(), "")
		return out, nil
	}
	state := tftypes.NewValue(t, nil) // gone
	if found != nil {
		raw, err := json.Marshal(found)
		if err != nil {
			return nil, err
		}
		if state, err = (&tfprotov6.RawState{JSON: raw}).Unmarshal(t); err != nil {
			return nil, fmt.Errorf("the store has a broken %s: %w", r.TypeName, err)
		}
	}
	out.NewState, err = encode(t, state)
	return out, err
}

func (s *server) read(kind, id string) (object, error) {
	var found object
	err := s.store.update(func(all *content) error {
		if text := all.fault("read", kind); text != "" {
			return &cloudError{text}
		}
		found = all.Objects[kind+"/"+id]
		return nil
	})
	return found, err
}

// ImportResourceState takes an object into a state that has lost it.
func (s *server) ImportResourceState(_ context.Context, r *tfprotov6.ImportResourceStateRequest) (*tfprotov6.ImportResourceStateResponse, error) {
	t := s.resources[r.TypeName].ValueType()
	found, err := s.read(r.TypeName, r.ID)
	if err != nil || found == nil {
		return &tfprotov6.ImportResourceStateResponse{Diagnostics: problem("Cannot import non-existent remote object", fmt.Sprintf("there is no %s %s (%v)", r.TypeName, r.ID, err))}, nil
	}
	raw, err := json.Marshal(found)
	if err != nil {
		return nil, err
	}
	v, err := (&tfprotov6.RawState{JSON: raw}).Unmarshal(t)
	if err != nil {
		return nil, err
	}
	state, err := encode(t, v)
	return &tfprotov6.ImportResourceStateResponse{ImportedResources: []*tfprotov6.ImportedResource{{TypeName: r.TypeName, State: state}}}, err
}

// pause: a cloud takes its time.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// cloudError is what the cloud answers with.
type cloudError struct{ text string }

func (e *cloudError) Error() string { return e.text }
