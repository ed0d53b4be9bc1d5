package deploy

import (
	"context"

	"icm/controller/state"
)

// Release takes icm off nodes that stay: agent, service, keys and record. An
// instance goes on as it is, and so does everything that it needs. It can be
// run again after any failure.
func (j *Job) Release(ctx context.Context, o UnprovisionOptions) error {
	dir, err := state.Open(j.Files.StateDir)
	if err != nil {
		return err
	}
	in, err := j.read()
	if err != nil {
		return err
	}
	if err := j.belongs(dir); err != nil {
		return err
	}
	if err := j.notMade(ctx, in); err != nil {
		return err
	}
	lock, err := dir.Lock("icm release", j.World.Now())
	if err != nil {
		return err
	}
	defer lock.Unlock() //nolint:errcheck // with CleanUp the lock goes with its directory
	if err := j.Confirm(unprovisionQuestion(in, false) + " Instances go on running."); err != nil {
		return err
	}
	o.running = true
	if err := j.letGo(ctx, dir, lock, o); err != nil {
		return err
	}
	return j.forget(dir, o)
}

// notMade refuses nodes that the provider made: nobody would know of them any
// more, or pay attention to what they cost.
func (j *Job) notMade(ctx context.Context, in plans) error {
	prov, stop, err := j.World.Provider(ctx, in.spec.Provider)
	if err != nil {
		return err
	}
	defer stop() //nolint:errcheck // its calls have returned
	info, err := prov.Info(ctx)
	if err != nil {
		return err
	}
	if info.MakesNodes {
		return refuse("icm made these nodes with "+in.spec.Provider+": it lets go of nodes that were given to it", "icm unprovision -stateDir "+j.short(j.Files.StateDir)+" destroys them")
	}
	return nil
}
