package deploy

import (
	"fmt"

	"icm/internal/kind"
	"icm/internal/wire"
)

// This file is the table of contents of everything icm does to a node: which
// tasks, in which order, and what each is for. How a task is done is the
// agent's business.

// Keys of drafted tasks that others refer to.
const (
	keyInstall   = "install"
	keyUpgrade   = "upgrade"
	keyStop      = "stop"
	keyLicense   = "license"
	keyConfigure = "configure"
	keyUnit      = "unit"
	keyStart     = "start"
	keyRemove    = "remove"
)

// configureNode is what `icm provision` does on a node, once it can be reached.
func configureNode(s settings) []draft {
	tasks := []draft{{key: "ssh", kind: kind.SSHHarden, summary: "Let " + s.SSH.User + " in by key only", args: s.SSH}}
	for _, v := range s.Volumes {
		tasks = append(tasks, draft{
			key: "volume-" + v.Purpose, kind: kind.VolumeMount, args: v,
			summary: fmt.Sprintf("Mount %s volume %s at %s", v.Purpose, v.Device, v.MountPoint),
		})
	}
	return tasks
}

// stageKit fetches and unpacks, for the tasks named: nothing runs from a kit
// before it is complete and checked, and nothing is stopped meanwhile.
func stageKit(s settings, serves ...string) []draft {
	from := "Fetch " + s.Kit.Name
	if brought(s.Kit) {
		from = "Bring " + s.Kit.Name
	}
	return []draft{
		{key: "fetch", kind: kind.KitFetch, summary: from, args: s.Kit, need: ifWith, with: serves},
		{key: "unpack", kind: kind.KitUnpack, summary: "Unpack " + s.Kit.Name, args: s.Kit, need: ifWith, with: serves},
	}
}

// Kits are staged for what is going to be done with them.
func stageForInstall(s settings) []draft   { return stageKit(s, keyInstall) }
func stageForUpgrade(s settings) []draft   { return stageKit(s, keyUpgrade) }
func cleanAfterInstall(s settings) []draft { return cleanKit(s, keyInstall) }
func cleanAfterUpgrade(s settings) []draft { return cleanKit(s, keyUpgrade) }

// installInstance brings an instance onto a node and configures it; nothing
// has been started when it ends. A running instance whose configuration is to
// change is stopped for it.
func installInstance(s settings) []draft {
	tasks := []draft{
		{key: "accounts", kind: kind.AccountEnsure, summary: "Make accounts " + s.Account.Owner + " and " + s.Account.User, args: s.Account},
	}
	if s.hasKernel() {
		tasks = append(tasks, draft{key: "kernel", kind: kind.KernelSet, summary: "Set kernel parameters", args: s.Kernel})
	}
	for _, d := range s.Dirs {
		tasks = append(tasks, draft{key: "dir-" + d.Path, kind: kind.DirEnsure, summary: "Make directory " + d.Path, args: d})
	}
	tasks = append(tasks,
		draft{key: keyInstall, kind: kind.IRISInstall, summary: fmt.Sprintf("Install %s %s in %s", s.Instance.Name, s.KitInfo.Version, s.Instance.Dir), args: s.install("")},
		draft{key: keyStop, kind: kind.IRISStop, summary: "Stop " + s.Instance.Name + " for its new configuration", args: s.stop(), need: ifWithAndUnsatisfied, with: []string{keyConfigure, keyLicense}},
	)
	if s.License != nil {
		tasks = append(tasks, draft{key: keyLicense, kind: kind.IRISLicense, summary: "Put the licence key in place", args: *s.License})
	}
	return append(tasks,
		draft{key: keyConfigure, kind: kind.IRISConfigure, summary: "Configure " + s.Instance.Name, args: s.configure()},
		draft{key: keyUnit, kind: kind.IRISUnit, summary: "Run " + s.Instance.Name + " under systemd", args: kind.Unit{Instance: s.Instance, Mounts: s.mountPoints()}},
	)
}

// startInstance starts what was installed and proves that it serves.
func startInstance(s settings) []draft {
	return []draft{
		{key: keyStart, kind: kind.IRISStart, summary: "Start " + s.Instance.Name, args: s.start(), need: ifEither, with: []string{keyStop, keyConfigure}},
		{key: "health", kind: kind.IRISHealth, summary: "Wait until " + s.Instance.Name + " is ready", args: s.start(), need: ifWith, with: []string{keyStart}},
		{key: "verify", kind: kind.IRISVerify, summary: "Read the configuration back", args: s.verify(), need: ifEither, with: []string{keyStart}},
	}
}

