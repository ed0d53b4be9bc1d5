// Command mkkits builds the stand-in kits: tarballs named and laid out as
// real ones. Two runs on the same sources give the same bytes.
package main

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"icm/labkit/internal/release"
)

type kit struct {
	product string // IRIS, ISCAgent or WebGateway
	rel     release.Release
}

func (k kit) name() string { return k.product + "-" + k.rel.Version + "-" + k.rel.Platform }

func main() {
	out := flag.String("o", "kits", "`directory` for the tarballs")
	pad := flag.Int("pad", 0, "add `MiB` of incompressible padding to each IRIS kit")
	variant := flag.String("variant", "", "build only this faulty `variant`: broken-upgrade, broken-install, truncated or wrong-platform")
	versions := flag.String("versions", strings.Join(eras, ","), "build kits of these `versions`, five numbers each")
	flag.Parse()
	if err := build(*out, *pad, *variant, strings.Split(*versions, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "mkkits:", err)
		os.Exit(1)
	}
}

const (
	oldPlatform = "lnxrhx64"
	newPlatform = "lnxubuntu2204x64"
)

// eras are three, with successors to upgrade to.
var eras = []string{"2018.2.0.792.0", "2018.2.1.417.0", "2023.1.0.235.1", "2023.1.1.380.0", "2025.1.0.223.0"}

// sound are the kits of these versions. Before 2020 kits had another name for
// the platform, and the stand-in has no Web Gateway of their time.
func sound(versions []string) []kit {
	var out []kit
	for _, v := range versions {
		platform, old := newPlatform, release.Numbers(v)[0] < 2020
		if old {
			platform = oldPlatform
		}
		out = append(out, kit{"IRIS", release.Release{Version: v, Platform: platform}}, kit{"ISCAgent", release.Release{Version: v, Platform: platform}})
		if !old {
			out = append(out, kit{"WebGateway", release.Release{Version: v, Platform: platform}})
		}
	}
	return out
}

func build(out string, pad int, variant string, versions []string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	program, err := compile(filepath.Join(out, "standin"))
	if err != nil {
		return err
	}
	kits := sound(versions)
	var module []byte
	if variant == "" {
		if module, err = compileModule(); errors.Is(err, errNoApache) {
			fmt.Fprintln(os.Stderr, "mkkits: no WebGateway kits are built:", err)
			kits = slices.DeleteFunc(kits, func(k kit) bool { return k.product == "WebGateway" })
		} else if err != nil {
			return err
		}
	}
	switch variant {
	case "":
	case "broken-upgrade", "broken-install", "truncated":
		kits = []kit{{"IRIS", release.Release{Version: "2023.1.1.380.0", Platform: newPlatform, Variant: variant}}}
	case "wrong-platform":
		kits = []kit{{"IRIS", release.Release{Version: "2023.1.1.380.0", Platform: "lnxrh9arm64"}}}
	default:
		return fmt.Errorf("cannot build variant %q: it is not known", variant)
	}
	for _, k := range kits {
		path := filepath.Join(out, k.name()+".tar.gz")
		if err := write(path, k, program, module, pad); err != nil {
			return fmt.Errorf("cannot build %s: %w", k.name(), err)
		}
		if k.rel.Variant == "truncated" {
			st, err := os.Stat(path)
			if err != nil {
				return err
			}
			if err := os.Truncate(path, st.Size()/2); err != nil {
				return err
			}
		}
		fmt.Println(path)
	}
	return nil
}

func compile(path string) ([]byte, error) {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w -buildid=", "-o", path, "icm/labkit/cmd/standin")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("cannot compile the stand-in: %w", err)
	}
	return os.ReadFile(path)
}

type entry struct {
	mode int64
	data []byte
}

