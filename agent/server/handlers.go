package server

import (
	"context"

	"icm/internal/wire"
)

// handlers is every method this agent answers.
func (s *Server) handlers() map[string]wire.Handler {
	h := map[string]wire.Handler{
		wire.MethodLook:     handle(s.look),
		wire.MethodAnnounce: handle(s.Engine.Announce),
		wire.MethodSubmit:   handle(s.Engine.Submit),
		wire.MethodEvents:   s.events,
		wire.MethodChanges:  handle(s.changes),
		wire.MethodAbort:    handle(s.Engine.Abort),
		wire.MethodRemember: handle(s.Engine.Remember),
		wire.MethodRelease:  handle(s.release),
	}
	if s.Node.Facts != nil {
		h[wire.MethodFacts] = handle(s.facts)
	}
	if s.Node.Check != nil {
		h[wire.MethodCheck] = handle(s.Node.Check)
	}
	if s.Node.Instances != nil {
		h[wire.MethodInstances] = handle(s.instances)
	}
	if s.Node.Session != nil {
		h[wire.MethodSession] = handle(s.Node.Session)
	}
	if s.Node.Survey != nil {
		h[wire.MethodSurvey] = handle(s.Node.Survey)
	}
	if s.Node.Health != nil {
		h[wire.MethodHealth] = handle(s.Node.Health)
	}
	return h
}

// handle makes a handler of a function with one request and one reply.
func handle[Req, Reply any](f func(context.Context, Req) (Reply, error)) wire.Handler {
	return func(ctx context.Context, call *wire.Call) (any, error) {
		var req Req
		if err := call.Decode(&req); err != nil {
			return nil, err
		}
		return f(ctx, req)
	}
}

// facts adds what the agent knows of itself to what the node tells.
func (s *Server) facts(ctx context.Context, _ wire.FactsRequest) (wire.Facts, error) {
	facts, err := s.Node.Facts(ctx)
	if err != nil {
		return wire.Facts{}, err
	}
	facts.Build = s.Build
	facts.Deployment = s.Engine.Deployment()
	facts.Busy = s.Engine.Busy()
	facts.Membership, err = s.Engine.Membership()
	return facts, err
}

func (s *Server) instances(ctx context.Context, _ wire.InstancesRequest) (wire.InstancesReply, error) {
	list, err := s.Node.Instances(ctx)
	return wire.InstancesReply{Instances: list}, err
}

func (s *Server) look(ctx context.Context, req wire.LookRequest) (wire.LookReply, error) {
	looks, err := s.Engine.Look(ctx, req.Tasks)
	if err == nil && s.Node.Looked != nil {
		s.Node.Looked(req.Tasks, looks)
	}
	return wire.LookReply{Looks: looks}, err
}

func (s *Server) changes(ctx context.Context, req wire.ChangesRequest) (wire.ChangesReply, error) {
	list, err := s.Engine.Changes(ctx, req.ID)
	return wire.ChangesReply{Changes: list}, err
}

func (s *Server) release(ctx context.Context, req wire.ReleaseRequest) (wire.ReleaseReply, error) {
	return wire.ReleaseReply{}, s.Engine.Release(ctx, req.Fence)
}

func (s *Server) events(ctx context.Context, call *wire.Call) (any, error) {
	var req wire.EventsRequest
	if err := call.Decode(&req); err != nil {
		return nil, err
	}
	last, err := s.Engine.Events(ctx, req.After, req.Change, req.Follow, func(i wire.Item) error {
		return call.Item(ctx, i)
	})
	return wire.EventsReply{Last: last}, err
}
