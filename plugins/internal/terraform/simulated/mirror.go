package simulated

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Names lists the simulated providers by their names in the registry.
func Names() []string { return []string{"aws", "azurerm", "google", "vsphere"} }

// namespaces are the first parts of the providers' addresses.
var namespaces = map[string]string{"aws": "hashicorp", "azurerm": "hashicorp", "google": "hashicorp", "vsphere": "vmware"}

// registries are where terraform and OpenTofu believe providers to come from.
var registries = []string{"registry.terraform.io", "registry.opentofu.org"}

// address is the provider's full name for terraform.
func address(name string) string { return registries[0] + "/" + namespaces[name] + "/" + name }

// mirrorOf is the mirror that a program in it belongs to.
func mirrorOf(program string) string {
	for range 6 { // registry, namespace, name, version, platform, program
		program = filepath.Dir(program)
	}
	return program
}

// Mirror is a filesystem mirror with all simulated providers, and the clouds
// behind them.
type Mirror struct{ Dir string }

// NewMirror makes the mirror in an empty directory, with the program that
// [Serve] is the main function of.
func NewMirror(dir, program string) (Mirror, error) {
	for _, name := range Names() {
		s, err := loadSchemas(name)
		if err != nil {
			return Mirror{}, err
		}
		if err := place(dir, name, s.version, program); err != nil {
			return Mirror{}, fmt.Errorf("cannot make the mirror: %w", err)
		}
	}
	return Mirror{dir}, nil
}

func place(dir, name, version, program string) error {
	first := ""
	for _, registry := range registries {
		folder := filepath.Join(dir, registry, namespaces[name], name, version, runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		target := filepath.Join(folder, "terraform-provider-"+name+"_v"+version)
		if first == "" {
			first = target
			if err := copyProgram(program, target); err != nil {
				return err
			}
			continue
		}
		if err := os.Link(first, target); err != nil {
			return err
		}
	}
	return nil
}

// copyProgram links where it can: the program has 15 MB.
func copyProgram(from, to string) error {
	if err := os.Link(from, to); err == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

// Store is the cloud behind a provider.
func (m Mirror) Store(name string) Store { return Store{filepath.Join(m.Dir, name+".cloud")} }
