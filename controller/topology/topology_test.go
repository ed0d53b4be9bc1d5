package topology

import (
	"fmt"
	"strings"
	"testing"

	"icm/controller/spec"

	"github.com/google/go-cmp/cmp"
)

// load makes a topology of entries in the short form
// "DM 2 Mirror=true MirrorMap=primary,backup; AM 3". extra are further fields of the
// defaults file.
func load(t *testing.T, provider, extra, entries string) (*Topology, spec.Problems) {
	t.Helper()
	defaults := fmt.Sprintf(`{"Provider": %q, "Label": "ACME", "Tag": "TEST", "SSHUser": "u", "SSHPublicKey": "k.pub",
		"SSHPrivateKey": "k", "Region": "r", "Zone": "a,b", "AMI": "i", "InstanceType": "t", "Containerless": true, "DataDeviceName": "sdb",
		"WIJDeviceName": "sdc", "Journal1DeviceName": "sdd", "Journal2DeviceName": "sde" %s}`, provider, extra)
	var list []string
	for _, entry := range strings.Split(entries, ";") {
		words := strings.Fields(entry)
		fields := fmt.Sprintf(`"Role": %q, "Count": %q`, words[0], words[1])
		for _, w := range words[2:] {
			name, value, _ := strings.Cut(w, "=")
			fields += fmt.Sprintf(", %q: %q", name, value)
		}
		list = append(list, "{"+fields+"}")
	}
	s, problems := spec.Load(spec.Input{
		Defaults:    spec.File{Name: "defaults.json", Data: []byte(defaults)},
		Definitions: spec.File{Name: "definitions.json", Data: []byte("[\n" + strings.Join(list, ",\n") + "]")},
	})
	if len(problems) > 0 {
		t.Fatalf("the files themselves are wrong:\n%s", problems)
	}
	return Build(s)
}

const mirror = `, "Mirror": "true", "Namespace": "DB"`

func TestWhichTopologiesAreAccepted(t *testing.T) {
	for _, row := range []struct{ name, extra, entries, warning string }{
		{"one DM is a standalone instance", "", "DM 1", ""},
		{"a DM and AMs are a distributed cache cluster", "", "DM 1; AM 3", ""},
		{"a DM and DSs are a sharded cluster", "", "DM 1; DS 3; QS 2; AM 2; WS 1", ""},
		{"a single DS is not optimal", "", "DM 1; DS 1", "two or more DS"},
		{"VM alone", "", "VM 2", ""},
		{"CN alone", "", "CN 2", ""},
		{"two mirrored DMs", mirror, "DM 2", ""},
		{"two mirrored DMs with their arbiter", mirror, "DM 2; AR 1", ""},
		{"Mirror in the entry of the DM only", `, "Namespace": "DB"`, "DM 2 Mirror=true; AM 3; AR 1", ""},
		{"a MirrorMap that is longer than needed", mirror, "DM 3 MirrorMap=primary,backup,async,async", ""},
		{"fourteen asyncs", mirror, "DM 16 MirrorMap=primary,backup" + strings.Repeat(",async", 14), ""},
		{"everything mirrored", mirror, "DM 2; DS 4; AM 2; QS 1; AR 1", ""},
		{"a mirrored shard master with one AM is not optimal", mirror, "DM 2; DS 4; AM 1", "two or more AM"},
		{"a mirror of USER may be provisioned", `, "Mirror": true`, "DM 2", "USER"},
		{"QS without DS has nothing to do", "", "DM 1; QS 1", "nothing to do"},
		{"DATA nodes are a node-level sharded cluster", "", "DATA 2", ""},
		{"with COMPUTE nodes and web servers", "", "DATA 2; COMPUTE 2; WS 1", ""},
		{"a single DATA node is not optimal", "", "DATA 1", "two or more DATA"},
		{"mirrored DATA nodes go in pairs", mirror, "DATA 4; COMPUTE 1; AR 1", ""},
		{"mirrored DATA nodes with an async each", mirror, "DATA 6 MirrorMap=primary,backup,async", ""},
		{"mirrored DATA nodes choose their namespace themselves", `, "Mirror": true`, "DATA 2", ""},
		{"VM and CN beside anything", "", "DM 1; VM 1; CN 1", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			top, problems := load(t, spec.AWS, row.extra, row.entries)
			if len(problems) > 0 {
				t.Fatalf("refused:\n%s", problems)
			}
			if got := top.Warnings.String(); row.warning == "" && got != "" || !strings.Contains(got, row.warning) {
				t.Errorf("warnings are %q, want %q in them", got, row.warning)
			}
		})
	}
}

