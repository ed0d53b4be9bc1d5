package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"icm/internal/atomicfile"
)

// pair is a field as it is written.
type pair struct{ name, value string }

// describe writes the defaults file and the definitions file of nodes that were
// surveyed. What all nodes have in common stands in the defaults.
func (j *Job) describe(strays []*stray, o AdoptOptions) error {
	defaults := []pair{
		{"Provider", "PreExisting"}, {"Containerless", "True"}, {"Adopted", "True"}, {"Label", strays[0].label}, {"Tag", strays[0].tag},
		{"SSHUser", o.User}, {"SSHPrivateKey", o.KeyFile}, {"SSHPublicKey", o.KeyFile + ".pub"},
	}
	if o.Namespace != "" {
		defaults = append(defaults, pair{"Namespace", o.Namespace})
	}
	own := make([][]pair, len(strays))
	count := map[pair]int{}
	for i, s := range strays {
		fields, err := s.fields(o.Namespace)
		if err != nil {
			return err
		}
		own[i] = fields
		for _, f := range fields {
			count[f]++
		}
	}
	common := func(f pair) bool { return count[f] == len(strays) }
	for _, f := range own[0] {
		if common(f) {
			defaults = append(defaults, f)
		}
	}
	var definitions []string
	for i, s := range strays {
		definitions = append(definitions, object("  ", append(s.place(), slices.DeleteFunc(own[i], common)...)))
	}
	if err := atomicfile.Write(j.Files.Defaults, []byte(object("", defaults)+"\n"), 0o644); err != nil {
		return err
	}
	return atomicfile.Write(j.Files.Definitions, []byte("[\n"+strings.Join(definitions, ",\n")+"\n]\n"), 0o644)
}

// object writes one in JSON, a field on each line, in the order given.
func object(indent string, fields []pair) string {
	var b bytes.Buffer
	b.WriteString(indent + "{\n")
	for i, f := range fields {
		value, _ := json.Marshal(f.value) // text can be
		fmt.Fprintf(&b, "%s  %q: %s", indent, f.name, value)
		if i < len(fields)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString(indent + "}")
	return b.String()
}

// place are the fields that tell one node from another.
func (s *stray) place() []pair {
	out := []pair{{"Role", s.role}, {"Count", "1"}, {"StartCount", strconv.Itoa(s.number)}}
	if net.ParseIP(s.at.Host) != nil {
		out = append(out, pair{"IPAddress", s.at.Host})
	} else {
		out = append(out, pair{"DNSName", s.at.Host})
	}
	if s.at.Port != 0 {
		out = append(out, pair{"SSHPort", strconv.Itoa(s.at.Port)})
	}
	return out
}

// fields describe a node's instance.
func (s *stray) fields(namespace string) ([]pair, error) {
	in := s.found.Instance
	out := []pair{
		{"KitURL", "file:///tmp/" + s.kitName()}, {"ISCInstance", in.Name}, {"ISCInstallDir", in.Dir},
		{"OwnerAccount", s.found.Owner}, {"OwnerGroup", s.found.OwnerGroup}, {"IRISUser", s.found.User}, {"IRISGroup", s.found.Group},
		{"InitialSecurity", s.found.Security}, {"SuperServerPort", s.found.Settings["Startup.DefaultPort"]},
		{"SystemMode", s.found.Settings["Startup.SystemMode"]},
	}
	data, err := s.dataMount(namespace)
	if err != nil {
		return nil, err
	}
	out = append(out, pair{"DataMountPoint", data})
	seen := map[string]bool{data: true}
	for _, m := range []struct{ field, setting string }{
		{"WIJMountPoint", "config.wijdir"}, {"Journal1MountPoint", "Journal.CurrentDirectory"}, {"Journal2MountPoint", "Journal.AlternateDirectory"},
	} {
		dir := strings.TrimRight(s.found.Settings[m.setting], "/")
		// One inside the installation, or one that serves twice, is no volume.
		if filepath.IsAbs(dir) && !seen[dir] && !strings.HasPrefix(dir+"/", in.Dir+"/") {
			out = append(out, pair{m.field, dir})
			seen[dir] = true
		}
	}
	return slices.DeleteFunc(out, func(f pair) bool { return f.value == "" }), nil
}

// kitName is the name of the kit that the instance says it came from. The file
// itself is needed nowhere until something is installed.
func (s *stray) kitName() string {
	product := "IRIS"
	if strings.Contains(s.found.Instance.Product, "Health") {
		product = "IRISHealth"
	}
	platform := s.found.Platform
	if platform == "" && len(s.facts.Platforms) > 0 {
		platform = s.facts.Platforms[0]
	}
	return fmt.Sprintf("%s-%s-%s.tar.gz", product, s.found.Instance.Version, orElse(platform, "lnxrh8x64"))
}

// dataMount is the directory above the database of the namespace, which icm
// expects under the namespace's name.
func (s *stray) dataMount(namespace string) (string, error) {
	if namespace == "" || strings.EqualFold(namespace, "USER") || s.role != "DM" {
		return "", nil
	}
	dir, there := s.found.Databases[strings.ToUpper(namespace)]
	switch {
	case !there:
		return "", refuse(fmt.Sprintf("nothing was changed: %s has no namespace %s with a database of its own", s.at.Machine, namespace),
			"-namespace names one of "+strings.Join(slices.Sorted(maps.Keys(s.found.Databases)), ", "))
	case path.Base(dir) != strings.ToLower(namespace):
		return "", refuse(fmt.Sprintf("nothing was changed: the database of %s lies in %s, and icm would look for it in a directory %s", namespace, dir, strings.ToLower(namespace)),
			"leave -namespace out; icm session and icm sql take it by themselves")
	}
	return path.Dir(dir), nil
}
