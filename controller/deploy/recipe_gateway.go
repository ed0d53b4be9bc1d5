package deploy

import (
	"icm/controller/topology"
	"icm/internal/kind"
)

// gatewayUser is the account under which Web Gateways sign on.
const gatewayUser = "CSPSystem"

func gatewayKit(m member) kind.Gateway {
	return kind.Gateway{Kit: m.Kit, Version: m.KitInfo.Version}
}

// installGateway brings the Web Gateway of its own kit into the node's Apache.
func installGateway(_ cluster, m member) []draft {
	return []draft{{key: keyInstall, kind: kind.GatewayInstall, summary: "Install Web Gateway " + m.KitInfo.Version, args: gatewayKit(m)}}
}

// gatewayPage is a page that the gateway answers itself, to the node it is on.
const gatewayPage = "/csp/bin/Systems/Module.cxw"

// upgradeGateway replaces it and proves that it answers. Its servers stand in
// CSP.ini, which the installer leaves alone.
func upgradeGateway(_ cluster, m member) []draft {
	return []draft{
		{key: keyUpgrade, kind: kind.GatewayInstall, summary: "Upgrade to Web Gateway " + m.KitInfo.Version, args: gatewayKit(m)},
		{key: "answers", kind: kind.GatewayCheck, summary: "Wait until the Web Gateway answers", args: kind.GatewayPage{Path: gatewayPage}, need: ifWith, with: []string{keyUpgrade}},
	}
}

// bindGateway tells a gateway its servers, as section 4.2.7 of ICM's guide has
// it: each gateway has another one for its default.
func bindGateway(c cluster, m member) []draft {
	conf := kind.GatewayConfig{User: gatewayUser}
	for _, t := range c.topo.WebTargets() {
		s := c.all[t.MachineName]
		if s.Machine == "" || async(c, s) {
			continue
		}
		conf.Servers = append(conf.Servers, kind.GatewayServer{
			Name: s.Machine, Address: s.Peer, Port: s.superServer(), MirrorAware: s.Mirror != "",
		})
		if s.hasPassword {
			conf.PasswordSecret = secretPassword
		}
	}
	servers := c.webServersOf(m.node)
	if len(servers) == 0 {
		return nil
	}
	conf.Paths = []kind.GatewayPath{{Path: "/csp", Servers: servers[:1]}}
	if path := m.node.Fields.Get("ApplicationPath"); path != "" {
		conf.Paths = append(conf.Paths, kind.GatewayPath{Path: path, Servers: servers, Mode: m.node.Fields.Get("AlternativeServers")})
	}
	return []draft{{key: "gateway", kind: kind.GatewayConfigure, summary: "Tell the Web Gateway its servers, " + servers[0] + " first", args: conf, need: ifEither, with: []string{keyInstall}}}
}

// webServersOf are the names of a gateway's servers, its default first.
func (c cluster) webServersOf(n topology.Node) []string {
	var out []string
	for _, t := range c.topo.WebTargetsOf(n) {
		if s := c.all[t.MachineName]; s.Machine != "" && !async(c, s) {
			out = append(out, s.Machine)
		}
	}
	return out
}

// letGatewaysIn gives the gateways' account its password on an instance that
// they talk to.
func letGatewaysIn(c cluster, m member) []draft {
	if len(c.topo.WithRole("WS")) == 0 || !m.hasPassword || async(c, m) {
		return nil
	}
	for _, t := range c.topo.WebTargets() {
		if t.MachineName == m.Machine {
			return []draft{{
				key: "web-user", kind: kind.IRISUser, summary: "Let the Web Gateways sign on as " + gatewayUser,
				args: kind.User{Instance: m.Instance, Name: gatewayUser, PasswordSecret: secretPassword},
			}}
		}
	}
	return nil
}

// removeGateway takes the Web Gateway off a node.
func removeGateway(_ cluster, m member) []draft {
	tasks := []draft{{key: keyRemove, kind: kind.GatewayRemove, summary: "Uninstall the Web Gateway", args: gatewayKit(m)}}
	return append(tasks, removeKits(m)...)
}

// removeArbiter takes the ISCAgent of an arbiter off its node.
func removeArbiter(_ cluster, m member) []draft {
	tasks := []draft{{key: keyRemove, kind: kind.AgentRemove, summary: "Uninstall the ISCAgent", args: kind.ISCAgent{Kit: m.Kit, Version: m.KitInfo.Version}}}
	return append(tasks, removeKits(m)...)
}

func removeKits(m member) []draft {
	if m.Kit.Name == "" {
		return nil
	}
	return []draft{{key: "kits", kind: kind.KitRemove, summary: "Remove " + m.Kit.Name, args: m.Kit}}
}
