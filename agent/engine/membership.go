package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"icm/internal/atomicfile"
	"icm/internal/wire"
)

// membershipFile is what the controller wants to find here when it has lost
// everything else, on disk.
type membershipFile struct {
	Format     int             `json:"format"`
	Membership wire.Membership `json:"membership"`
}

const membershipFormat = 1

func (e *Engine) membershipPath() string { return filepath.Join(e.dir, "membership.json") }

// Remember keeps a membership over restarts of the agent. Only who holds the
// deployment may change it.
func (e *Engine) Remember(_ context.Context, req wire.RememberRequest) (wire.RememberReply, error) {
	if req.Membership.Deployment != req.Fence.Deployment {
		return wire.RememberReply{}, refuse(wire.CodeBadCall, "", "the membership is of deployment %s, the call of %s", req.Membership.Deployment, req.Fence.Deployment)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.admitLocked(req.Fence); err != nil {
		return wire.RememberReply{}, err
	}
	data, err := json.MarshalIndent(membershipFile{Format: membershipFormat, Membership: req.Membership}, "", "  ")
	if err != nil {
		return wire.RememberReply{}, err
	}
	if err := atomicfile.Write(e.membershipPath(), append(data, '\n'), 0o600); err != nil {
		return wire.RememberReply{}, fmt.Errorf("cannot store the membership: %w", err)
	}
	return wire.RememberReply{}, nil
}

// Membership is what Remember was given last, nil when the node belongs to no
// deployment or was told nothing by it. Its fence is the highest number seen.
func (e *Engine) Membership() (*wire.Membership, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fence.Deployment == "" {
		return nil, nil
	}
	data, err := os.ReadFile(e.membershipPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the membership: %w", err)
	}
	var f membershipFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, fmt.Errorf("cannot read the membership %s: %w", e.membershipPath(), err)
	}
	if f.Format != membershipFormat {
		return nil, fmt.Errorf("cannot read the membership %s: its format is %d, this agent reads %d", e.membershipPath(), f.Format, membershipFormat)
	}
	if f.Membership.Deployment != e.fence.Deployment {
		return nil, nil // of a deployment that has let the node go
	}
	f.Membership.Fence = e.fence.Number
	return &f.Membership, nil
}
