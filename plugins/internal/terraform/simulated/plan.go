package simulated

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// PlanResourceChange says what a change would come to: which values only the
// apply will tell, and whether it needs a new object.
func (s *server) PlanResourceChange(_ context.Context, r *tfprotov6.PlanResourceChangeRequest) (*tfprotov6.PlanResourceChangeResponse, error) {
	schema := s.resources[r.TypeName]
	t := schema.ValueType()
	prior, err := decode(r.PriorState, t)
	if err != nil {
		return nil, err
	}
	wanted, err := decode(r.ProposedNewState, t)
	if err != nil {
		return nil, err
	}
	//lint:ignore SA1019 the real providers need its tolerance, and so do blocks that appear by the apply
	out := &tfprotov6.PlanResourceChangeResponse{PlannedState: r.ProposedNewState, PlannedPrivate: r.PriorPrivate, UnsafeToUseLegacyTypeSystem: true}
	if wanted.IsNull() {
		return out, nil // destroy
	}
	rule := s.cloud.rules[r.TypeName]
	if !prior.IsNull() {
		before, after := plainObject(prior), plainObject(wanted)
		out.RequiresReplace = replacing(rule, before, after)
		if text := rule.shrinks(before, after); text != "" {
			out.Diagnostics = problem("Invalid change", r.TypeName+" "+before.text("id")+": "+text)
			return out, nil
		}
	}
	// Terraform has merged what it knows of the object into the proposal
	// already, so only what was never told is unknown. Elements of blocks have
	// no such past.
	planned := walk("", schema.Block, wanted, func(path string, a *tfprotov6.SchemaAttribute, v tftypes.Value) tftypes.Value {
		switch {
		case a.WriteOnly:
			return tftypes.NewValue(a.Type, nil)
		case a.Computed && v.IsKnown() && v.IsNull() && (prior.IsNull() || strings.Contains(path, ".")):
			return tftypes.NewValue(a.Type, tftypes.UnknownValue)
		}
		return v
	})
	out.PlannedState, err = encode(t, planned)
	return out, err
}

// replacing lists the changed attributes that need a new object.
func replacing(rule rule, before, after object) []*tftypes.AttributePath {
	var out []*tftypes.AttributePath
	for _, path := range rule.forceNew {
		was, is := at(before, strings.ReplaceAll(path, ".0.", ".*.")), at(after, strings.ReplaceAll(path, ".0.", ".*."))
		if cmp.Equal(was, is) || !anySet(after, []string{strings.ReplaceAll(path, ".0.", ".*.")}) && !hasUnknown(is) {
			continue
		}
		out = append(out, attributePath(path))
	}
	return out
}

func hasUnknown(list []any) bool {
	for _, v := range list {
		if _, ok := v.(unknown); ok {
			return true
		}
	}
	return false
}

// attributePath is "boot_disk.0.initialize_params.0.image" for terraform.
func attributePath(path string) *tftypes.AttributePath {
	p := tftypes.NewAttributePath()
	for word := range strings.SplitSeq(path, ".") {
		if n, err := strconv.Atoi(word); err == nil {
			p = p.WithElementKeyInt(n)
		} else {
			p = p.WithAttributeName(word)
		}
	}
	return p
}

// shrinks finds a size that would become smaller, which no cloud does.
func (r rule) shrinks(before, after object) string {
	for _, path := range r.grows {
		was, is := at(before, path), at(after, path)
		for i := range min(len(was), len(is)) {
			if number(is[i]) < number(was[i]) && number(is[i]) > 0 {
				return path + " cannot become smaller"
			}
		}
	}
	return ""
}

func number(v any) float64 {
	n, err := strconv.ParseFloat(object{"n": v}.text("n"), 64)
	if err != nil {
		return 0
	}
	return n
}
