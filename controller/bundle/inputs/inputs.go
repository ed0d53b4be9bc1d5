// Package inputs gathers what goes into a bundle: it knows where each kind of
// file belongs, and what its name and content tell of version and platform.
package inputs

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"icm/controller/agentbin"
	"icm/controller/bundle"
	"icm/docs"
	"icm/internal/hint"
	"icm/internal/kitname"
)

// Wanted names files and directories on this machine.
type Wanted struct {
	// Programs are directories with icm, icm-provider-* and providers.sha256, one
	// for each platform of a controller.
	Programs []string
	Agents   *agentbin.Source // nil for none
	Kits     []string         // of IRIS, ISCAgent and Web Gateway
	Licenses []string
	Packages []string // of Docker, for the nodes
	Images   []string // of containers, as tar files
	// Terraform are the program and what belongs to it; Mirrors directories that
	// terraform providers mirror made.
	Terraform, Mirrors []string
	Others             []string
	Build              string // of this icm
}

// All makes inputs of everything.
func (w Wanted) All() ([]bundle.Input, error) {
	g := gatherer{build: w.Build}
	for _, dir := range w.Programs {
		g.programs(dir)
	}
	g.agents(w.Agents)
	for _, f := range w.Kits {
		g.kit(f)
	}
	for _, list := range []struct {
		files     []string
		dir, kind string
	}{
		{w.Licenses, "licenses", bundle.KindLicense},
		{w.Packages, "packages", bundle.KindPackage},
		{w.Images, "images", bundle.KindImage},
		{w.Terraform, "terraform", bundle.KindTerraform},
		{w.Others, "files", bundle.KindOther},
	} {
		for _, f := range list.files {
			g.file(f, bundle.File{Path: list.dir + "/" + filepath.Base(f), Kind: list.kind})
		}
	}
	for _, dir := range w.Mirrors {
		g.tree(dir, "terraform/mirror", bundle.KindTerraform)
	}
	g.docs()
	return g.out, errors.Join(g.errs...)
}

// gatherer collects inputs, and everything that is wrong with them.
type gatherer struct {
	build string
	out   []bundle.Input
	errs  []error
}

func (g *gatherer) fail(err error) { g.errs = append(g.errs, err) }

func (g *gatherer) add(f bundle.File, open func() (io.ReadCloser, error)) {
	g.out = append(g.out, bundle.Input{File: f, Open: open})
}

// file adds a file of this machine. Whether it is executable, it says itself.
func (g *gatherer) file(name string, f bundle.File) {
	st, err := os.Stat(name)
	switch {
	case err != nil:
		g.fail(fmt.Errorf("cannot take %s: %w", name, errors.Unwrap(err)))
		return
	case !st.Mode().IsRegular():
		g.fail(fmt.Errorf("cannot take %s: it is not a file", name))
		return
	}
	f.Executable = st.Mode()&0o100 != 0
	g.add(f, func() (io.ReadCloser, error) { return os.Open(name) })
}

// programs adds icm and its providers for one platform.
func (g *gatherer) programs(dir string) {
	platform, err := platformOf(filepath.Join(dir, "icm"))
	if err != nil {
		g.fail(hint.New(fmt.Errorf("cannot take icm from %s: %w", dir, err), "-bin names a directory that make build made"))
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		g.fail(err)
		return
	}
	for _, e := range entries {
		kind := bundle.KindProvider
		switch name := e.Name(); {
		case name == "icm":
			kind = bundle.KindIcm
		case name == "providers.sha256":
		case !strings.HasPrefix(name, "icm-provider-"):
			continue
		}
		g.file(filepath.Join(dir, e.Name()), bundle.File{Path: "bin/" + platform + "/" + e.Name(), Kind: kind, Platform: platform, Version: g.build})
	}
}

// platformOf reads which system and processor a program is for.
func platformOf(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if e, err := elf.NewFile(f); err == nil {
		if arch := map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[e.Machine]; arch != "" {
			return "linux-" + arch, nil
		}
	}
	if m, err := macho.NewFile(f); err == nil {
		if arch := map[macho.Cpu]string{macho.CpuAmd64: "amd64", macho.CpuArm64: "arm64"}[m.Cpu]; arch != "" {
			return "darwin-" + arch, nil
		}
	}
	return "", fmt.Errorf("%s is no program that this icm knows", name)
}

func (g *gatherer) agents(src *agentbin.Source) {
	if src == nil {
		return
	}
	for _, arch := range []string{"amd64", "arm64"} {
		a, err := src.For(arch)
		if errors.Is(err, agentbin.ErrArch) {
			continue
		}
		if err != nil {
			g.fail(err)
			return
		}
		g.add(bundle.File{Path: "agents/" + agentbin.FileName(arch), Kind: bundle.KindAgent, Version: a.Build, Platform: "linux-" + arch},
			func() (io.ReadCloser, error) { r, _, err := a.Open(); return io.NopCloser(r), err })
	}
}

// kit adds a kit under its own name, which tells what it is.
func (g *gatherer) kit(name string) {
	k, err := kitname.Parse(filepath.Base(name))
	if err != nil {
		g.fail(err)
		return
	}
	kind := bundle.KindKit
	switch {
	case strings.HasPrefix(k.Product, "ISCAgent"):
		kind = bundle.KindISCAgent
	case strings.HasPrefix(k.Product, "WebGateway"):
		kind = bundle.KindWebGateway
	}
	g.file(name, bundle.File{Path: "kits/" + k.Name, Kind: kind, Version: k.Version, Platform: k.Platform})
}

// tree adds a directory. A link in it is refused: it may lead anywhere.
func (g *gatherer) tree(dir, to, kind string) {
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if !e.Type().IsRegular() {
			return fmt.Errorf("cannot take %s: it is not a file", p)
		}
		g.file(p, bundle.File{Path: path.Join(to, filepath.ToSlash(rel)), Kind: kind})
		return nil
	})
	if err != nil {
		g.fail(err)
	}
}

func (g *gatherer) docs() {
	err := fs.WalkDir(docs.Files, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := docs.Files.ReadFile(p)
		g.add(bundle.File{Path: "docs/" + p, Kind: bundle.KindDoc, Version: g.build}, func() (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(data)), nil
		})
		return err
	})
	if err != nil {
		g.fail(err)
	}
}
