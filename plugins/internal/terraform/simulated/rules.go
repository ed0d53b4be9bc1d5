package simulated

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// cloud is what a simulated provider knows beyond its schema.
type cloud struct {
	rules map[string]rule
	// credentials are the ways to log in: environment variables, or arguments
	// of the provider block, that must all be there.
	credentials [][]string
	// defaults are arguments of the provider block that may come from the
	// environment, by the variable.
	defaults map[string]string
	// id makes the id of an object; nil makes one up.
	id func(kind string, o object, config object) string
	// prefix is what made-up ids begin with.
	prefix map[string]string
	// values are computed attributes that are not just any text.
	values func(invention) (any, bool)
	// find answers data sources.
	find func(s *server, kind string, config object) (object, error)
}

// rule is what is known of one type of resource. Paths are as in [at].
type rule struct {
	forceNew []string          // a change of these needs a new object
	required []string          // "a|b": one of them must be there
	refers   map[string]string // path → type of the object it names
	lists    []string          // those of refers that the cloud empties by itself when the object goes
	unique   []string          // no two objects may agree in all of these
	grows    []string          // sizes that cannot become smaller
	check    func(object) string
}

// Both clouds and rules are only read.
var clouds = map[string]cloud{"aws": aws, "google": google, "azurerm": azurerm, "vsphere": vsphere}

// names reports whether a value is one of the names that an object goes by.
func (o object) named(v any) bool {
	text, ok := v.(string)
	if !ok || text == "" {
		return false
	}
	for _, name := range []string{"id", "self_link", "name", "arn", "key_name", "allocation_id"} {
		if o.text(name) == text {
			return true
		}
	}
	return false
}

// named lists the objects of a type that go by a name.
func (c *content) named(kind string, v any) bool {
	for key, o := range c.Objects {
		if strings.HasPrefix(key, kind+"/") && o.named(v) {
			return true
		}
	}
	return false
}

// values are the names that a path gives: lists of names count one by one.
func names(o object, path string) []any {
	var out []any
	for _, v := range at(o, path) {
		if list, ok := v.([]any); ok {
			out = append(out, list...)
		} else {
			out = append(out, v)
		}
	}
	return out
}

// referred refuses an object that names another which is not there.
func (c *content) referred(cloud cloud, kind string, o object) error {
	refers := cloud.rules[kind].refers
	for _, path := range slices.Sorted(maps.Keys(refers)) {
		for _, v := range names(o, path) {
			if name, ok := v.(string); !ok || name == "" {
				continue // null, or what only the cloud will tell
			}
			if !c.named(refers[path], v) {
				return &cloudError{fmt.Sprintf("%s: %s names %v, and there is no such %s", kind, path, v, refers[path])}
			}
		}
	}
	return nil
}

// unused refuses to delete an object that others name.
func (c *content) unused(cloud cloud, kind string, o object) error {
	if o == nil {
		return nil
	}
	for key, other := range c.Objects {
		otherKind, _, _ := strings.Cut(key, "/")
		for path, target := range cloud.rules[otherKind].refers {
			if target != kind || slices.Contains(cloud.rules[otherKind].lists, path) {
				continue
			}
			for _, v := range names(other, path) {
				if o.named(v) {
					return &cloudError{fmt.Sprintf("DependencyViolation: %s %s is in use by %s", kind, o.text("id"), key)}
				}
			}
		}
	}
	return nil
}

// free refuses an object whose name is taken.
func (c *content) free(r rule, kind, id string, o object) error {
	if c.Objects[kind+"/"+id] != nil {
		return &cloudError{fmt.Sprintf("%s %s already exists", kind, id)}
	}
	if len(r.unique) == 0 {
		return nil
	}
	for key, other := range c.Objects {
		if !strings.HasPrefix(key, kind+"/") {
			continue
		}
		same := true
		for _, name := range r.unique {
			same = same && o.text(name) == other.text(name)
		}
		if same {
			return &cloudError{fmt.Sprintf("Duplicate: there is a %s with this %s already", kind, strings.Join(r.unique, " and "))}
		}
	}
	return nil
}
