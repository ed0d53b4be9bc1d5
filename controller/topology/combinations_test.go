package topology

import (
	"fmt"
	"strings"
	"testing"

	"icm/controller/spec"
)

// counts is a deployment in numbers.
type counts struct {
	dm, am, ds, qs, ws, ar, data, compute int
	mirror                                bool
}

func (c counts) entries() string {
	var list []string
	for _, e := range []struct {
		role  string
		count int
	}{{"DM", c.dm}, {"AM", c.am}, {"DS", c.ds}, {"QS", c.qs}, {"WS", c.ws}, {"AR", c.ar}, {"DATA", c.data}, {"COMPUTE", c.compute}} {
		if e.count > 0 {
			list = append(list, fmt.Sprintf("%s %d", e.role, e.count))
		}
	}
	return strings.Join(list, "; ")
}

// guide is chapter 4.2 and 4.3 once more, as sentences about numbers: which of
// them a deployment breaks. It shares nothing with the code that is tested.
var guide = []struct {
	rule   RuleID
	broken func(counts) bool
}{
	{RuleNeedsDM, func(c counts) bool { return c.dm+c.data == 0 && c.am+c.ds+c.qs+c.ws > 0 }},
	{RuleOneDM, func(c counts) bool { return !c.mirror && c.dm > 1 }},
	{RuleTwoDM, func(c counts) bool { return c.mirror && c.dm == 1 }},
	{RuleMirrorMap, func(c counts) bool { return c.mirror && c.dm > 2 }}, // the map is the default one here
	{RuleDSPairs, func(c counts) bool { return c.mirror && c.ds%2 == 1 }},
	{RuleOneArbiter, func(c counts) bool { return c.ar > 1 }},
	{RuleArbiterNeedsMirror, func(c counts) bool { return c.ar > 0 && (!c.mirror || c.dm+c.ds+c.data == 0) }},
	{RuleComputeNeedsData, func(c counts) bool { return c.compute > 0 && c.data == 0 }},
	{RuleOneKindOfCluster, func(c counts) bool { return c.data > 0 && c.dm+c.am+c.ds+c.qs > 0 }},
	{RuleDataPairs, func(c counts) bool { return c.mirror && c.data%2 == 1 }},
}

// Every combination of small numbers is accepted exactly when the guide breaks
// no rule, and a refusal quotes every broken rule and no other.
func TestEveryCombinationOfRolesIsJudgedAsTheGuideSays(t *testing.T) {
	checked, legal := 0, 0
	each(func(c counts) {
		checked++
		var want []RuleID
		for _, g := range guide {
			if g.broken(c) {
				want = append(want, g.rule)
			}
		}
		extra := `, "Namespace": "DB"`
		if c.mirror {
			extra += `, "Mirror": "true"`
		}
		_, problems := load(t, spec.AWS, extra, c.entries())
		text := problems.String()
		for _, r := range Rules {
			quoted := strings.Contains(text, "rule "+string(r.ID)+":")
			if wanted := contains(want, r.ID); quoted != wanted {
				t.Errorf("%q, mirror %v: rule %s is quoted: %v, is broken: %v\n%s", c.entries(), c.mirror, r.ID, quoted, wanted, text)
			}
		}
		if (len(problems) == 0) != (len(want) == 0) {
			t.Errorf("%q, mirror %v: refused with %q, broken are %v", c.entries(), c.mirror, text, want)
		}
		if len(want) == 0 {
			legal++
		}
	})
	if legal == 0 || legal == checked {
		t.Fatalf("%d of %d combinations are legal: that proves nothing", legal, checked)
	}
	t.Logf("%d combinations, %d of them legal", checked, legal)
}

func each(do func(counts)) {
	for i := range 4 * 2 * 3 * 2 * 2 * 3 * 3 * 2 * 2 {
		n := i
		take := func(numbers ...int) int { v := numbers[n%len(numbers)]; n /= len(numbers); return v }
		c := counts{
			dm: take(0, 1, 2, 3), am: take(0, 2), ds: take(0, 2, 3), qs: take(0, 1), ws: take(0, 1), ar: take(0, 1, 2),
			data: take(0, 2, 3), compute: take(0, 1), mirror: take(0, 1) == 1,
		}
		if c.entries() != "" {
			do(c)
		}
	}
}

func contains(list []RuleID, id RuleID) bool {
	for _, x := range list {
		if x == id {
			return true
		}
	}
	return false
}
