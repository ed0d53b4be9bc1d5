package inputs

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"

	"icm/controller/bundle"
)

// maxProgram bounds what is read into memory to learn what a program was built
// from, in bytes.
const maxProgram = 256 << 20

// SBOM returns a function that makes the bill of materials of a bundle: its
// files, and the modules that the programs among them were built from.
func SBOM(in []bundle.Input) func(*bundle.Manifest) ([]byte, error) {
	return func(m *bundle.Manifest) ([]byte, error) {
		modules := map[string]cyclonedx.Component{}
		for _, f := range in {
			if err := addModules(f, modules); err != nil {
				return nil, fmt.Errorf("cannot read what %s was built from: %w", f.Path, err)
			}
		}
		list := []cyclonedx.Component{}
		for _, f := range m.Files {
			list = append(list, component(f))
		}
		for _, key := range slices.Sorted(maps.Keys(modules)) {
			list = append(list, modules[key])
		}
		bom := cyclonedx.NewBOM()
		bom.Metadata = &cyclonedx.Metadata{
			Timestamp: m.Issued,
			Component: &cyclonedx.Component{BOMRef: "bundle", Type: cyclonedx.ComponentTypeApplication, Name: m.Name, Version: m.Issued},
			Tools:     &cyclonedx.ToolsChoice{Components: &[]cyclonedx.Component{{Type: cyclonedx.ComponentTypeApplication, Name: "icm", Version: m.Icm}}},
		}
		bom.Components = &list
		serial, err := serialOf(list)
		if err != nil {
			return nil, err
		}
		bom.SerialNumber = serial
		var out bytes.Buffer
		enc := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON)
		err = enc.SetPretty(true).EncodeVersion(bom, cyclonedx.SpecVersion1_5)
		return out.Bytes(), err
	}
}

// serialOf is a UUID made of the content: a bundle is reproducible.
func serialOf(list []cyclonedx.Component) (string, error) {
	data, err := json.Marshal(list)
	if err != nil {
		return "", err
	}
	h := sha256.Sum256(data)
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80 // version 8, "as you like it"
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", h[0:4], h[4:6], h[6:8], h[8:10], h[10:16]), nil
}

func component(f bundle.File) cyclonedx.Component {
	c := cyclonedx.Component{
		BOMRef: "file:" + f.Path, Type: cyclonedx.ComponentTypeFile, Name: f.Path, Version: f.Version,
		Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: f.SHA256}},
	}
	switch f.Kind {
	case bundle.KindIcm, bundle.KindAgent, bundle.KindKit, bundle.KindISCAgent, bundle.KindWebGateway:
		c.Type, c.Name = cyclonedx.ComponentTypeApplication, path.Base(f.Path)
	case bundle.KindProvider:
		if f.Executable {
			c.Type, c.Name = cyclonedx.ComponentTypeApplication, path.Base(f.Path)
		}
	case bundle.KindImage:
		c.Type = cyclonedx.ComponentTypeContainer
	}
	return c
}

// addModules reads the list of modules that Go leaves in its programs.
func addModules(in bundle.Input, modules map[string]cyclonedx.Component) (err error) {
	program := in.Kind == bundle.KindIcm || in.Kind == bundle.KindAgent || in.Kind == bundle.KindProvider && in.Executable
	if !program {
		return nil
	}
	r, err := in.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	var from io.Reader = r
	if strings.HasSuffix(in.Path, ".gz") {
		if from, err = gzip.NewReader(r); err != nil {
			return err
		}
	}
	data, err := io.ReadAll(io.LimitReader(from, maxProgram))
	if err != nil {
		return err
	}
	info, err := buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return nil // a program that Go did not make
	}
	add := func(name, version string) {
		purl := "pkg:golang/" + name + "@" + version
		modules[purl] = cyclonedx.Component{BOMRef: purl, Type: cyclonedx.ComponentTypeLibrary, Name: name, Version: version, PackageURL: purl}
	}
	add("std", strings.TrimPrefix(strings.Fields(info.GoVersion)[0], "go"))
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		add(d.Path, d.Version)
	}
	return nil
}
