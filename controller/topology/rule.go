package topology

import "fmt"

// RuleID names a rule about which nodes may stand together: the section of
// the ICM guide it comes from, or "icm" for one of ours.
type RuleID string

// The rules.
const (
	RuleNeedsDM            RuleID = "4.2-data-server"
	RuleComputeNeedsData   RuleID = "icm-compute"
	RuleOneKindOfCluster   RuleID = "icm-one-cluster"
	RuleOneDM              RuleID = "4.3.2-one-dm"
	RuleTwoDM              RuleID = "4.3.1-two-dm"
	RuleTwoAM              RuleID = "4.2.2-two-am"
	RuleSameMirror         RuleID = "4.3.1-same-mirror"
	RuleMirrorMap          RuleID = "4.3.3-mirror-map"
	RuleOneMirrorMap       RuleID = "icm-one-map"
	RuleMaxAsyncs          RuleID = "4.3.1-asyncs"
	RuleNoAsyncs           RuleID = "4.3.3-no-asyncs"
	RuleDSPairs            RuleID = "4.3.1-ds-pairs"
	RuleDataPairs          RuleID = "icm-data-pairs"
	RuleOneArbiter         RuleID = "4.3.1-one-arbiter"
	RuleArbiterNeedsMirror RuleID = "4.3.2-arbiter"
	RuleMirrorNamespace    RuleID = "4.3.3-namespace"
	RuleNodeLevelKit       RuleID = "icm-node-level-kit"
	RuleNotOptimal         RuleID = "4.3-optimal"
)

// Rule is one rule, as a refusal quotes it.
type Rule struct {
	ID RuleID
	// Text is the rule as a sentence without its full stop.
	Text string
	// Warns says that breaking the rule stops nothing.
	Warns bool
}

// Rules are all rules, in the order of the documents.
var Rules = []Rule{
	{RuleNeedsDM, "AM, DS, QS and WS nodes work on a data server: a DM node, or for WS nodes DATA nodes", false},
	{RuleTwoAM, "a mirrored shard master should have two or more AM nodes, or none", true},
	{RuleNotOptimal, "a sharded cluster should have at least two shards, and query servers only with shards", true},
	{RuleTwoDM, "a mirror has at least two DM nodes", false},
	{RuleSameMirror, "DM and DS nodes are all mirrored or none is, and so are DATA nodes", false},
	{RuleMaxAsyncs, fmt.Sprintf("a mirror has at most %d asyncs", maxAsyncs), false},
	{RuleDSPairs, "mirrored DS nodes go in pairs", false},
	{RuleOneArbiter, "one arbiter is enough for all mirrors, and more are not supported", false},
	{RuleOneDM, "without a mirror there is exactly one DM node", false},
	{RuleArbiterNeedsMirror, "an AR node is the arbiter of a mirror", false},
	{RuleMirrorMap, "MirrorMap begins with primary,backup, has only asyncs after that, and is as long as there are nodes", false},
	{RuleNoAsyncs, "the mirrors of a shard master and of its shards have no asyncs", false},
	{RuleMirrorNamespace, "a mirror cannot serve the namespace USER", true},
	{RuleOneMirrorMap, "the entries of a role have one MirrorMap", false},
	{RuleComputeNeedsData, "COMPUTE nodes work on DATA nodes", false},
	{RuleOneKindOfCluster, "DATA and COMPUTE nodes are a cluster of their own, without DM, AM, DS and QS", false},
	{RuleDataPairs, "mirrored DATA nodes fill whole mirrors of as many nodes as MirrorMap has words", false},
	{RuleNodeLevelKit, "DATA and COMPUTE nodes need a kit of 2020.1 or later", true},
}

// quoted puts the rule behind what the files say.
func (id RuleID) quoted(text string) string {
	for _, r := range Rules {
		if r.ID == id {
			return fmt.Sprintf("%s (rule %s: %s)", text, r.ID, r.Text)
		}
	}
	return text
}