func contents(k kit, program, module []byte, pad int) map[string]entry {
	files := map[string]entry{
		"cplatname":        {0o755, []byte(cplatname(k.rel.Platform))},
		"dist/bin/standin": {0o755, program},
		"dist/release":     {0o644, []byte(k.rel.String())},
		"kitlist":          {0o644, []byte(k.product + " " + k.rel.Version + "\n")},
	}
	if k.product == "WebGateway" {
		maps.Copy(files, gatewayFiles(k.rel.Platform, program, module))
		return files
	}
	if k.product == "ISCAgent" {
		files["agentinstall"] = entry{0o755, []byte("#!/bin/sh\n" + here + "exec \"$here/dist/bin/standin\" agentinstall \"$here\"\n")}
		files["package/agent/manifest.isc"] = entry{0o644, []byte("package: agent\n")}
		files["tools/.keep"] = entry{0o644, nil}
		return files
	}
	for name, text := range map[string]string{
		".product": "IRIS\n", "LICENSE": "Stand-in for tests; not a product of InterSystems.\n", "NOTICE": "Stand-in for tests.\n",
		"docs/README": "This is the stand-in kit.\n", "lgpl.txt": "No LGPL software is in the stand-in.\n", "tools/.keep": "",
		"dist/standin.conf":                         faults(k.rel.Variant),
		"package/standard_install/manifest.isc":     "package: standard_install\nprerequisite: install_mode\nprerequisite: database_server\nprerequisite: databases\nprerequisite: install_confirmation\n",
		"package/database_server/manifest.isc":      "package: database_server\n",
		"package/databases/manifest.isc":            "package: databases\n",
		"package/install_mode/manifest.isc":         "package: install_mode\n",
		"package/install_confirmation/manifest.isc": "package: install_confirmation\n",
	} {
		files[name] = entry{0o644, []byte(text)}
	}
	files["irisinstall_silent"] = entry{0o755, []byte("#!/bin/sh\n" + here + "exec \"$here/dist/bin/standin\" install \"$here\"\n")}
	files["irisinstall"] = entry{0o755, []byte("#!/bin/sh\n" + here + "[ \"$1\" = --prechecker ] && exec sh \"$here/dist/prechecker\"\necho 'Use irisinstall_silent: the stand-in has no attended installation.'\nexit 1\n")}
	files["irisinstall_client"] = entry{0o755, []byte("#!/bin/sh\necho 'The stand-in has no client-only installation.'\nexit 1\n")}
	files["dist/prechecker"] = entry{0o755, []byte(prechecker(k.rel.Platform))}
	files["dist/waitISC.sh"] = entry{0o755, []byte(waitScript)}
	if pad > 0 {
		data := make([]byte, pad<<20)
		rand.New(rand.NewSource(1)).Read(data)
		files["dist/padding"] = entry{0o644, data}
	}
	return files
}

func write(path string, k kit, program, module []byte, pad int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	zip, err := gzip.NewWriterLevel(f, gzip.BestSpeed)
	if err != nil {
		return err
	}
	err = pack(tar.NewWriter(zip), k.name(), contents(k, program, module, pad))
	if closeErr := zip.Close(); err == nil {
		err = closeErr
	}
	return err
}

// pack writes files in order, owned by root, dated the same.
func pack(w *tar.Writer, top string, files map[string]entry) error {
	dirs := map[string]bool{}
	var names []string
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	date := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, name := range names {
		var parents []string
		for d := filepath.Dir(filepath.Join(top, name)); d != "." && !dirs[d]; d = filepath.Dir(d) {
			parents, dirs[d] = append([]string{d}, parents...), true
		}
		for _, d := range parents {
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: d + "/", Mode: 0o755, ModTime: date, Uname: "root", Gname: "root"}); err != nil {
				return err
			}
		}
		e := files[name]
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: filepath.Join(top, name), Mode: e.mode, Size: int64(len(e.data)), ModTime: date, Uname: "root", Gname: "root"}); err != nil {
			return err
		}
		if _, err := io.Copy(w, strings.NewReader(string(e.data))); err != nil {
			return err
		}
	}
	return w.Close()
}
