package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// takeDownLimit bounds the removal of one site.
const takeDownLimit = 2 * time.Minute

// settings are what the bench was told.
type settings struct {
	top, out, bin, only string
	light, lab          int
}

func (s settings) agent() string { return filepath.Join(s.bin, "icm-agent-linux-"+runtime.GOARCH) }

// packed is the agent as it is sent.
func (s settings) packed() string {
	return filepath.Join(s.top, "controller/agentbin/files/icm-agent-linux-"+runtime.GOARCH+".gz")
}

// sizes are the numbers of light nodes that are measured.
func (s settings) sizes() []int {
	var out []int
	for _, n := range []int{16, 64, 200} {
		if n <= s.light {
			out = append(out, n)
		}
	}
	return out
}

func (s settings) wants(name string) bool {
	ok, err := regexp.MatchString(s.only, name)
	return err == nil && ok
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s bench: %s\n", time.Now().Format("15:04:05"), fmt.Sprintf(format, args...))
}

// bench is a run: the sections so far and where its files are.
type bench struct {
	settings
	dir      string
	sections []*section
	resting  []agentSample // agents of the first site when they were left in peace
	failed   error
}

// benchAll measures everything and writes the page. What could not be measured
// stands in the page, and is an error at the end.
func benchAll(ctx context.Context, s settings) (err error) {
	about := machine()
	dir, err := os.MkdirTemp("", "icm-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b := &bench{settings: s, dir: dir}
	versions, err := peers(ctx)
	if err != nil {
		return err
	}
	restore, err := moreInotify()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, restore()) }()
	// The first site makes the root file system that light nodes use too. Its
	// agents then rest until everything else is measured.
	others := func() {
		b.onLab(ctx, "MANY", fmt.Sprintf(`[{"Role": "DM"}, {"Role": "AM", "Count": %d}]`, s.lab-1), b.manyNodes)
		b.onFarm(ctx)
		b.add(ctx, "The engine, nothing to do", engine)
	}
	if !s.wants("MAIN") {
		others()
	}
	b.onLab(ctx, "MAIN", `[{"Role": "DM"}, {"Role": "AM", "Count": 2}]`, func(ctx context.Context, l *labSite) {
		b.mainJob(ctx, l)
		others()
		b.add(ctx, "The agent", func(ctx context.Context, s settings, sec *section) error {
			return agentAtRest(ctx, s, l, b.resting, sec)
		})
	})
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), b.failed)
	}
	b.sections = append(b.sections, untestedSection())
	return errors.Join(write(s.out, append(about, versions), b.sections), b.failed)
}

// add measures one section, and reports whether those that build on it can be
// measured too.
func (b *bench) add(ctx context.Context, title string, f func(context.Context, settings, *section) error) bool {
	if !b.wants(title) || ctx.Err() != nil {
		return ctx.Err() == nil
	}
	say("%s", title)
	sec := &section{title: title}
	sec.err = f(ctx, b.settings, sec)
	b.sections = append(b.sections, sec)
	if sec.err != nil {
		say("%s: %v", title, sec.err)
		b.failed = errors.Join(b.failed, fmt.Errorf("%s: %w", title, sec.err))
	}
	return sec.err == nil
}

// onLab makes a site, has it measured, and takes it down.
func (b *bench) onLab(ctx context.Context, tag, definitions string, f func(context.Context, *labSite)) {
	if !b.wants(tag) || ctx.Err() != nil {
		return
	}
	say("site %s", tag)
	l, err := newLabSite(b.settings, b.dir, tag, definitions)
	if err == nil {
		f(ctx, l)
		err = l.takeDown()
	}
	b.failed = errors.Join(b.failed, err)
}

// onFarm makes the light nodes, has them measured, and takes them down.
func (b *bench) onFarm(ctx context.Context) {
	if !b.wants("LIGHT") || ctx.Err() != nil {
		return
	}
	dir := filepath.Join(b.dir, "light")
	err := os.Mkdir(dir, 0o700)
	if err != nil {
		b.failed = errors.Join(b.failed, err)
		return
	}
	image, err := labImage()
	if err == nil {
		var f *farm
		say("%d light nodes", b.light)
		f, err = startFarm(ctx, dir, image, b.agent(), b.light)
		if err == nil {
			err = b.lightNodes(ctx, f)
		}
		err = errors.Join(err, f.stop())
	}
	b.failed = errors.Join(b.failed, err)
}

// holdFarm makes light nodes for whoever wants to look closer at something.
func holdFarm(ctx context.Context, s settings) (err error) {
	dir, err := os.MkdirTemp("", "icm-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	image, err := labImage()
	if err != nil {
		return err
	}
	f, err := startFarm(ctx, dir, image, s.agent(), s.light)
	defer func() { err = errors.Join(err, f.stop()) }()
	if err != nil {
		return err
	}
	if _, err := newFanout(s, f); err != nil {
		return err
	}
	if err := f.startAgents(len(f.nodes)); err != nil {
		return err
	}
	fmt.Println(dir)
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// imageCache is where provider Lab keeps its root file systems.
const imageCache = "/var/cache/icm/lab"

func labImage() (string, error) {
	found, err := filepath.Glob(filepath.Join(imageCache, "debian-*"))
	if err != nil || len(found) == 0 {
		return "", fmt.Errorf("there is no root file system in %s; a site of the lab makes one", imageCache)
	}
	return found[len(found)-1], nil
}

// peers tells the versions of what is measured beside icm.
func peers(ctx context.Context) (string, error) {
	var out []string
	for _, line := range [][]string{{"clush", "--version"}, {"ansible", "--version"}, {"ssh", "-V"}} {
		text, err := exec.CommandContext(ctx, line[0], line[1:]...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%s is missing, BENCH=1 scripts/deps installs it: %w", line[0], err)
		}
		first, _, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
		out = append(out, first)
	}
	return "Peers: " + strings.Join(out, "; "), nil
}

// agentBuild asks an agent which build it is.
func agentBuild(path string) (string, error) {
	out, err := exec.Command(path, "version").Output()
	if err != nil {
		return "", fmt.Errorf("cannot ask %s for its build: %w", path, err)
	}
	build, _, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	return build, nil
}

// inotifyInstances are enough for the systemds of all lab nodes: they share
// one user, and the kernel's usual 128 are used up by about twenty nodes.
const inotifyInstances = 1024

const inotifyFile = "/proc/sys/fs/inotify/max_user_instances"

// moreInotify raises a limit of this machine, and returns what lowers it again.
func moreInotify() (restore func() error, err error) {
	before, err := readNumber(inotifyFile)
	if err != nil || before >= inotifyInstances {
		return func() error { return nil }, err
	}
	set := func(n int64) error { return os.WriteFile(inotifyFile, []byte(fmt.Sprint(n)), 0) }
	return func() error { return set(before) }, set(inotifyInstances)
}
