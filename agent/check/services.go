package check

import (
	"context"

	"icm/agent/host"
	"icm/agent/webgateway"
	"icm/internal/wire"
)

// agentProgram is the name of the ISCAgent's process, as the kernel tells it.
const agentProgram = "ISCAgent"

func checkAgentPort(_ context.Context, n node) []wire.Finding {
	port := n.req.AgentPort
	if port == 0 {
		return nil
	}
	held, err := host.Listeners(n.Root, []int{port})
	if err != nil {
		return finding(fail, "", "%v", err)
	}
	by, taken := held[port]
	switch {
	case !taken:
		return finding(pass, "", "port %d (ISCAgent) is free", port)
	case by.Name == agentProgram:
		return finding(pass, "", "port %d is held by an ISCAgent", port)
	case by.PID == 0:
		return finding(fail, "stop what listens there, or set ISCAgentPort", "port %d (ISCAgent) is taken by a process that cannot be seen", port)
	}
	return finding(fail, "stop it, or set ISCAgentPort", "port %d (ISCAgent) is taken by %s, process %d", port, by.Name, by.PID)
}

func checkApache(_ context.Context, n node) []wire.Finding {
	if !n.req.Apache {
		return nil
	}
	web, ok := webgateway.FindApache(n.Root)
	if !ok {
		return finding(fail, webgateway.NoApache, "there is no Apache for the Web Gateway")
	}
	return finding(pass, "", "there is an Apache, configured by %s", web.Conf)
}
