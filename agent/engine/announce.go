package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"icm/internal/atomicfile"
	"icm/internal/wire"
)

// announcedFile is what the newest operation is going to ask, on disk: it holds
// over a restart of the agent.
type announcedFile struct {
	Format    int      `json:"format"`
	Operation string   `json:"operation"`
	Plan      string   `json:"plan"`
	Changes   []string `json:"changes"` // wire.ChangeDigest of each
}

const announcedFormat = 1

func (e *Engine) announcedPath() string { return filepath.Join(e.dir, "announced.json") }

// Announce takes down what an operation is going to ask of this node. It
// stands until the next operation is announced.
func (e *Engine) Announce(_ context.Context, req wire.AnnounceRequest) (wire.AnnounceReply, error) {
	if req.Operation == "" || req.Plan == "" {
		return wire.AnnounceReply{}, refuse(wire.CodeBadCall, "", "the call names no operation or no plan")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.admitLocked(req.Fence); err != nil {
		return wire.AnnounceReply{}, err
	}
	data, err := json.Marshal(announcedFile{Format: announcedFormat, Operation: req.Operation, Plan: req.Plan, Changes: req.Changes})
	if err != nil {
		return wire.AnnounceReply{}, err
	}
	if err := atomicfile.Write(e.announcedPath(), append(data, '\n'), 0o600); err != nil {
		return wire.AnnounceReply{}, fmt.Errorf("cannot store the plan: %w", err)
	}
	return wire.AnnounceReply{}, nil
}

// plannedLocked refuses a change that no plan announced, or that was altered
// since.
func (e *Engine) plannedLocked(c wire.Change) error {
	if !e.opt.Planned {
		return nil
	}
	data, err := os.ReadFile(e.announcedPath())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the plan: %w", err)
	}
	var f announcedFile
	if err == nil {
		if err := json.Unmarshal(data, &f); err != nil {
			return fmt.Errorf("cannot read the plan %s: %w", e.announcedPath(), err)
		}
	}
	digest, err := wire.ChangeDigest(c)
	if err != nil {
		return err
	}
	if f.Operation != c.Operation || f.Plan != c.Plan || !slices.Contains(f.Changes, digest) {
		return refuse(wire.CodeUnplanned, "run the command again: it makes a new plan", "change %s is not in the plan that was announced", c.ID)
	}
	return nil
}
