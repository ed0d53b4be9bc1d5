package deploy

import (
	"icm/internal/kind"
)

// inPlace waits until an upgraded member has its place in the mirror again.
func inPlace(_ cluster, m member) []draft {
	if m.Mirror == "" {
		return nil
	}
	want := kind.WantBackup
	if memberType(m) == kind.DRAsync {
		want = kind.WantAsync
	}
	return []draft{waitFor(m, want, keyUpgrade)}
}

// prepareFailover makes what comes after it short: the primary is copied while
// it serves, and the other one proves that it could take over.
func prepareFailover(c cluster, m member) []draft {
	if isPrimary(c, m) {
		return warmCopy(c, m)
	}
	d := waitFor(m, kind.WantBackup, keyTakeover)
	d.key = "can-take-over"
	return []draft{d}
}

// failover stops the primary cleanly, and waits on the other member until it
// has taken over.
func failover(c cluster, m member) []draft {
	if isPrimary(c, m) {
		return stopForUpgrade(c, m)
	}
	return []draft{takeover(m, keyTakeover)}
}

func takeover(m member, key string) draft {
	return draft{
		key: key, kind: kind.MirrorTakeover, summary: "Take over mirror " + m.Mirror,
		args: kind.MirrorPlace{Mirror: m.mirror(), Seconds: defaultStartSeconds}, need: always,
	}
}

// failBack is the way back to the member that was primary when it all began.
func failBack(c cluster, m member) []draft {
	if isPrimary(c, m) {
		return []draft{takeover(m, "take-back")}
	}
	return []draft{{key: "stop-back", kind: kind.IRISStop, summary: "Stop " + m.Instance.Name + ", so that the first primary takes over", args: m.stop(), need: always}}
}

// startAgain starts the member that was stopped for it.
func startAgain(_ cluster, m member) []draft {
	back := waitFor(m, kind.WantBackup)
	back.key, back.need = "wait-back", always
	return []draft{
		{key: "start-back", kind: kind.IRISStart, summary: "Start " + m.Instance.Name, args: m.start(), need: always},
		{key: "health-back", kind: kind.IRISHealth, summary: "Wait until " + m.Instance.Name + " is ready", args: m.start(), need: always},
		back,
	}
}

// stopWithoutFailover stops the last member of a mirror.
func stopWithoutFailover(c cluster, m member) []draft {
	tasks := stopForUpgrade(c, m)
	tasks[0].args = m.stopAll()
	return tasks
}