// serveData makes a data server of an instance that runs.
func serveData(c cluster, s member) []draft {
	var tasks []draft
	clients := c.clients()
	if s.Role != "DM" {
		clients = 0
	}
	if s.Role == "DATA" {
		return nil // the cluster makes its own namespaces
	}
	switch {
	case s.Mirror != "":
		tasks = mirrorNamespace(s)
	default:
		tasks = localNamespace(s)
	}
	if clients > 0 {
		tasks = append(tasks, draft{
			key: "ecp", kind: kind.ECPServe, summary: fmt.Sprintf("Serve data to %d application servers", clients),
			args: kind.ECPServer{Instance: s.Instance, Merge: s.KitInfo.HasMerge(), Clients: clients},
		})
	}
	return tasks
}

// localNamespace makes the namespace with its database on the instance itself.
func localNamespace(s member) []draft {
	if !s.ownNamespace() {
		return nil
	}
	return []draft{{key: "namespace", kind: kind.IRISNamespace, summary: "Make namespace " + s.Namespace, args: s.namespace()}}
}

// serveApplications makes an application server of an instance that runs. A
// query shard has a namespace of its own, as data shards have.
func serveApplications(c cluster, s member) []draft {
	data := c.server(s)
	switch s.Role {
	case "QS":
		return localNamespace(s)
	case "AM":
	default:
		return nil
	}
	return []draft{{
		key: "ecp", kind: kind.ECPConnect, summary: fmt.Sprintf("Connect namespace %s to %s", s.Namespace, data.Machine),
		args: kind.ECPClient{
			Instance: s.Instance, Merge: s.KitInfo.HasMerge(), Server: ecpName(data.Machine),
			Address: data.Peer, Port: data.superServer(), Namespace: s.Namespace, RemoteDir: data.databaseDir(),
			Mirror: data.Mirror != "",
		},
	}}
}

// cleanKit removes what was unpacked, also by an operation that was killed before
// it came to this.
func cleanKit(s settings, serves ...string) []draft {
	return []draft{{key: "clean", kind: kind.KitRemove, summary: "Remove the unpacked kit", args: s.Kit, need: ifEither, with: serves}}
}

// upgradeInstance replaces the version of an instance. The copy made warm
// keeps the time short in which it is down; all before the discard can be
// undone, and then the old version runs again.
func upgradeInstance(c cluster, m member) []draft {
	return inOrder(warmCopy, stopForUpgrade, exchange, restart)(c, m)
}

// warmCopy copies most of what an upgrade is undone from, before anything stops.
func warmCopy(_ cluster, m member) []draft {
	return []draft{{
		key: "warm", kind: kind.IRISSnapshot, summary: "Copy version " + m.now.version + " while it runs",
		args: kind.Snapshot{Instance: m.Instance, Warm: true}, need: ifWith, with: []string{keyUpgrade},
	}}
}

func stopForUpgrade(_ cluster, m member) []draft {
	return []draft{{key: keyStop, kind: kind.IRISStop, summary: "Stop " + m.Instance.Name, args: m.stop(), need: ifWithAndUnsatisfied, with: []string{keyUpgrade}}}
}

// exchange puts the new version in the place of the old one, which is down.
func exchange(_ cluster, m member) []draft {
	from, serves := m.now.version, []string{keyUpgrade}
	return []draft{
		{key: "snapshot", kind: kind.IRISSnapshot, summary: "Complete the copy of version " + from, args: kind.Snapshot{Instance: m.Instance}, need: ifWith, with: serves},
		{key: keyUpgrade, kind: kind.IRISUpgrade, summary: fmt.Sprintf("Upgrade %s from %s to %s", m.Instance.Name, from, m.KitInfo.Version), args: m.install(from)},
		// A newer kit's installer may bring its own ideas into iris.cpf.
		{key: keyConfigure, kind: kind.IRISConfigure, summary: "Keep the configuration of " + m.Instance.Name, args: m.verify(), need: ifWith, with: serves},
	}
}

