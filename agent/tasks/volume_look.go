package tasks

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/internal/kind"
	"icm/internal/wire"
)

// volumeFound is everything a look at a volume found out.
type volumeFound struct {
	Case    volumeCase
	Action  volumeAction
	Device  host.Device
	Content host.Content
	// Grow is how many bytes the device is larger than our file system.
	Grow int64
	// Why says, for a refusal, what exactly stands in the way; Hint what to do.
	Why, Hint string
}

// growFrom is the least difference between device and file system that is
// worth growing for: mkfs leaves a rest at the end when it is too small for an
// allocation group.
const growFrom = 64 << 20

// formatNote is recorded before a device is formatted and again afterwards.
type formatNote struct {
	Identity string `json:"identity"`
	UUID     string `json:"uuid"`
}

const (
	noteFormat    = "format"    // mkfs is about to begin
	noteFormatted = "formatted" // mkfs has ended well
)

// findVolume looks at everything and decides. It changes nothing.
func (d Deps) findVolume(ctx context.Context, t *engine.Task, v kind.Volume) (volumeFound, error) {
	var f volumeFound
	if err := checkVolume(v); err != nil {
		return f, err
	}
	err := d.classify(ctx, t, v, &f)
	f.Action = decideVolume(f.Case, v.Wipe)
	return f, err
}

func (d Deps) classify(ctx context.Context, t *engine.Task, v kind.Volume, f *volumeFound) error {
	if v.Device == "null" {
		f.Case = caseDirectory
		return d.classifyDirectory(v, f)
	}
	dev, err := d.Blocks.Find(v.Device)
	if errors.Is(err, host.ErrNoDevice) {
		f.set(caseMissing, err.Error(), "check the device's name, and that it is attached")
		return nil
	}
	if err != nil {
		return err
	}
	f.Device = dev
	if t.Bind != "" && !bound(t.Bind, dev) {
		f.set(caseMoved, fmt.Sprintf("%s is now %s, planned was %s", v.Device, dev.Identity(), t.Bind), "name the device by disk/by-id, and plan again")
		return nil
	}
	if dev.Size == 0 || dev.ReadOnly {
		f.set(caseReadOnly, dev.Path+" is read-only or has no size", "")
		return nil
	}
	return d.classifyContent(ctx, t, v, f)
}

func (d Deps) classifyContent(ctx context.Context, t *engine.Task, v kind.Volume, f *volumeFound) error {
	use, err := d.Blocks.UseOf(f.Device)
	if err != nil {
		return err
	}
	if use.Why != "" {
		f.set(caseInUse, fmt.Sprintf("%s must not be touched: %s", f.Device.Path, use.Why), "name another device")
		return nil
	}
	f.Content, err = d.Blocks.ContentOf(ctx, f.Device, func(done, total int64) {
		t.Progress(done, total, "bytes", "reading "+f.Device.Path)
	})
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		f.set(caseUnreadable, err.Error(), "")
		return nil
	}
	if err := d.classifySigned(ctx, t, v, use, f); err != nil {
		return err
	}
	if blocked, err := d.pointBlocked(v, f); err != nil || blocked != "" {
		f.set(casePoint, blocked, "empty the directory, or choose another mount point")
		return err
	}
	if decideVolume(f.Case, v.Wipe) == actFormat || decideVolume(f.Case, v.Wipe) == actErase {
		return f.checkWritable(t)
	}
	return nil
}

// classifySigned sorts by content.
func (d Deps) classifySigned(ctx context.Context, t *engine.Task, v kind.Volume, use host.Use, f *volumeFound) error {
	c := f.Content
	ours := c.Label == v.Label && c.UUID == v.UUID && c.Type == v.FileSystem
	half, err := halfMade(ctx, t, v, f)
	if err != nil {
		return err
	}
	switch {
	case len(use.Points) > 0 && ours && use.Points[0] == v.MountPoint && len(use.Points) == 1:
		f.Case = caseInPlace
	case len(use.Points) > 0:
		f.set(caseMounted, fmt.Sprintf("%s holds %s and is mounted at %s", f.Device.Path, c, strings.Join(use.Points, ", ")), "unmount it, or name another device")
	case half:
		f.Case = caseHalfMade
	case ours:
		f.Case = caseOurs
	case c.Blank():
		f.Case = caseBlank
	case c.Label == v.Label:
		f.refuseContent(caseLabelOnly, v)
	case c.Type != "" || c.Table != "" || c.Several:
		f.refuseContent(caseForeign, v)
	case c.Backup != "":
		f.refuseContent(caseSpareCopy, v)
	default:
		f.refuseContent(caseUnknown, v)
	}
	if f.Case == caseInPlace {
		if c.FSSize, err = host.MountedSize(v.MountPoint, v.FileSystem, c.FSSize); err != nil {
			return err
		}
		f.Content.FSSize = c.FSSize
	}
	if ours && !half && c.FSSize > 0 && f.Device.Size-c.FSSize >= growFrom {
		f.Grow = f.Device.Size - c.FSSize
	}
	return nil
}

