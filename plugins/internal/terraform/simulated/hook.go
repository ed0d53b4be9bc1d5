package simulated

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// hooked are the types of which the hook is told.
var hooked = []string{"aws_instance", "aws_volume_attachment", "aws_ebs_volume"}

// callHook runs the hook as `HOOK create aws_instance i-0123`, with the
// attributes as JSON on its standard input. What it prints, a JSON object of
// texts by path, takes the place of what would be invented.
func (s *server) callHook(ctx context.Context, c *change, o object) (map[string]string, error) {
	if c.hook == "" || !slices.Contains(hooked, c.kind) {
		return nil, nil
	}
	in, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, c.hook, c.op, c.kind, c.id)
	cmd.Env = append(os.Environ(), "ICM_SIMULATED_STORE="+s.store.Path)
	cmd.Stdin = bytes.NewReader(in)
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.Output()
	if err != nil {
		return nil, &cloudError{fmt.Sprintf("the hook of %s %s failed: %v: %s", c.op, c.kind, err, strings.TrimSpace(failure.String()))}
	}
	said := map[string]string{}
	if len(bytes.TrimSpace(out)) == 0 {
		return said, nil
	}
	if err := json.Unmarshal(out, &said); err != nil {
		return nil, fmt.Errorf("the hook said what is no JSON: %w", err)
	}
	return said, nil
}