// restart starts the new version and proves that it serves.
func restart(_ cluster, m member) []draft {
	serves := []string{keyUpgrade}
	return []draft{
		{key: keyStart, kind: kind.IRISStart, summary: "Start " + m.Instance.Name, args: m.start(), need: ifWith, with: serves},
		{key: "health", kind: kind.IRISHealth, summary: "Wait until " + m.Instance.Name + " is ready", args: m.start(), need: ifWith, with: serves},
		{key: "verify", kind: kind.IRISVerify, summary: "Read the version back", args: m.verifyVersion(), need: ifWith, with: serves},
	}
}

// startOnly is `icm start`.
func startOnly(s settings) []draft { return startInstance(s)[:2] }

// stopOnly is `icm stop`.
func stopOnly(s settings) []draft {
	return []draft{{key: keyStop, kind: kind.IRISStop, summary: "Stop " + s.Instance.Name, args: s.stop()}}
}

// stopLast stops a data server; with NoFailover, where its whole mirror goes
// down.
func stopLast(c cluster, m member) []draft {
	tasks := stopOnly(m.settings)
	if m.Mirror != "" && !leaving(c, m) {
		tasks[0].args = m.stopAll()
	}
	return tasks
}

// forgetOld deletes the copy that an upgrade could have been undone from.
func forgetOld(_ cluster, s member) []draft {
	if !s.node.HasInstance() {
		return nil
	}
	return []draft{{key: "discard", kind: kind.IRISDiscard, summary: "Delete the copy of the old version", args: kind.Snapshot{Instance: s.Instance}, need: ifEither, with: []string{keyUpgrade}}}
}

// releaseNode takes icm's hands off a node that stays: what is on the volumes
// stays too.
func releaseNode(s settings) []draft {
	var tasks []draft
	for _, v := range s.Volumes {
		tasks = append(tasks, draft{key: "volume-" + v.Purpose, kind: kind.VolumeRelease, summary: "Unmount " + v.MountPoint, args: v})
	}
	return append(tasks, draft{key: "restore", kind: kind.NodeRestore, summary: "Bring back kernel settings, accounts and logins as they were", args: kind.Restore{Kinds: []string{kind.KernelSet, kind.AccountEnsure, kind.SSHHarden}}})
}

// releaseLogins takes back how icm logs in, and nothing else.
func releaseLogins(settings) []draft {
	return []draft{{key: "restore", kind: kind.NodeRestore, summary: "Bring back logins as they were", args: kind.Restore{Kinds: []string{kind.SSHHarden}}}}
}

// releaseInstance takes back how icm logs in and its service, and leaves the
// instance as it is.
func releaseInstance(s settings) []draft {
	return append([]draft{{key: keyUnit, kind: kind.IRISRelease, summary: "Remove icm's service of " + s.Instance.Name + ", which goes on running", args: s.Instance}}, releaseLogins(s)...)
}

// removeInstance takes an instance off a node. Data volumes stay.
func removeInstance(s settings, dataToo bool) []draft {
	tasks := []draft{
		{key: keyStop, kind: kind.IRISStop, summary: "Stop " + s.Instance.Name, args: s.stop(), need: ifWithAndUnsatisfied, with: []string{keyRemove}},
		{key: keyRemove, kind: kind.IRISRemove, summary: "Uninstall " + s.Instance.Name + " from " + s.Instance.Dir, args: kind.Remove{Instance: s.Instance, Accounts: true}},
	}
	if s.Kit.Name != "" {
		tasks = append(tasks, draft{key: "kits", kind: kind.KitRemove, summary: "Remove " + s.Kit.Name, args: s.Kit})
	}
	if dataToo {
		tasks = append(tasks, draft{key: "data", kind: kind.DataRemove, summary: "Delete all data of " + s.Machine, args: kind.Data{Instance: s.Instance.Name, Paths: s.mountPoints()}})
	}
	return append(tasks, draft{
		key: "restore", kind: kind.NodeRestore, summary: "Bring back kernel settings and accounts as they were",
		args: kind.Restore{Kinds: []string{kind.KernelSet, kind.AccountEnsure}},
	})
}

// onEach makes a stage in which the same recipe runs on many nodes.
func onEach(name string, nodes []settings, onError wire.OnError, recipe func(settings) []draft) draftStage {
	st := draftStage{name: name}
	for _, s := range nodes {
		st.changes = append(st.changes, draftChange{node: s.Machine, onError: onError, tasks: recipe(s)})
	}
	return st
}
