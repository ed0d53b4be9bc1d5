package simulated

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// object is the attributes of a resource as plain data: strings, bools,
// json.Numbers, nil for null, unknown{} for what is not known yet.
type object map[string]any

// unknown stands for a value that only the apply will tell.
type unknown struct{}

// decode unpacks what terraform sent.
func decode(d *tfprotov6.DynamicValue, t tftypes.Type) (tftypes.Value, error) {
	if d == nil {
		return tftypes.NewValue(t, nil), nil
	}
	return d.Unmarshal(t)
}

func encode(t tftypes.Type, v tftypes.Value) (*tfprotov6.DynamicValue, error) {
	d, err := tfprotov6.NewDynamicValue(t, v)
	return &d, err
}

// members are the attributes of an object value. The map is the caller's: the
// one that As gives away is the value's own.
func members(v tftypes.Value) map[string]tftypes.Value {
	m := map[string]tftypes.Value{}
	_ = v.As(&m) // a null value has none
	return maps.Clone(m)
}

// visit is called for each attribute of a block with its path, such as
// "disk.0.size", and returns its new value.
type visit func(path string, a *tfprotov6.SchemaAttribute, v tftypes.Value) tftypes.Value

// walk changes all attributes of a block's value.
func walk(path string, b *tfprotov6.SchemaBlock, v tftypes.Value, f visit) tftypes.Value {
	if v.IsNull() || !v.IsKnown() {
		return v
	}
	m := members(v)
	for _, a := range b.Attributes {
		m[a.Name] = f(path+a.Name, a, m[a.Name])
	}
	for _, n := range b.BlockTypes {
		inner := m[n.TypeName]
		if inner.IsNull() || !inner.IsKnown() {
			continue
		}
		switch n.Nesting {
		case tfprotov6.SchemaNestedBlockNestingModeSingle, tfprotov6.SchemaNestedBlockNestingModeGroup:
			m[n.TypeName] = walk(path+n.TypeName+".", n.Block, inner, f)
		default:
			var list []tftypes.Value
			_ = inner.As(&list) // known and not null
			changed := make([]tftypes.Value, len(list))
			for i := range list {
				changed[i] = walk(fmt.Sprintf("%s%s.%d.", path, n.TypeName, i), n.Block, list[i], f)
			}
			m[n.TypeName] = tftypes.NewValue(inner.Type(), changed)
		}
	}
	return tftypes.NewValue(v.Type(), m)
}

// plain turns a value into data.
func plain(v tftypes.Value) any {
	if !v.IsKnown() {
		return unknown{}
	}
	if v.IsNull() {
		return nil
	}
	switch t := v.Type(); {
	case t.Is(tftypes.String):
		var s string
		_ = v.As(&s)
		return s
	case t.Is(tftypes.Bool):
		var b bool
		_ = v.As(&b)
		return b
	case t.Is(tftypes.Number):
		var n big.Float
		_ = v.As(&n)
		return json.Number(n.Text('f', -1))
	case t.Is(tftypes.Object{}), t.Is(tftypes.Map{}):
		out := map[string]any{}
		for k, x := range members(v) {
			out[k] = plain(x)
		}
		return out
	}
	var list []tftypes.Value
	_ = v.As(&list)
	out := []any{}
	for _, x := range list {
		out = append(out, plain(x))
	}
	return out
}

func plainObject(v tftypes.Value) object {
	if m, ok := plain(v).(map[string]any); ok {
		return m
	}
	return nil
}

// text is an attribute as text, "" where there is none.
func (o object) text(name string) string {
	switch v := o[name].(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return fmt.Sprint(v)
	}
	return ""
}

// at finds all values under a path: "boot_disk.*.source" goes through every
// boot_disk.
func at(v any, path string) []any {
	if path == "" {
		return []any{v}
	}
	first, rest, _ := strings.Cut(path, ".")
	switch v := v.(type) {
	case unknown:
		return []any{v} // whatever is below is not known either
	case object:
		return at(map[string]any(v), path)
	case map[string]any:
		if inner, ok := v[first]; ok {
			return at(inner, rest)
		}
	case []any:
		if first == "*" {
			var out []any
			for _, x := range v {
				out = append(out, at(x, rest)...)
			}
			return out
		}
	}
	return nil
}
