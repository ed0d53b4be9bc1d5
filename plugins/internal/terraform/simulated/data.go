package simulated

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// ReadDataSource answers a data source: a pure function of what is asked and
// what is in the store, so that no plan differs from the last.
func (s *server) ReadDataSource(_ context.Context, r *tfprotov6.ReadDataSourceRequest) (*tfprotov6.ReadDataSourceResponse, error) {
	schema := s.schemas.data[r.TypeName]
	t := schema.ValueType()
	config, err := decode(r.Config, t)
	if err != nil {
		return nil, err
	}
	asked := plainObject(config)
	found, err := s.lookUp(r.TypeName, asked)
	if err != nil {
		return &tfprotov6.ReadDataSourceResponse{Diagnostics: problem(err.Error(), "")}, nil
	}
	i := invention{kind: r.TypeName, id: found.text("id"), wanted: asked}
	state := walk("", schema.Block, config, func(path string, a *tfprotov6.SchemaAttribute, v tftypes.Value) tftypes.Value {
		if !a.Computed || !v.IsNull() {
			return v
		}
		if known, ok := found[path]; ok && known != nil {
			return toValue(a.Type, known)
		}
		i.path = path
		return s.invent(i, a.Type)
	})
	d, err := encode(t, state)
	return &tfprotov6.ReadDataSourceResponse{State: d}, err
}

// lookUp finds what a data source asks for.
func (s *server) lookUp(kind string, asked object) (object, error) {
	name := asked.text("name")
	err := s.store.update(func(all *content) error {
		if name != "" && slices.Contains(all.Missing, name) {
			return &cloudError{fmt.Sprintf("%s %q not found", kind, name)}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.cloud.find(s, kind, asked)
}

// stored finds an object by a function over those of its type.
func (s *server) stored(kind string, fits func(object) bool) (object, error) {
	all, err := s.store.Find(kind)
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		if fits(o) {
			return o, nil
		}
	}
	return nil, &cloudError{"no matching " + strings.ReplaceAll(kind, "_", " ") + " found"}
}
