package simulated

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math/big"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// invention is a value that only the cloud tells.
type invention struct {
	kind, id, path string
	wanted         object // the object, as far as it is known
	before         object // what it was before the change
}

// leaf is the last word of the path.
func (i invention) leaf() string { return i.path[strings.LastIndex(i.path, ".")+1:] }

// sum is a number that depends on the whole of i.
func (i invention) sum() uint64 { return sumOf(i.kind + i.id + i.path) }

func sumOf(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s)) //nolint:errcheck // a hash never fails
	return h.Sum64()
}

// newID names a new object.
func (s *server) newID(kind string, o object, serial int) string {
	if s.cloud.id != nil {
		if id := s.cloud.id(kind, o, s.config); id != "" {
			return id
		}
	}
	prefix, ok := s.cloud.prefix[kind]
	if !ok {
		prefix = kind[strings.Index(kind, "_")+1:] + "-"
	}
	return fmt.Sprintf("%s%016x0", prefix, sumOf(fmt.Sprint(kind, serial)))
}

// invent makes up a computed value: the same one each time.
func (s *server) invent(i invention, t tftypes.Type) tftypes.Value {
	if s.cloud.values != nil {
		if v, ok := s.cloud.values(i); ok {
			return toValue(t, v)
		}
	}
	if found := at(i.before, i.path); len(found) == 1 && found[0] != nil {
		return toValue(t, found[0])
	}
	n := i.sum() % 250
	switch {
	case t.Is(tftypes.Bool):
		return tftypes.NewValue(t, false)
	case t.Is(tftypes.Number):
		return tftypes.NewValue(t, big.NewFloat(float64(n)))
	case t.Is(tftypes.String):
		return tftypes.NewValue(t, i.text(n))
	case t.Is(tftypes.List{}), t.Is(tftypes.Set{}):
		return tftypes.NewValue(t, []tftypes.Value{})
	case t.Is(tftypes.Map{}):
		return tftypes.NewValue(t, map[string]tftypes.Value{})
	}
	return tftypes.NewValue(t, nil)
}

// text is a text that looks like what the attribute holds.
func (i invention) text(n uint64) string {
	leaf := i.leaf()
	switch {
	case leaf == "id":
		return i.id
	case strings.Contains(leaf, "private_ip"), leaf == "network_ip":
		return fmt.Sprintf("10.0.%d.%d", i.sum()>>8%250, n+2)
	case strings.HasSuffix(leaf, "_ip"), strings.HasSuffix(leaf, "ip_address"), leaf == "address":
		return fmt.Sprintf("203.0.%d.%d", i.sum()>>8%250, n+2)
	}
	return leaf + "-" + strconv.FormatUint(i.sum()%(1<<32), 16)
}

// toValue turns data into a value of a type.
func toValue(t tftypes.Type, v any) tftypes.Value {
	raw, err := json.Marshal(v)
	if err != nil {
		return tftypes.NewValue(t, nil)
	}
	//lint:ignore SA1019 the data is our own
	out, err := tftypes.ValueFromJSON(raw, t)
	if err != nil {
		return tftypes.NewValue(t, nil)
	}
	return out
}
