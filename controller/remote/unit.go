package remote

import (
	"fmt"

	"icm/internal/wire"
)

// unitDir is where the administrator's unit files are.
const unitDir = "/etc/systemd/system"

// unitFile is the agent's service.
//
// KillMode=process: installers and instances that the agent started are in its
// control group, and must outlive a restart or an upgrade of the agent.
// Restart and no start limit: the agent goes on with a change that was under
// way, however often it is killed.
// There is no ProtectSystem=, PrivateTmp= or the like, because each gives the
// service a mount namespace of its own, and what it mounts would be seen by
// nobody else; no NoNewPrivileges=, because instances run setuid programs.
func unitFile() string {
	return fmt.Sprintf(`[Unit]
Description=Agent of icm, the InterSystems IRIS installer
After=local-fs.target network.target
StartLimitIntervalSec=0

[Service]
Type=notify
ExecStart=%[1]s/current/icm-agent serve
WatchdogSec=60
TimeoutStartSec=60
TimeoutStopSec=60
Restart=always
RestartSec=2
KillMode=process
RuntimeDirectory=icm-agent
RuntimeDirectoryMode=0755
StateDirectory=icm-agent
StateDirectoryMode=0700
TasksMax=infinity
LimitNOFILE=65536
LimitMEMLOCK=infinity
LockPersonality=yes

[Install]
WantedBy=multi-user.target
`, wire.AgentLib)
}

// watchUnitFile is the service that changes the agent and watches the new one.
// It is a service of its own, so that it outlives both agents and whoever began
// the update; systemd starts it again when it is killed, and at boot when an
// update was under way.
func watchUnitFile() string {
	return fmt.Sprintf(`[Unit]
Description=Update of the agent of icm
ConditionPathExists=%[1]s/update
StartLimitIntervalSec=0

[Service]
Type=simple
ExecStart=/bin/sh %[1]s/switch.sh watch %[1]s %[2]s %[3]s %[4]s
Restart=on-failure
RestartSec=1

[Install]
WantedBy=multi-user.target
`, wire.AgentLib, wire.AgentUnit, unitDir, watchTimes)
}
