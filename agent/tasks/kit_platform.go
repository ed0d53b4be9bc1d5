package tasks

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/internal/hint"
	"icm/internal/kitname"
)

// checkPlatform asks the kit what it calls this system and whether the system
// has what it needs. Afterwards would be too late: the instance is stopped then.
func checkPlatform(ctx context.Context, t *engine.Task, dir string, k kitname.Kit, override string) error {
	asked := "./cplatname"
	if !exists(filepath.Join(dir, "cplatname")) {
		asked = "./install/cplatname" // a Web Gateway kit's
	}
	out, err := host.Command{Path: "/bin/sh", Args: []string{asked, "identify"}, Dir: dir}.Run(ctx)
	if got := strings.TrimSpace(out.Stdout); override == "" && err == nil && got != "" {
		if family(got) != family(k.Platform) {
			return &hint.Error{
				Err:  fmt.Errorf("cannot use kit %s: it is for %s, and calls this system %s", k.Name, k.Platform, got),
				Hint: "set KitURL to a kit for " + got,
			}
		}
	} else if err != nil {
		t.Logf("the kit cannot tell what this system is: %v", err)
	}
	c := host.Command{Path: "/bin/sh", Args: []string{"./irisinstall", "--prechecker"}, Dir: dir}
	if override != "" {
		c.Env = append(c.Env, "ISC_PACKAGE_PLATFORM="+override)
	}
	if !exists(filepath.Join(dir, "irisinstall")) {
		return nil
	}
	out, err = c.Run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if miss := unsatisfied(out.Stdout + "\n" + out.Stderr); miss != "" || err != nil {
		if miss == "" {
			miss = err.Error()
		}
		return &hint.Error{
			Err:  fmt.Errorf("cannot use kit %s: this system does not have what it needs: %s", k.Name, miss),
			Hint: "install the missing package on the node",
		}
	}
	return nil
}

// family is the part of a platform's name that kits and systems must share:
// operating system family and processor, without releases: lnxrh8x64 → lnxrh…x64.
func family(platform string) string {
	cpu := "x64"
	if strings.HasSuffix(platform, "arm64") {
		cpu = "arm64"
	}
	for _, f := range []string{"lnxrh", "lnxubuntu", "lnxsus"} {
		if strings.HasPrefix(platform, f) {
			return f + " " + cpu
		}
	}
	return platform
}

// unsatisfied returns the first requirement that the kit's own check misses.
func unsatisfied(text string) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "not satisfied") || strings.Contains(line, "Requirements Check Failed") {
			return line
		}
	}
	return ""
}
