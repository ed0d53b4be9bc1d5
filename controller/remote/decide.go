package remote

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"icm/controller/agentbin"
	"icm/internal/hint"
	"icm/internal/wire"
)

// AgentSource has the agents to put on nodes; agentbin.Source is one.
type AgentSource interface {
	Build() string
	For(arch string) (agentbin.Agent, error)
}

// action is what bootstrap does about a status.
type action int

const (
	actKeep     action = iota // a newer agent runs and speaks our protocol
	actStart                  // the agent that is there is right, and does not run
	actPush                   // put ours there
	actActivate               // ours is there, it is not the current one
)

// decide says what has to be done, and refuses a node that cannot hold an agent.
//
//	agent on the node                    action
//	newer than ours, running             keep, if it speaks our protocol; else refuse
//	newer than ours, not running         start it, if it speaks our protocol; else refuse
//	ours, complete (by its checksum)     activate
//	anything else, or none               push
func decide(st status, ours string, agent func(arch string) (agentbin.Agent, error)) (action, agentbin.Agent, error) {
	if err := fit(st); err != nil {
		return 0, agentbin.Agent{}, err
	}
	if newer(st, ours) {
		return decideNewer(st, ours)
	}
	a, err := agent(st.arch())
	if err != nil {
		return 0, a, unfit(err)
	}
	if st.SHA256 == a.SHA256 {
		return actActivate, a, nil
	}
	// The old agent stays beside the new one until that answers.
	if need := (a.Size + a.Size/4 + 1<<20) / 1024; st.FreeKB < need {
		return 0, a, hint.New(fmt.Errorf("%w: %s has %d MB free, the agent needs %d MB", ErrUnfit, wire.AgentLib,
			st.FreeKB>>10, need>>10), "make space in the file system of /usr/local")
	}
	return actPush, a, nil
}

func decideNewer(st status, ours string) (action, agentbin.Agent, error) {
	if st.Oldest > wire.Version {
		return 0, agentbin.Agent{}, hint.New(fmt.Errorf("%w: agent %s is newer than this icm (%s) and no longer speaks its protocol",
			ErrUnfit, st.Build, ours), "use the icm of that version or a later one")
	}
	if st.Active {
		return actKeep, agentbin.Agent{}, nil
	}
	return actStart, agentbin.Agent{}, nil
}

// fit refuses a node where no agent can run.
func fit(st status) error {
	switch {
	case st.Kernel != "Linux":
		return fmt.Errorf("%w: it runs %s, not Linux", ErrUnfit, st.Kernel)
	case st.Sudo != "ok":
		return sudoError(st)
	case !st.Systemd:
		return hint.New(fmt.Errorf("%w: its process 1 is %s, not systemd", ErrUnfit, st.Init),
			"nodes must be booted with systemd; a plain container is not")
	}
	return nil
}

func sudoError(st status) error {
	err := fmt.Errorf("%w for user %s: %s", ErrNoSudo, st.User, st.Sudo)
	if strings.Contains(st.Sudo, "tty") {
		return hint.New(err, "put this line into a file in /etc/sudoers.d: Defaults:"+st.User+" !requiretty")
	}
	if strings.Contains(st.Sudo, "not found") {
		return hint.New(err, "install sudo on the node")
	}
	return hint.New(err, "put this line into a file in /etc/sudoers.d: "+st.User+" ALL=(ALL) NOPASSWD:ALL")
}

func unfit(err error) error { return fmt.Errorf("%w: %w", ErrUnfit, err) }

// newer reports whether the node's agent is of a later version than ours. An
// agent whose version cannot be compared counts as older: it is replaced, and
// can be put back.
func newer(st status, ours string) bool {
	if st.Build == "" || st.Build == ours {
		return false
	}
	if st.Newest != 0 && st.Newest != wire.Version {
		return st.Newest > wire.Version
	}
	theirs, ok1 := version(st.Build)
	mine, ok2 := version(ours)
	if !ok1 || !ok2 {
		return false
	}
	for i := range theirs {
		if theirs[i] != mine[i] {
			return theirs[i] > mine[i]
		}
	}
	return false
}

var versionPattern = regexp.MustCompile(`^v?(\d{1,6})\.(\d{1,6})(?:\.(\d{1,6}))?(?:[-+.~].*)?$`)

func version(build string) (v [3]int, ok bool) {
	m := versionPattern.FindStringSubmatch(build)
	if m == nil {
		return v, false
	}
	for i := range v {
		v[i], _ = strconv.Atoi(m[i+1]) // "" is 0
	}
	return v, true
}

// explain sorts what a script of ours reported.
func explain(said string) error {
	low := strings.ToLower(said)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(low, w) {
				return true
			}
		}
		return false
	}
	err := fmt.Errorf("%w: %s", ErrUnfit, said)
	switch {
	case has("no space left", "disk quota"):
		return hint.New(err, "make space in the file system of /usr/local")
	case has("read-only file system"):
		return hint.New(err, "mount /usr/local and /etc read-write")
	case has("cannot run:") && has("permission denied", "operation not permitted"):
		return hint.New(err, "mount /usr/local without noexec, and allow "+wire.AgentLib+" in the node's security policy (fapolicyd, SELinux)")
	case has("exec format error", "syntax error"):
		return hint.New(err, "the node's architecture is not what uname -m says")
	case has("damaged"):
		return fmt.Errorf("%w: %s", ErrLost, said)
	case has("password is required", "must have a tty", "not in the sudoers"):
		return sudoError(status{User: "SSHUser", Sudo: said})
	case has("service does not start", "does not work here"):
		return hint.New(err, "on the node: journalctl -u "+wire.AgentUnit)
	default:
		return err
	}
}
