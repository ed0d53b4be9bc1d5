package deploy

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"icm/internal/kind"
	"icm/internal/kitname"
	"icm/internal/wire"
)

// The vendor knows four ways to upgrade a mirror. Which of them is right
// depends on the versions, on the application and on what downtime is allowed;
// each is a table.

// procedure is one of them.
type procedure struct {
	name string // "major"
	why  string // it was chosen
	// hold says, where somebody has to do something before the last member of a
	// mirror is upgraded, what.
	hold func(c cluster, set []member) string
	// asyncs is how many async members are upgraded at a time.
	asyncs func([]member) [][]member
}

// UpgradeOptions are what an operator says about an upgrade.
type UpgradeOptions struct {
	// Batch is how many application servers, and web servers, are upgraded at
	// a time: "2" or "25%"; "" is one.
	Batch string
	// Canary names the node that goes first of all, alone.
	Canary string
	// Changes says that the application has to be recompiled or changed on the
	// new version: the upgrade is held where that is to be done.
	Changes bool
	// Downtime stops everything, upgrades everything at once, and starts it.
	Downtime bool
	// FailBack makes each mirror's first primary the primary again in the end,
	// at the price of a second failover.
	FailBack bool
	// Pause holds the upgrade before every stage.
	Pause bool
}

// choose finds the procedure, and says why.
func (o UpgradeOptions) choose(c cluster) procedure {
	p := procedure{name: "maintenance", why: "the release stays the same", asyncs: nil}
	for _, m := range c.selected {
		if from, to := release(m.now.version), release(m.KitInfo.Version); m.now.version != "" && from != to {
			p = procedure{name: "major", why: fmt.Sprintf("from release %s to %s", from, to), asyncs: oneByOne}
		}
	}
	switch {
	case o.Downtime:
		return procedure{name: "downtime", why: "asked for"}
	case o.Changes:
		p.name, p.why, p.hold, p.asyncs = "changes", "the application is changed or recompiled", recompile, oneByOne
	}
	return p
}