func TestWhichTopologiesAreRefused(t *testing.T) {
	for _, row := range []struct{ name, extra, entries, want string }{
		{"two DMs without Mirror, as in the guide's own sample", "", "DM 2; AM 3 StartCount=3; AR 1 StartCount=4", "2 DM nodes need Mirror (rule 4.3.2-one-dm: without a mirror there is exactly one DM node)"},
		{"Mirror with one DM", mirror, "DM 1", "there is one DM node (rule 4.3.1-two-dm: a mirror has at least two DM nodes)"},
		{"more DMs than MirrorMap has elements", mirror, "DM 3", "2 elements for 3 DM nodes"},
		{"a MirrorMap that begins with the backup", mirror, "DM 2 MirrorMap=backup,primary", "must begin with primary,backup"},
		{"a MirrorMap with the primary only", mirror, "DM 2 MirrorMap=primary", "must begin with primary,backup"},
		{"two backups", mirror, "DM 3 MirrorMap=primary,backup,backup", "second backup"},
		{"different MirrorMaps", mirror, "DM 1 MirrorMap=primary,backup; DM 1 StartCount=2 MirrorMap=primary,backup,async", "different MirrorMaps"},
		{"fifteen asyncs", mirror, "DM 17 MirrorMap=primary,backup" + strings.Repeat(",async", 15), "at most 14"},
		{"asyncs in a sharded cluster", mirror, "DM 3 MirrorMap=primary,backup,async; DS 2", "have no asyncs"},
		{"DM mirrored and DS not", mirror, "DM 2; DS 2 Mirror=false", "some of these nodes have Mirror"},
		{"an odd number of mirrored DSs", mirror, "DM 2; DS 3", "there are 3 DS nodes (rule 4.3.1-ds-pairs: mirrored DS nodes go in pairs)"},
		{"two arbiters", mirror, "DM 2; AR 2", "one arbiter is enough"},
		{"two entries of arbiters", mirror, "DM 2; AR 1; AR 1 StartCount=2", "one arbiter is enough"},
		{"an arbiter without a mirror", "", "DM 1; AR 1", "arbiter of a mirror"},
		{"an arbiter alone", mirror, "AR 1", "arbiter of a mirror"},
		{"AM without DM", "", "AM 2", "AM nodes need a DM"},
		{"DS without DM", "", "DS 2", "DS nodes need a DM"},
		{"QS without DM", "", "QS 2", "QS nodes need a DM"},
		{"WS without DM", "", "WS 2", "WS nodes need a DM"},
		{"COMPUTE without DATA", "", "COMPUTE 1", "COMPUTE nodes need DATA nodes"},
		{"COMPUTE with a DM", "", "DM 1; COMPUTE 1", "COMPUTE nodes need DATA nodes"},
		{"DATA beside a DM", "", "DATA 2; DM 1", "there are DATA nodes and DM nodes (rule icm-one-cluster"},
		{"AM nodes for DATA", "", "DATA 2; AM 1", "there are DATA nodes and AM nodes"},
		{"an odd number of mirrored DATA nodes", mirror, "DATA 3", "3 DATA nodes, and each mirror takes 2"},
		{"mirrored DATA nodes that do not fill their MirrorMap", mirror, "DATA 4 MirrorMap=primary,backup,async", "4 DATA nodes, and each mirror takes 3"},
		{"DATA nodes of which some are mirrored", "", "DATA 2 Mirror=true; DATA 2 StartCount=3", "some of these nodes have Mirror"},
		{"an arbiter for DATA nodes without a mirror", "", "DATA 2; AR 1", "arbiter of a mirror"},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, problems := load(t, spec.AWS, row.extra, row.entries)
			if !strings.Contains(problems.String(), row.want) {
				t.Fatalf("problems are %q, want %q in them", problems, row.want)
			}
			for _, p := range problems {
				if p.Hint == "" || p.Pos.Line == 0 {
					t.Errorf("no hint or place: %+v", p)
				}
			}
		})
	}
}

func TestAllBrokenRulesAreToldAtOnce(t *testing.T) {
	_, problems := load(t, spec.AWS, "", "DM 2; AR 2; DS 3 Mirror=true")
	var got []string
	for _, p := range problems {
		got = append(got, p.Field+" in line "+fmt.Sprint(p.Pos.Line))
	}
	want := []string{"Count in line 2", "Role in line 3", "Count in line 4", "Mirror in line 4"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, problems)
	}
}

// names are machine names without Label and Tag, and what each is in a mirror.
func names(stages [][]Node) []string {
	var all []string
	for _, stage := range stages {
		var words []string
		for _, n := range stage {
			word := fmt.Sprintf("%s%d", n.Role, n.Number)
			if n.Member != NotMirrored {
				word += ":" + string(n.Member)
			}
			words = append(words, word)
		}
		all = append(all, strings.Join(words, " "))
	}
	return all
}