// halfMade tells a file system that this task was making when it died from
// somebody else's data: the journal says that it began on this very device,
// and there is nothing but bare bytes or our own UUID. One that has our UUID
// and is whole was finished, and is kept.
func halfMade(ctx context.Context, t *engine.Task, v kind.Volume, f *volumeFound) (bool, error) {
	var begun, ended formatNote
	wasBegun, err := t.Load(noteFormat, &begun)
	if err != nil || !wasBegun {
		return false, err
	}
	wasEnded, err := t.Load(noteFormatted, &ended)
	if err != nil || wasEnded {
		return false, err
	}
	c := f.Content
	if begun.Identity != f.Device.Identity() || begun.UUID != v.UUID || c.Blank() {
		return false, nil
	}
	if c.Type == "" {
		return c.Table == "" && !c.Several, nil
	}
	if c.UUID != v.UUID {
		return false, nil
	}
	if c.Label != v.Label || c.Type != v.FileSystem {
		return true, nil
	}
	_, err = fileSystem(v).Verify(f.Device.Path).Run(ctx)
	if ctx.Err() != nil {
		return false, err
	}
	return err != nil, nil
}

// checkWritable makes sure of what cannot be seen in /proc and /sys, such as a
// mount in another namespace, and that a consent is for what the plan showed.
func (f *volumeFound) checkWritable(t *engine.Task) error {
	if consented := f.Case != caseHalfMade && f.Case != caseBlank; consented && t.Bind != "" && t.Bind != f.bind() {
		f.set(caseMoved, fmt.Sprintf("%s holds %s, planned was %s", f.Device.Path, f.Content, t.Bind), "plan again")
		return nil
	}
	x, err := host.OpenExclusive(f.Device.Path)
	if errors.Is(err, host.ErrBusy) {
		f.set(caseInUse, err.Error(), "name another device")
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot open %s: %v", f.Device.Path, err)
	}
	return x.Close()
}

func (f *volumeFound) set(c volumeCase, why, hint string) { f.Case, f.Why, f.Hint = c, why, hint }

func (f *volumeFound) refuseContent(c volumeCase, v kind.Volume) {
	f.set(c, fmt.Sprintf("%s (%s) holds %s", v.Device, f.Device.Path, f.Content),
		"name another device, or give -wipe NODE:"+v.Device+" to destroy what it holds")
}

// bind is the identity, and for a device that is to be erased also what it
// holds, because the consent was given to that.
func (f *volumeFound) bind() string {
	switch f.Case {
	case caseLabelOnly, caseForeign, caseSpareCopy, caseUnknown:
		return f.Device.Identity() + bindHolds + f.Content.String()
	}
	return f.Device.Identity()
}

const bindHolds = "; holds "

// bound reports whether a device is the one that the plan was made for.
func bound(bind string, d host.Device) bool {
	identity, _, _ := strings.Cut(bind, bindHolds)
	return identity == d.Identity()
}

func fileSystem(v kind.Volume) host.FileSystem {
	return host.FileSystem{Type: v.FileSystem, Label: v.Label, UUID: v.UUID}
}

// look says it in the words of the plan.
func (f *volumeFound) look(v kind.Volume, unitMatches bool) wire.Look {
	l := wire.Look{Refused: "", Bind: ""}
	if f.Device.Name != "" {
		l.Bind = f.bind()
	}
	diff := func(what, before, after string) {
		l.Diffs = append(l.Diffs, wire.Diff{What: what, Before: before, After: after})
	}
	made := fmt.Sprintf("%s %q", v.FileSystem, v.Label)
	switch f.Action {
	case actRefuse:
		return wire.Look{Refused: f.Why, Hint: f.Hint}
	case actDirectory:
		diff(v.MountPoint, "", "a plain directory")
	case actFormat:
		diff(f.Device.Path, "blank", made)
	case actErase:
		diff(f.Device.Path, f.Content.String(), "DESTROYED, then "+made)
	case actMount:
		diff(v.MountPoint, "not mounted", made)
	case actKeep:
		if !unitMatches {
			diff(v.MountPoint, "mounted, but not at every boot", "mounted at every boot")
		}
	}
	if f.Grow > 0 {
		diff(f.Device.Path, fmt.Sprintf("file system of %d bytes", f.Content.FSSize), fmt.Sprintf("grown to %d bytes", f.Device.Size))
	}
	l.Satisfied = len(l.Diffs) == 0
	return l
}
