package spec

import (
	"fmt"
	"strconv"
)

// zones gives each node its zone. Zones are taken in turn: by the nodes of an
// entry, or with PreExisting, whose entries are single nodes, by the nodes of a
// role.
func (l *loader) zones(s *Spec) {
	turn := map[string]int{}
	for i := range s.Definitions {
		d := &s.Definitions[i]
		f, _ := Lookup("Zone")
		list := d.Fields.List("Zone")
		if len(list) == 0 || !f.AppliesTo(l.provider) {
			continue
		}
		indexes, ok := l.zoneMap(d, len(list))
		if !ok {
			continue
		}
		for k := range d.Machines {
			place := k
			if l.provider == PreExisting {
				place = turn[d.Role]
				turn[d.Role]++
			}
			if indexes != nil {
				place = indexes[k]
			}
			d.Zone = append(d.Zone, list[place%len(list)])
		}
	}
}

// zoneMap reads an explicit map; nil means the zones in turn.
func (l *loader) zoneMap(d *Definition, zones int) (indexes []int, ok bool) {
	text := d.Fields.List("ZoneMap")
	if text == nil {
		return nil, true
	}
	pos := d.Fields.Position("ZoneMap")
	if len(text) < d.Count {
		l.problem(pos, "ZoneMap", fmt.Sprintf("ZoneMap has %d numbers for %d nodes", len(text), d.Count), "give one number for each node, or remove ZoneMap to take the zones in turn")
		return nil, false
	}
	for _, t := range text {
		n, err := strconv.Atoi(t)
		if err != nil {
			return nil, false // told already
		}
		if n >= zones {
			l.problem(pos, "ZoneMap", fmt.Sprintf("ZoneMap names zone %d, but Zone lists %d, which are counted from 0", n, zones), fmt.Sprintf("use numbers from 0 to %d, or list more zones in Zone", zones-1))
			return nil, false
		}
		indexes = append(indexes, n)
	}
	return indexes, true
}
