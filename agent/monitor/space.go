package monitor

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"icm/agent/host"
	"icm/agent/iris"
	"icm/internal/wire"
)

// When a file system is too full, and how its growth is reckoned: a sample
// every ten minutes over six hours, from an hour of samples on.
const (
	spaceWarn  = 85 // percent
	spaceAlert = 95
	inodesFree = 5

	sampleEvery = 10 * time.Minute
	maxSamples  = 36
	growFrom    = time.Hour
	fullWithin  = 24 * time.Hour
	fillingFrom = 50 // percent: an emptier one has time
)

// sample is how much of a file system was used, in bytes.
type sample struct {
	At   time.Time `json:"at"`
	Used int64     `json:"used"`
}

// checkSpace looks at every file system that an instance, a volume or the agent
// writes to. What is mounted from other machines may hang, and is left out.
func checkSpace(_ context.Context, v *view) error {
	mounts, err := v.mounts()
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, path := range v.written() {
		m, ok := host.MountOf(mounts, path)
		if !ok || seen[m.Point] || remoteTypes[m.Type] {
			continue
		}
		seen[m.Point] = true
		u, err := v.Usage(v.path(m.Point))
		if err != nil {
			return fmt.Errorf("%s: %w", m.Point, err)
		}
		v.judgeSpace(m.Point, u)
	}
	for point := range v.mem.Samples {
		if !seen[point] {
			delete(v.mem.Samples, point)
		}
	}
	return nil
}

var remoteTypes = map[string]bool{"nfs": true, "nfs4": true, "cifs": true, "smb3": true, "fuse.sshfs": true, "autofs": true, "ceph": true}

// written are the directories of interest.
func (v *view) written() []string {
	paths := []string{"/", "/var", "/tmp", v.Home}
	for key, k := range v.mem.Kept {
		if strings.HasPrefix(key, "volume ") {
			paths = append(paths, volumeOf(k.Task).MountPoint)
		}
	}
	for _, in := range v.instances {
		paths = append(paths, in.Dir)
		if in.DataDir != "" {
			paths = append(paths, in.DataDir)
		}
		if f, err := iris.ReadCPF(in); err == nil { // without it there is less to look at
			for _, s := range [][2]string{{"Journal", "CurrentDirectory"}, {"Journal", "AlternateDirectory"}, {"config", "wijdir"}} {
				if dir, ok := f.Get(s[0], s[1]); ok && filepath.IsAbs(dir) {
					paths = append(paths, filepath.Clean(dir))
				}
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func (v *view) judgeSpace(point string, u Usage) {
	if u.Inodes > 0 && u.InodesFree*100 < u.Inodes*inodesFree {
		v.add(CheckInodes, point, wire.SeverityAlert, fmt.Sprintf("%s has %d of %d inodes free", point, u.InodesFree, u.Inodes), point)
	}
	if u.Size <= 0 {
		return
	}
	used := u.Size - u.Free
	percent := used * 100 / u.Size
	left := v.untilFull(point, used, u.Free)
	switch {
	case percent >= spaceAlert:
		v.add(CheckSpace, point, wire.SeverityAlert, fmt.Sprintf("%s is %d %% full: %s left", point, percent, size(u.Free)), point)
	case percent >= spaceWarn:
		v.add(CheckSpace, point, wire.SeverityWarn, fmt.Sprintf("%s is %d %% full: %s left", point, percent, size(u.Free)), point)
	case percent >= fillingFrom && left > 0 && left < fullWithin:
		v.add(CheckFilling, point, wire.SeverityWarn, fmt.Sprintf("%s is %d %% full, and will be full in %s if it goes on so", point, percent, left.Round(time.Hour/2)), point)
	}
}

// untilFull is when a file system is full at the pace of the last hours, 0 when
// it does not grow or nobody knows.
func (v *view) untilFull(point string, used, free int64) time.Duration {
	s := v.mem.Samples[point]
	if n := len(s); n > 0 && s[n-1].At.After(v.now) {
		s = nil // the clock was set back
	}
	if n := len(s); n == 0 || v.now.Sub(s[n-1].At) >= sampleEvery {
		s = append(slices.Clone(s), sample{v.now, used})
	}
	if over := len(s) - maxSamples; over > 0 {
		s = s[over:]
	}
	v.mem.Samples[point] = s
	grown, took := used-s[0].Used, v.now.Sub(s[0].At)
	if took < growFrom || grown <= 0 {
		return 0
	}
	return time.Duration(float64(took) * float64(free) / float64(grown))
}

// size writes bytes for people.
func size(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}
