package deploy_test

import (
	"slices"
	"strings"
	"testing"

	"icm/controller/deploy"
	"icm/internal/kind"
	"icm/tests/sim"
)

// shardingKinds are what a plan does on each node for a sharded cluster, in
// the order in which it is done.
func shardingKinds(p *deploy.Plan) (out []string) {
	of := []string{kind.ShardEnable, kind.ShardAssign, kind.ShardActivate, kind.ClusterInitialize, kind.ClusterAttach, kind.IRISNamespace}
	for _, st := range p.Stages {
		for _, ch := range st.Changes {
			for _, task := range ch.Tasks {
				if slices.Contains(of, task.Kind) {
					out = append(out, strings.TrimPrefix(ch.Node, "ACME-")+" "+task.Kind)
				}
			}
		}
	}
	return out
}

func TestHowAShardedClusterIsInstalled(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ what, definitions, want string }{
		{"every instance has sharding enabled and the namespace before the master is told its shards",
			`[{"Role": "DM"}, {"Role": "DS", "Count": 2}, {"Role": "QS"}]`,
			`DM-TEST-0001 shard.enable
DM-TEST-0001 iris.namespace
DS-TEST-0001 shard.enable
DS-TEST-0001 iris.namespace
DS-TEST-0002 shard.enable
DS-TEST-0002 iris.namespace
QS-TEST-0001 shard.enable
QS-TEST-0001 iris.namespace
DM-TEST-0001 shard.assign
DM-TEST-0001 shard.activate`},
		{"nodes are attached one by one to the first, and compute nodes last",
			`[{"Role": "DATA", "Count": 2}, {"Role": "COMPUTE"}]`,
			`DATA-TEST-0001 shard.enable
DATA-TEST-0002 shard.enable
DATA-TEST-0001 cluster.initialize
DATA-TEST-0002 cluster.attach
COMPUTE-TEST-0001 shard.enable
COMPUTE-TEST-0001 cluster.attach`},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := sim.New(t, sim.Defaults(kit(sim.OldKit)), c.definitions)
			if _, err := job(s, "provision").Provision(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(shardingKinds(planOf(t, s, deploy.VerbInstall)), "\n"); got != c.want {
				t.Errorf("the plan is\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}