func TestTheOrders(t *testing.T) {
	for _, row := range []struct {
		name, extra, entries string
		install, upgrade     []string
	}{
		{"a distributed cache cluster: data server first, and last to be upgraded", "", "AM 2; DM 1; VM 1",
			[]string{"DM1", "AM1 AM2"}, []string{"AM1 AM2", "DM1"}},
		{"a mirror: arbiter, primary, backup, asyncs", mirror, "DM 3 MirrorMap=primary,backup,async; AM 1; WS 1; AR 1",
			[]string{"AR1", "DM1:primary", "DM2:backup", "DM3:async", "AM1", "WS1"},
			[]string{"AR1", "WS1", "AM1", "DM3:async", "DM2:backup", "DM1:primary"}},
		{"a mirrored sharded cluster", mirror, "DM 2; DS 4; QS 1",
			[]string{"DM1:primary DS1:primary DS3:primary", "DM2:backup DS2:backup DS4:backup", "QS1"},
			[]string{"QS1", "DM2:backup DS2:backup DS4:backup", "DM1:primary DS1:primary DS3:primary"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			top, problems := load(t, spec.AWS, row.extra, row.entries)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(row.install, names(top.InstallOrder())); diff != "" {
				t.Errorf("install (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(row.upgrade, names(top.UpgradeOrder())); diff != "" {
				t.Errorf("upgrade (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatNodesAreToEachOther(t *testing.T) {
	top, problems := load(t, spec.AWS, mirror, "DM 2; DS 4; QS 3; AM 3; WS 2; AR 1")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	am, _ := top.Node("ACME-AM-TEST-0002")
	if dm, ok := top.DataServer(am); !ok || dm.MachineName != "ACME-DM-TEST-0001" || dm.Member != Primary {
		t.Errorf("the data server of AM 2 is %q", dm.MachineName)
	}
	ws, _ := top.Node("ACME-WS-TEST-0002")
	if diff := cmp.Diff([]string{"AM2 AM3 AM1"}, names([][]Node{top.WebTargetsOf(ws)})); diff != "" {
		t.Errorf("targets of WS 2: %s", diff)
	}
	var shards []Node
	for _, qs := range top.WithRole("QS") {
		ds, _ := top.ShardOf(qs)
		shards = append(shards, ds)
	}
	if diff := cmp.Diff([]string{"DS1:primary DS3:primary DS1:primary"}, names([][]Node{shards})); diff != "" {
		t.Errorf("shards of the QS nodes: %s", diff)
	}
	if diff := cmp.Diff([]string{"DM1:primary DM2:backup"}, names([][]Node{top.LicenseServers()})); diff != "" {
		t.Errorf("license servers: %s", diff)
	}
	var mirrors []string
	for _, m := range top.Mirrors() {
		mirrors = append(mirrors, m.Name+" "+names([][]Node{m.Members})[0])
	}
	if diff := cmp.Diff([]string{"MIRROR DM1:primary DM2:backup", "SHARD1 DS1:primary DS2:backup", "SHARD2 DS3:primary DS4:backup"}, mirrors); diff != "" {
		t.Errorf("mirrors: %s", diff)
	}
	if dm1, _ := top.Node("ACME-DM-TEST-0001"); dm1.Zone != "a" || !dm1.HasInstance() {
		t.Errorf("DM 1 is %+v", dm1)
	}
	if _, ok := top.Arbiter(); !ok || !top.Mirrored() || !top.Sharded() {
		t.Error("it is mirrored, sharded and has an arbiter")
	}
}

func TestWithoutAMTheWebServersUseTheDM(t *testing.T) {
	top, problems := load(t, spec.AWS, "", "DM 1; WS 2")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	ws, _ := top.Node("ACME-WS-TEST-0002")
	if diff := cmp.Diff([]string{"DM1"}, names([][]Node{top.WebTargetsOf(ws)})); diff != "" {
		t.Error(diff)
	}
}

func TestInPreExistingTheOrderOfEntriesIsTheOrderOfTheMap(t *testing.T) {
	top, problems := load(t, spec.PreExisting, mirror+`, "MirrorMap": "primary,backup,async"`,
		"DM 1 IPAddress=10.0.0.1 StartCount=3; DM 1 IPAddress=10.0.0.2 StartCount=1; DM 1 IPAddress=10.0.0.3 StartCount=2")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff([]string{"DM3:primary DM1:backup DM2:async"}, names([][]Node{top.DataServers()})); diff != "" {
		t.Error(diff)
	}
}

func TestAMirrorOfUSERIsNotInstalled(t *testing.T) {
	for extra, refused := range map[string]bool{`, "Mirror": true`: true, `, "Mirror": true, "Namespace": "user"`: true, mirror: false} {
		top, problems := load(t, spec.AWS, extra, "DM 2")
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if got := len(top.InstallProblems()) > 0; got != refused {
			t.Errorf("%s: refused is %v", extra, got)
		}
	}
}
