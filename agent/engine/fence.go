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

// fenceFile is the highest fence seen, on disk.
type fenceFile struct {
	Format int        `json:"format"`
	Fence  wire.Fence `json:"fence"`
}

const fenceFormat = 1

func (e *Engine) fencePath() string { return filepath.Join(e.dir, "fence.json") }

func readFence(path string) (wire.Fence, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return wire.Fence{}, nil
	}
	if err != nil {
		return wire.Fence{}, fmt.Errorf("cannot read the fence: %w", err)
	}
	var f fenceFile
	if err := json.Unmarshal(data, &f); err != nil {
		return wire.Fence{}, fmt.Errorf("cannot read the fence %s: %w", path, err)
	}
	if f.Format != fenceFormat {
		return wire.Fence{}, fmt.Errorf("cannot read the fence %s: its format is %d, this agent reads %d", path, f.Format, fenceFormat)
	}
	return f.Fence, nil
}

// admitLocked refuses whoever does not hold the deployment, and remembers the
// highest number seen before anything is done in its name.
func (e *Engine) admitLocked(f wire.Fence) error {
	switch {
	case f.Deployment == "":
		return refuse(wire.CodeBadCall, "", "the call names no deployment")
	case e.fence.Deployment != "" && e.fence.Deployment != f.Deployment:
		return refuse(wire.CodeForeign, "use the state directory of that deployment, or release the node from it first",
			"the node belongs to deployment %s, not to %s", e.fence.Deployment, f.Deployment)
	case f.Number < e.fence.Number:
		return refuse(wire.CodeFenced, "look who took over, and run the command again",
			"somebody else took over deployment %s: fence %d is older than %d", f.Deployment, f.Number, e.fence.Number)
	case f == e.fence:
		return nil
	}
	return e.setFenceLocked(f)
}

func (e *Engine) setFenceLocked(f wire.Fence) error {
	data, err := json.Marshal(fenceFile{Format: fenceFormat, Fence: f})
	if err != nil {
		return err
	}
	if err := atomicfile.Write(e.fencePath(), append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("cannot store the fence: %w", err)
	}
	e.fence = f
	return nil
}

// Deployment returns the deployment the node belongs to, or "".
func (e *Engine) Deployment() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fence.Deployment
}

// Release makes the node belong to no deployment. It is refused while a change
// has not ended. Releasing a node that belongs to none is no error.
func (e *Engine) Release(_ context.Context, f wire.Fence) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fence.Deployment == "" {
		return nil
	}
	if err := e.admitLocked(f); err != nil {
		return err
	}
	if c := e.state.open(); c != nil {
		return busy(c)
	}
	return e.setFenceLocked(wire.Fence{})
}

func busy(c *change) error {
	return refuse(wire.CodeBusy, "wait until it has ended, or abort it",
		"change %s (%s) is %s on this node", c.ID, c.Summary, c.status)
}

func refuse(code wire.Code, hint, format string, args ...any) error {
	return &wire.Error{Code: code, Message: fmt.Sprintf(format, args...), Hint: hint}
}
