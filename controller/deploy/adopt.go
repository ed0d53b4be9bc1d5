package deploy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"icm/controller/state"
	"icm/internal/hint"
	"icm/internal/wire"
)

// AdoptOptions say which nodes are taken in, and what they are to be called.
type AdoptOptions struct {
	// Nodes are "host" or "host:port".
	Nodes []string
	// From is an instances file of ICM's containerless mode, in place of
	// Nodes, Label and Tag.
	From string
	// User and KeyFile are for SSH. The public key lies beside the private
	// one, with .pub.
	User, KeyFile string
	// Label and Tag make the machine names.
	Label, Tag string
	// Instance is the name of the instance, "" for the only one of each node.
	Instance string
	// Namespace is that of the application, "" for USER.
	Namespace string
}

// Adopted is what `icm adopt` made.
type Adopted struct {
	Nodes    []InventoryRow
	StateDir string
}

// stray is a node that may be adopted, and what was found on it.
type stray struct {
	at   Address
	name string // of the machine in ICM's instances file, "" without one
	node Node

	facts wire.Facts
	found wire.Surveyed // the instance that is meant
	role  string
	machine
}

// Adopt takes nodes in that have IRIS already: it reads how they were set up,
// writes the two files that describe them, and records them. Besides the agent
// that answers, nothing on the nodes is changed, and where they are not taken in
// the agent goes again.
func (j *Job) Adopt(ctx context.Context, o AdoptOptions) (*Adopted, error) {
	if err := j.nothingThere(); err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(j.Dir, ".icm-adopt-")
	if err != nil {
		return nil, fmt.Errorf("cannot make a directory for what is found: %w", err)
	}
	defer os.RemoveAll(path) //nolint:errcheck // it holds nothing that is needed
	scratch, err := state.CreateAt(filepath.Join(path, "seen"), "seen", j.World.Now())
	if err != nil {
		return nil, err
	}
	strays, err := j.strays(&o, scratch)
	if err != nil {
		return nil, err
	}
	err = untouched(ctx, j.survey(ctx, strays, o.Instance))
	defer closeStrays(strays)
	if err == nil {
		err = judge(strays, o)
	}
	var res *Adopted
	if err == nil {
		res, err = j.takeIn(ctx, strays, o, scratch)
	}
	if err != nil {
		return nil, errors.Join(err, j.letBe(ctx, strays))
	}
	return res, nil
}

// nothingThere refuses to write over the files of a deployment.
func (j *Job) nothingThere() error {
	for _, path := range []string{j.Files.Defaults, j.Files.Definitions, j.Files.Instances} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return refuse(fmt.Sprintf("%s is there: it is not written over", j.short(path)), "adopt in an empty directory; ICM's own instances file is given with -from FILE")
		}
	}
	return nil
}

// survey connects to the nodes and reads how they were set up.
func (j *Job) survey(ctx context.Context, strays []*stray, instance string) error {
	names := make([]string, len(strays))
	for i, s := range strays {
		names[i] = s.at.Machine
	}
	return forEach(ctx, names, j.Parallel, func(ctx context.Context, i int, _ string) error {
		return j.surveyOne(ctx, strays[i], instance)
	})
}

func (j *Job) surveyOne(ctx context.Context, s *stray, instance string) error {
	var err error
	if s.node, err = j.World.Connect(ctx, s.at); err != nil {
		return err
	}
	if err := ask(ctx, s.node, wire.MethodFacts, wire.FactsRequest{}, &s.facts); err != nil {
		return fromAgent(err)
	}
	if s.facts.Deployment != "" {
		return hint.New(fmt.Errorf("belongs to the deployment %s already", s.facts.Deployment), "go on in the directory of that deployment; icm recover makes it again where it is lost")
	}
	var reply wire.SurveyReply
	if err := ask(ctx, s.node, wire.MethodSurvey, wire.SurveyRequest{}, &reply); err != nil {
		return fromAgent(err)
	}
	s.found, err = choose(reply.Instances, instance)
	return err
}

