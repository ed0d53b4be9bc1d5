package main

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed apache/csp_module.c
var moduleSource []byte

// errNoApache means that this machine cannot build Apache modules.
var errNoApache = errors.New("apxs and gcc are needed (scripts/deps installs apache2-dev)")

// compileModule builds the Apache module of the gateway kits. It is compiled
// from standard input, so that no path of this machine gets into it.
func compileModule() ([]byte, error) {
	apxs, err := exec.LookPath("apxs")
	if err != nil {
		return nil, errNoApache
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		return nil, errNoApache
	}
	dir, err := os.MkdirTemp("", "standin-module")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	target := filepath.Join(dir, "CSPa24.so")
	args := []string{"-shared", "-fPIC", "-O2", "-s", "-Wall", "-Werror", "-Wl,--build-id=none", "-o", target}
	for _, name := range []string{"INCLUDEDIR", "APR_INCLUDEDIR", "APU_INCLUDEDIR"} {
		dir, err := exec.Command(apxs, "-q", name).Output()
		if err != nil {
			return nil, fmt.Errorf("cannot ask apxs for %s: %w", name, err)
		}
		args = append(args, "-I"+strings.TrimSpace(string(dir)))
	}
	flags, err := exec.Command(apxs, "-q", "EXTRA_CPPFLAGS").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot ask apxs for flags: %w", err)
	}
	args = append(append(args, strings.Fields(string(flags))...), "-x", "c", "-")
	cmd := exec.Command("gcc", args...)
	cmd.Stdin = bytes.NewReader(moduleSource)
	if problems, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot compile the Apache module: %w\n%s", err, problems)
	}
	return os.ReadFile(target)
}

// gatewayFiles are what a Web Gateway kit has besides the common files.
func gatewayFiles(platform string, program, module []byte) map[string]entry {
	script := "#!/bin/sh\n" + here + "exec \"$here/../dist/bin/standin\" gatewayinstall \"$here/..\" \"$@\"\n"
	return map[string]entry{
		"install/GatewayInstall":              {0o755, []byte(script)},
		"install/cplatname":                   {0o755, []byte(cplatname(platform))},
		"install/buildver":                    {0o644, []byte("stand-in\n")},
		platform + "/bin/CSPa24.so":           {0o755, module},
		platform + "/bin/CSPa24Sys.so":        {0o755, module},
		platform + "/bin/shared/cvtcfg":       {0o755, []byte("#!/bin/sh\nexit 0\n")},
		"LICENSE":                             {0o644, []byte("Stand-in for tests; not a product of InterSystems.\n")},
		"package/gateway/manifest.isc":        {0o644, []byte("package: gateway\n")},
		"package/gateway_apache/manifest.isc": {0o644, []byte("package: gateway_apache\nprerequisite: gateway\n")},
	}
}
