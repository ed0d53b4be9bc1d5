package host

import (
	"slices"
	"strings"

	"icm/internal/wire"
)

// Platforms returns what the names of kits call this system, best first: the
// kit made for this release, then the ones of the years before 2022 that were
// made for a whole family. A system that kits are not made for gets those of
// its nearest relative. The names of arm64 kits are inferred: none was seen.
func Platforms(rel wire.OSRelease, arch string) []string {
	suffix := map[string]string{"amd64": "x64", "arm64": "arm64"}[arch]
	if suffix == "" {
		return nil
	}
	var out []string
	for _, stem := range stems(rel) {
		out = append(out, "lnx"+stem+suffix)
	}
	return out
}

func stems(rel wire.OSRelease) []string {
	major, _, _ := strings.Cut(rel.Version, ".")
	is := func(ids ...string) bool { return slices.Contains(ids, rel.ID) }
	like := func(id string) bool { return slices.Contains(rel.Like, id) }
	switch {
	case is("ubuntu"):
		return ubuntu(rel.Version)
	case is("debian"):
		return ubuntu(debianAsUbuntu[major])
	case is("amzn"):
		return redHat(map[string]string{"2": "7", "2023": "9"}[rel.Version])
	case is("fedora"):
		return redHat("9")
	case is("sles", "sled", "sle_hpc", "opensuse-leap") || like("suse"):
		return []string{"suse"}
	case is("rhel", "centos", "rocky", "almalinux", "ol") || like("rhel"):
		return redHat(major)
	case like("ubuntu"):
		return ubuntu(rel.Version)
	case like("debian"):
		return ubuntu("22.04")
	}
	return nil
}

// debianAsUbuntu pairs releases with the same OpenSSL and a C library that is
// not older.
var debianAsUbuntu = map[string]string{"10": "18.04", "11": "20.04", "12": "22.04", "13": "24.04"}

func redHat(major string) []string {
	switch major {
	case "":
		return []string{"rh"}
	case "6", "7", "8":
		return []string{"rh" + major, "rh"}
	}
	return []string{"rh" + major} // OpenSSL 3: kits for the whole family need 1.0 or 1.1
}

func ubuntu(version string) []string {
	flat := strings.ReplaceAll(version, ".", "")
	if flat == "" || flat == "1804" || flat == "1604" {
		return []string{"ubuntu"}
	}
	return []string{"ubuntu" + flat, "ubuntu"}
}