func closeStrays(strays []*stray) {
	for _, s := range strays {
		if s.node != nil {
			_ = s.node.Close() // a connection that is not needed any more
		}
	}
}

// letBe takes the agent off nodes again that are not taken in. One that belongs
// to somebody keeps it. It is done also when the operator has cancelled.
func (j *Job) letBe(ctx context.Context, strays []*stray) error {
	ctx = context.WithoutCancel(ctx)
	var all sync.WaitGroup
	errs := make([]error, len(strays))
	for i, s := range strays {
		if s.node == nil || s.facts.Build == "" || s.facts.Deployment != "" {
			continue
		}
		all.Go(func() {
			if err := j.World.RemoveAgent(ctx, s.node); err != nil {
				errs[i] = &NodeError{s.at.Machine, err}
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// takeIn writes the files and records the nodes. What was begun is removed when
// it cannot be ended.
func (j *Job) takeIn(ctx context.Context, strays []*stray, o AdoptOptions, scratch *state.Dir) (_ *Adopted, err error) {
	begun := []string{j.Files.Defaults, j.Files.Definitions, j.Files.Instances}
	var dir *state.Dir
	defer func() {
		if err == nil {
			return
		}
		for _, path := range begun {
			if rm := os.Remove(path); rm != nil && !errors.Is(rm, fs.ErrNotExist) {
				err = errors.Join(err, rm)
			}
		}
		if dir != nil {
			err = errors.Join(err, dir.Remove())
		}
	}()
	if err := j.describe(strays, o); err != nil {
		return nil, err
	}
	in, err := j.read()
	if err != nil {
		return nil, err
	}
	if j.Files.StateDir != "" {
		dir, err = state.CreateAt(j.Files.StateDir, filepath.Base(j.Files.StateDir), j.World.Now())
	} else {
		dir, err = state.Create(j.Dir, j.World.Now())
	}
	if err != nil {
		return nil, err
	}
	lock, err := dir.Lock("icm adopt", j.World.Now())
	if err != nil {
		return nil, err
	}
	defer lock.Unlock() //nolint:errcheck // nobody else knows of it yet
	if _, err := j.makeNodes(ctx, in, dir, false); err != nil {
		return nil, err
	}
	for _, s := range strays {
		if err := repin(scratch, s.at, dir, s.machine.String()); err != nil {
			return nil, err
		}
	}
	return j.claim(ctx, strays, dir, lock)
}

// claim tells the nodes whose they are now.
func (j *Job) claim(ctx context.Context, strays []*stray, dir *state.Dir, lock *state.Lock) (*Adopted, error) {
	all := *j
	all.Select, all.Files.StateDir = Selection{}, dir.Path
	s, err := all.site(VerbProvision)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(strays))
	for i, x := range strays {
		names[i] = x.machine.String()
	}
	err = forEach(ctx, names, j.Parallel, func(ctx context.Context, i int, name string) error {
		m := j.membership(s, *state.FindInstance(s.all, name))
		return fromAgent(ask(ctx, strays[i].node, wire.MethodRemember, wire.RememberRequest{Fence: lock.Fence(), Membership: m}, &wire.RememberReply{}))
	})
	if err != nil {
		for i := range strays { // some may have heard it
			err = errors.Join(err, j.disclaim(ctx, strays[i].node, lock.Fence()))
		}
		return nil, err
	}
	return &Adopted{Nodes: inventoryRows(s.all), StateDir: j.short(dir.Path)}, nil
}

// disclaim takes a claim back; a node that never heard of it is fine.
func (j *Job) disclaim(ctx context.Context, n Node, fence wire.Fence) error {
	err := n.Call(context.WithoutCancel(ctx), wire.MethodRelease, wire.ReleaseRequest{Fence: fence}, &wire.ReleaseReply{})
	var we *wire.Error
	if errors.As(err, &we) {
		return nil
	}
	return err
}
