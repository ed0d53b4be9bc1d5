package kitname

import (
	"cmp"
	"strings"
)

// Compare compares two dotted versions number by number: "2023.10" is later
// than "2023.9". A missing number counts as zero; what follows the digits
// ("…1com" of a registered community build) does not count.
func Compare(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		if c := compareNumber(part(as, i), part(bs, i)); c != 0 {
			return c
		}
	}
	return 0
}

// compareNumber compares digits without converting them, since nothing bounds
// their length.
func compareNumber(a, b string) int {
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return cmp.Compare(a, b)
}

func part(parts []string, i int) string {
	if i >= len(parts) {
		return ""
	}
	p := parts[i]
	end := 0
	for end < len(p) && p[end] >= '0' && p[end] <= '9' {
		end++
	}
	return strings.TrimLeft(p[:end], "0")
}

// HasMerge reports whether the kit understands configuration merge with
// actions (2021.1 and later); older ones need iris.cpf edited before the first
// start.
func (k Kit) HasMerge() bool { return Compare(k.Version, "2021.1") >= 0 }

// HasCluster reports whether the kit knows node-level sharding, DATA and
// COMPUTE nodes (2020.1 and later).
func (k Kit) HasCluster() bool { return Compare(k.Version, "2020.1") >= 0 }

// HasPrivateWebServer reports whether the kit brings its own web server (up to
// 2023.1); later ones need one on the node.
func (k Kit) HasPrivateWebServer() bool { return Compare(k.Version, "2023.2") < 0 }

// SuperServerPort is the port that the kit takes when none is given.
func (k Kit) SuperServerPort() int {
	if Compare(k.Version, "2020") < 0 {
		return 51773
	}
	return 1972
}

// WebServerPort is the port of the kit's private web server, 0 when it has none.
func (k Kit) WebServerPort() int {
	if !k.HasPrivateWebServer() {
		return 0
	}
	return 52773
}
