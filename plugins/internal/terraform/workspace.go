package terraform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hashicorp/terraform-exec/tfexec"
	tfjson "github.com/hashicorp/terraform-json"

	"icm/internal/atomicfile"
)

// Names of files in a workspace.
const (
	stateFile = "terraform.tfstate"
	lockFile  = ".terraform.lock.hcl" // which provider was chosen, with its checksum
	planFile  = "icm.tfplan"
	stampFile = ".terraform/icm-init"
)

// stateWait is how long terraform waits for another terraform that holds the
// lock on the state: one whose icm was killed finishes its work first.
const stateWait = "10m"

// stopWait is how long terraform may take to stop after it was interrupted. It
// waits for the calls to the cloud that it has begun, and some take as long as
// a machine takes to start.
const stopWait = 30 * time.Minute

// workspace is a directory in which terraform is run.
type workspace struct {
	r              *runner
	dir            string
	name, template string // "ACME-DM-TEST", "nodes"
	dry            bool   // a copy, for a plan: it locks nothing
}

// prepare puts everything into the directory that terraform reads.
func (w *workspace) prepare(vars Vars) error {
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(w.dir, 0o700); err != nil { // the state holds keys
		return err
	}
	files, err := w.r.templates(w.template)
	if err != nil {
		return err
	}
	old, err := filepath.Glob(filepath.Join(w.dir, "*.tf"))
	if err != nil {
		return err
	}
	for _, path := range old {
		if _, wanted := files[filepath.Base(path)]; !wanted {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, text := range files {
		if err := writeChanged(filepath.Join(w.dir, name), text); err != nil {
			return err
		}
	}
	return vars.write(w.dir)
}

// writeChanged spares the disk what is there already.
func writeChanged(path string, text []byte) error {
	if have, err := os.ReadFile(path); err == nil && string(have) == string(text) {
		return nil
	}
	return atomicfile.Write(path, text, 0o600)
}

// templates are the files of a template, by name, with the site's own over
// ours.
func (r *runner) templates(name string) (map[string][]byte, error) {
	files := map[string][]byte{}
	if err := readTemplates(files, r.cloud.Templates(), name); err != nil {
		return nil, err
	}
	if dir := r.d.Global.Get("TerraformOverrideDir"); dir != "" {
		err := readTemplates(files, os.DirFS(dir), name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot read TerraformOverrideDir: %w", err)
		}
	}
	return files, nil
}

func readTemplates(files map[string][]byte, from fs.FS, dir string) error {
	entries, err := fs.ReadDir(from, dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".tf") {
			continue
		}
		if files[e.Name()], err = fs.ReadFile(from, dir+"/"+e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// terraform makes the command's runner. The program that is started is our
// own, see [Guard].
func (w *workspace) terraform() (*tfexec.Terraform, error) {
	tf, err := tfexec.NewTerraform(w.dir, w.r.self)
	if err != nil {
		return nil, err
	}
	return tf, errors.Join(tf.SetEnv(w.r.env), tf.SetWaitDelay(stopWait))
}

// run runs one command of terraform, when there is room for another process.
func (w *workspace) run(ctx context.Context, verb string, f func(*tfexec.Terraform) error) error {
	select {
	case w.r.slots <- struct{}{}:
		defer func() { <-w.r.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	tf, err := w.terraform()
	if err != nil {
		return err
	}
	if err := f(tf); err != nil {
		return w.explain(ctx, verb, err)
	}
	return nil
}

// init lets terraform find its provider. It is done again only when something
// that it depends on has changed.
func (w *workspace) init(ctx context.Context) error {
	stamp, err := w.stamp()
	if err != nil {
		return err
	}
	if have, err := os.ReadFile(filepath.Join(w.dir, stampFile)); err == nil && string(have) == stamp {
		return nil
	}
	err = w.run(ctx, "init", func(tf *tfexec.Terraform) error { return tf.Init(ctx, tfexec.Upgrade(false)) })
	if err != nil {
		return err
	}
	if stamp, err = w.stamp(); err != nil { // with the lock file that there is now
		return err
	}
	return os.WriteFile(filepath.Join(w.dir, stampFile), []byte(stamp), 0o600)
}

// stamp sums up what init depends on.
func (w *workspace) stamp() (string, error) {
	sum := sha256.New()
	fmt.Fprintln(sum, w.r.program)
	for _, path := range []string{filepath.Join(w.dir, "versions.tf"), filepath.Join(w.dir, lockFile), w.r.config} {
		text, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		fmt.Fprintf(sum, "%d\n%s", len(text), text)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// shareLock gives a new workspace the choice of provider that another one has
// made, so that one deployment uses one.
func (w *workspace) shareLock(from string) error {
	path := filepath.Join(w.dir, lockFile)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	text, err := os.ReadFile(filepath.Join(from, lockFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return atomicfile.Write(path, text, 0o600)
}

// plan asks terraform what an apply would do. changed is false when it would
// do nothing. The plan itself is read only when it is wanted: that takes as
// long as a small plan.
func (w *workspace) plan(ctx context.Context, read bool) (p *tfjson.Plan, changed bool, err error) {
	opts := []tfexec.PlanOption{tfexec.Out(planFile)}
	if w.dry {
		opts = append(opts, tfexec.Lock(false))
	} else {
		opts = append(opts, tfexec.LockTimeout(stateWait))
	}
	err = w.run(ctx, "plan", func(tf *tfexec.Terraform) (err error) {
		if changed, err = tf.Plan(ctx, opts...); err != nil || !read {
			return err
		}
		p, err = tf.ShowPlanFile(ctx, planFile)
		return err
	})
	return p, changed, err
}

// apply does what was planned.
func (w *workspace) apply(ctx context.Context) error {
	err := w.run(ctx, "apply", func(tf *tfexec.Terraform) error {
		return tf.Apply(ctx, tfexec.DirOrPlan(planFile), tfexec.LockTimeout(stateWait))
	})
	return errors.Join(err, removePlan(w.dir))
}

// removePlan: a plan holds what the state holds, and is of no use twice.
func removePlan(dir string) error {
	err := os.Remove(filepath.Join(dir, planFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// refresh asks the cloud what has become of everything.
func (w *workspace) refresh(ctx context.Context) error {
	return w.run(ctx, "refresh", func(tf *tfexec.Terraform) error {
		return tf.Refresh(ctx, tfexec.LockTimeout(stateWait))
	})
}

func (w *workspace) destroy(ctx context.Context) error {
	return w.run(ctx, "destroy", func(tf *tfexec.Terraform) error {
		return tf.Destroy(ctx, tfexec.LockTimeout(stateWait))
	})
}

// tfState is what we read of terraform's state ourselves: version 4 of its
// format has been the same since 2018.
type tfState struct {
	Version   int `json:"version"`
	Resources []struct {
		Mode string `json:"mode"`
	} `json:"resources"`
	Outputs map[string]struct {
		Value json.RawMessage `json:"value"`
	} `json:"outputs"`
}

// writeLimit is how long terraform may take to write a state.
const writeLimit = 10 * time.Second

// readState reads the state; an empty one where there is none. Terraform writes
// it in place: what looks damaged while somebody writes is read again.
func readState(dir string) (tfState, error) {
	path := filepath.Join(dir, stateFile)
	ctx, cancel := context.WithTimeout(context.Background(), writeLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		s, err := parseState(path)
		if err == nil {
			return s, nil
		}
		if pid, lockErr := writerOf(path); lockErr != nil || pid == 0 {
			return parseState(path) // the last write may have ended this moment
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return s, err
		}
	}
}

func parseState(path string) (tfState, error) {
	var s tfState
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s); err != nil || s.Version != 4 {
		return s, fmt.Errorf("cannot read %s: it is damaged, or of another version than 4 (%d): %v; terraform.tfstate.backup beside it is the one before", path, s.Version, err)
	}
	return s, nil
}

// makes reports whether there is anything that terraform has made.
func (s tfState) makes() bool {
	for _, r := range s.Resources {
		if r.Mode == "managed" {
			return true
		}
	}
	return false
}

// output reads one output; false where there is none.
func (s tfState) output(name string, into any) (bool, error) {
	o, ok := s.Outputs[name]
	if !ok {
		return false, nil
	}
	if err := json.Unmarshal(o.Value, into); err != nil {
		return false, fmt.Errorf("cannot read terraform's output %s: %w", name, err)
	}
	return true, nil
}