// release is what makes an upgrade a major one: year and number.
func release(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

func recompile(c cluster, set []member) string {
	where := set[0]
	if m, ok := c.successor(set[0].Mirror); ok {
		where = m
	}
	return fmt.Sprintf("change and recompile the application's classes on %s now (icm session -machine %s), then go on", where.Machine, where.Machine)
}

// old chooses the members whose instance the upgrade replaces.
func old(_ cluster, m member) bool { return older(m.now.version, m.KitInfo.Version) }

// isPrimary chooses the member that says it is primary, and has a partner that
// can take over.
func isPrimary(c cluster, m member) bool {
	p, ok := c.primary(m.Mirror)
	_, has := c.successor(m.Mirror)
	return m.Mirror != "" && ok && has && p.Machine == m.Machine
}

// successor is the failover member that is not the primary.
func (c cluster) successor(mirror string) (member, bool) {
	p, _ := c.primary(mirror)
	for _, m := range c.mirrorMembers(mirror) {
		if memberType(m) == kind.Failover && m.Machine != p.Machine {
			return m, true
		}
	}
	return member{}, false
}

// isSuccessor chooses it.
func isSuccessor(c cluster, m member) bool {
	s, ok := c.successor(m.Mirror)
	return m.Mirror != "" && ok && s.Machine == m.Machine
}

// failsOver chooses the pair of a mirror whose primary is to be replaced.
func failsOver(c cluster, m member) bool {
	p, ok := c.primary(m.Mirror)
	return ok && old(c, p) && c.selects(p) && (isPrimary(c, m) || isSuccessor(c, m))
}

// byMirror goes through a section once for every mirror: pair by pair.
func byMirror(c cluster) [][]member {
	var out [][]member
	for _, mi := range c.topo.Mirrors() {
		var set []member
		for _, m := range c.selected {
			if m.Mirror == mi.Name {
				set = append(set, m)
			}
		}
		if len(set) > 0 {
			out = append(out, set)
		}
	}
	return out
}

// rolling is the table of an upgrade that keeps the service up. Application
// servers come first, so that none is older than its data server for long; in
// a mirror the asyncs and the backup, then the primary hands over.
func (p procedure) rolling(o UpgradeOptions) []section {
	table := []section{
		{whole, []step{
			{name: "stage kits", who: everybody, what: just(stageForUpgrade)},
			{name: "upgrade the arbiter", who: role("AR"), what: upgradeArbiter},
			{name: "upgrade %s", who: both(o.isCanary, role("WS")), what: upgradeGateway},
			{name: "upgrade %s", who: both(o.isCanary, appRoles), what: upgradeInstance},
			{name: "upgrade %s", who: both(not(o.isCanary), role("WS")), what: upgradeGateway, width: o.width()},
			{name: "upgrade %s", who: both(not(o.isCanary), appRoles), what: upgradeInstance, width: o.width()},
			{name: "upgrade %s", who: both(dataRoles, unmirrored), what: upgradeInstance, width: oneByOne, hold: p.hold},
		}},
		{byMirror, []step{
			{name: "upgrade %s", who: async, what: inOrder(upgradeInstance, inPlace), width: p.asyncs},
			{name: "upgrade %s", who: both(not(async), not(isPrimary)), what: inOrder(upgradeInstance, inPlace), width: oneByOne},
			{name: "prepare the failover of %s", who: failsOver, what: prepareFailover},
			{name: "failover of %s", who: failsOver, what: failover, together: true, barrier: noReturn},
			{name: "upgrade %s", who: both(failsOver, isPrimary), what: inOrder(exchange, restart, inPlace), hold: p.hold},
		}},
	}
	if o.FailBack {
		table = append(table, section{byMirror, []step{
			{name: "failover back to the first primary, of %s", who: failsOver, what: failBack, together: true},
			{name: "start %s again", who: both(failsOver, isSuccessor), what: startAgain},
		}})
	}
	return append(table, section{whole, []step{forget}})
}

// forget ends an upgrade.
var forget = step{name: "forget the old version", who: everybody, what: inOrder(forgetOld, just(cleanAfterUpgrade)), onError: wire.Hold}

// atOnce is the table of an upgrade for which the service is down.
func (o UpgradeOptions) atOnce() []section {
	return []section{{whole, []step{
		{name: "stage kits", who: everybody, what: just(stageForUpgrade)},
		{name: "copy the old version", who: instances, what: warmCopy},
		{name: "stop application servers", who: appRoles, what: stopForUpgrade},
		{name: "stop backups and asyncs", who: both(dataRoles, not(unmirrored), not(isPrimary)), what: stopForUpgrade},
		{name: "stop data servers", who: both(dataRoles, anyOf(unmirrored, isPrimary)), what: stopWithoutFailover},
		{name: "upgrade the arbiter", who: role("AR"), what: upgradeArbiter},
		{name: "upgrade the web servers", who: role("WS"), what: upgradeGateway},
		{name: "upgrade everywhere", who: instances, what: exchange},
		{name: "start data servers", who: both(dataRoles, leads), what: restart, barrier: noReturnOfMirrors},
		{name: "start backups and asyncs", who: both(dataRoles, not(leads)), what: inOrder(restart, inPlace)},
		{name: "start application servers", who: appRoles, what: restart},
		forget,
	}}}
}

// noReturn says why there is no way back once a newer member was primary.
func noReturn(c cluster, set []member) string {
	m := set[0]
	why := fmt.Sprintf("once a member of version %s is the primary of %s, older ones cannot take over from it", m.KitInfo.Version, m.Mirror)
	return why + journals(set)
}

func noReturnOfMirrors(c cluster, set []member) string {
	if slices.ContainsFunc(set, func(m member) bool { return m.Mirror != "" && old(c, m) }) {
		return "once a newer version is the primary of a mirror, older members cannot take over from it" + journals(set)
	}
	return ""
}

// journalBreaks are the releases since which older versions cannot read journals.
var journalBreaks = []string{"2025.1"}

func journals(set []member) string {
	for _, m := range set {
		for _, v := range journalBreaks {
			if m.now.version != "" && kitname.Compare(m.now.version, v) < 0 && kitname.Compare(m.KitInfo.Version, v) >= 0 {
				return ", and they cannot read the journals that " + v + " and later write"
			}
		}
	}
	return ""
}

func (o UpgradeOptions) isCanary(_ cluster, m member) bool { return m.Machine == o.Canary }

// width is how many servers are taken at a time. A batch that is no number was
// refused before.
func (o UpgradeOptions) width() func([]member) [][]member {
	return func(set []member) [][]member {
		n, _ := batchOf(o.Batch, len(set))
		return batches(n)(set)
	}
}

// batchOf is how many of a number of nodes a batch has, at least one.
func batchOf(batch string, of int) (int, error) {
	if batch == "" {
		return 1, nil
	}
	number, percent := strings.CutSuffix(batch, "%")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || percent && n > 100 {
		return 1, refuse(fmt.Sprintf("nothing was changed: -batch %s is neither a number of nodes nor a percentage", batch), "-batch 2, or -batch 25%")
	}
	if percent {
		n = int(math.Floor(float64(of) * float64(n) / 100))
	}
	return max(n, 1), nil
}

// paused holds before every stage but the first.
func paused(stages []draftStage) {
	for i := range stages {
		if i > 0 && stages[i].hold == "" {
			stages[i].hold = "-pause was given"
		}
	}
}
