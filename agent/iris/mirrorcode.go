package iris

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

// This file holds the ObjectScript of mirroring, in the form that every release
// understands.

// mirrorState writes one line for each thing a member tells. A line that a
// release does not understand is missing, which does no harm to the others.
const mirrorState = `set mirror=$SYSTEM.Mirror.MirrorName()
set state=$SYSTEM.Mirror.GetMemberStatus(mirror)
write !,"icm-"_"name="_mirror
write !,"icm-"_"status="_$listget(state,1)
write !,"icm-"_"transfer="_$listget(state,2)
write !,"icm-"_"dejournal="_$listget(state,3),!
kill set do ##class(Config.Mirrors).Get(mirror,.set)
write !,"icm-"_"arbiter="_$get(set("ArbiterNode")),!`

// mirrorService lets other members in, or no longer.
func mirrorService(on bool) string {
	value := 0
	if on {
		value = 1
	}
	return fmt.Sprintf("kill new\nset new(\"Enabled\")=%d\nset sc=##class(Security.Services).Modify(\"%%Service_Mirror\",.new)", value)
}

const mirrorServed = `do ##class(Security.Services).Get("%Service_Mirror",.old) write +old("Enabled")`

// Files of a TLS directory, by the names that ICM gives them.
const (
	CAFile          = "CAFile.pem"
	CertificateFile = "CertificateFile.pem"
	PrivateKeyFile  = "PrivateKeyFile.pem"
)

// mirrorTLS makes the two TLS configurations that mirroring uses: as a client
// and as a server that wants a certificate too.
func mirrorTLS(dir string) string {
	return "set sc=1\n" + sslConfig("%MirrorClient", dir, sslClient, 1) + "\n" + sslConfig("%MirrorServer", dir, sslServer, 3)
}

// Types of TLS configurations.
const (
	sslClient = 0
	sslServer = 1
)

// sslConfig makes a TLS configuration, or gives one that is there these files.
// verify is what it asks of the other side: 1 a certificate, if there is one;
// 3 a good one.
func sslConfig(name, dir string, kind, verify int) string {
	file := func(name string) string { return quote(filepath.Join(dir, name)) }
	return fmt.Sprintf("kill new\nset new(\"CAFile\")=%s,new(\"CertificateFile\")=%s,new(\"PrivateKeyFile\")=%s,new(\"Type\")=%d,new(\"VerifyPeer\")=%d,new(\"Enabled\")=1\n",
		file(CAFile), file(CertificateFile), file(PrivateKeyFile), kind, verify) +
		fmt.Sprintf("if +sc=1 set there=##class(Security.SSLConfigs).Exists(%[1]s)\nif +sc=1,'there set sc=##class(Security.SSLConfigs).Create(%[1]s,.new)\nif +sc=1,there set sc=##class(Security.SSLConfigs).Modify(%[1]s,.new)", quote(name))
}

// about is what a member says of itself when it creates or joins a mirror.
func about(m kind.MirrorMember) string {
	code := "kill m,tls\n" + fmt.Sprintf("set m(\"ECPAddress\")=%[1]s,m(\"AgentAddress\")=%[1]s", quote(m.Address))
	if m.AgentPort != 0 {
		code += fmt.Sprintf(",m(\"AgentPort\")=%d", m.AgentPort)
	}
	if m.Arbiter != "" {
		code += ",m(\"ArbiterNode\")=" + quote(arbiterNode(m.Arbiter))
	}
	if m.TLSDir == "" {
		return code + ",m(\"UseSSL\")=0"
	}
	return code + ",m(\"UseSSL\")=1\n" + fmt.Sprintf("set tls(\"CAFile\")=%s,tls(\"CertificateFile\")=%s,tls(\"PrivateKeyFile\")=%s",
		quote(filepath.Join(m.TLSDir, CAFile)), quote(filepath.Join(m.TLSDir, CertificateFile)), quote(filepath.Join(m.TLSDir, PrivateKeyFile)))
}

// arbiterNode writes "host:port" as IRIS wants it.
func arbiterNode(hostPort string) string {
	host, port := hostPort, fmt.Sprint(AgentPort)
	if i := strings.LastIndexByte(hostPort, ':'); i >= 0 {
		host, port = hostPort[:i], hostPort[i+1:]
	}
	return strings.Trim(host, "[]") + "|" + port
}

// MirrorServed reports whether other members are let in.
func (n *Node) MirrorServed(ctx context.Context, in wire.Instance) (bool, error) {
	v, err := n.Value(ctx, in, "ask about %Service_Mirror", mirrorServed)
	return v == "1", err
}

// ServeMirror lets other members in, or no longer.
func (n *Node) ServeMirror(ctx context.Context, in wire.Instance, on bool) error {
	return n.Execute(ctx, in, "change %Service_Mirror", mirrorService(on))
}

// CreateMirror makes a mirror with this instance alone.
func (n *Node) CreateMirror(ctx context.Context, in wire.Instance, m kind.MirrorMember) error {
	if err := n.prepareTLS(ctx, in, m); err != nil {
		return err
	}
	args := fmt.Sprintf("(%s,%s,.m", quote(m.Mirror.Mirror), quote(m.Member))
	if m.TLSDir != "" {
		args += ",.tls"
	}
	return explainMirror(n.Execute(ctx, in, "create mirror "+m.Mirror.Mirror,
		about(m)+"\nset sc=##class(SYS.Mirror).CreateNewMirrorSet"+args+")"))
}

// JoinMirror makes the instance a member of a mirror that is there.
func (n *Node) JoinMirror(ctx context.Context, in wire.Instance, j kind.JoiningMember) error {
	if err := n.prepareTLS(ctx, in, j.MirrorMember); err != nil {
		return err
	}
	port := j.First.AgentPort
	if port == 0 {
		port = AgentPort
	}
	args := fmt.Sprintf("(%s,%s,%s,%s,%d,", quote(j.Mirror.Mirror), quote(j.Member), quote(j.First.Instance), quote(j.First.Address), port)
	method := "JoinMirrorAsFailoverMember"
	if j.Type == kind.DRAsync {
		method, args = "JoinMirrorAsAsyncMember", args+"0," // 0 is disaster recovery
	}
	args += ".m"
	if j.TLSDir != "" {
		args += ",.tls"
	}
	me := j.MirrorMember
	me.Arbiter = "" // the mirror has one already, or none
	return explainMirror(n.Execute(ctx, in, "join mirror "+j.Mirror.Mirror, about(me)+"\nset sc=##class(SYS.Mirror)."+method+args+")"))
}

func (n *Node) prepareTLS(ctx context.Context, in wire.Instance, m kind.MirrorMember) error {
	if m.TLSDir == "" {
		return nil
	}
	return n.Execute(ctx, in, "make the TLS configurations of mirroring", mirrorTLS(m.TLSDir))
}

// AdmitMember lets a member in that waits, or that is going to join.
func (n *Node) AdmitMember(ctx context.Context, in wire.Instance, m kind.NewMember) error {
	method := "AddFailoverMember"
	if m.Type == kind.DRAsync {
		method = "AddNewAsyncMember"
	}
	code := "kill m\n" + fmt.Sprintf("set m(\"SystemName\")=%s,m(\"Name\")=%[1]s,m(\"ECPAddress\")=%s,m(\"X509DN\")=%s", quote(m.Member), quote(m.Address), quote(m.DN)) +
		"\nset sc=##class(SYS.Mirror)." + method + "(.m)"
	return explainMirror(n.Execute(ctx, in, "admit "+m.Member+" to the mirror", code))
}

// SetArbiter changes the arbiter of a mirror, on its primary; "" takes it away.
func (n *Node) SetArbiter(ctx context.Context, in wire.Instance, mirror, arbiter string) error {
	node := ""
	if arbiter != "" {
		node = arbiterNode(arbiter)
	}
	return n.Execute(ctx, in, "set the arbiter of mirror "+mirror,
		fmt.Sprintf("kill new\nset new(\"ArbiterNode\")=%s\nset sc=##class(Config.Mirrors).Modify(%s,.new)", quote(node), quote(mirror)))
}

// LeaveMirror makes the instance a member of no mirror. It must be started
// anew afterwards.
func (n *Node) LeaveMirror(ctx context.Context, in wire.Instance) error {
	return explainMirror(n.Execute(ctx, in, "leave the mirror", "set sc=##class(SYS.Mirror).RemoveMirrorConfiguration()"))
}

// MakeMirrored makes a database that is mirrored from its first day, or makes
// an existing one part of the mirror, and a namespace over it.
func (n *Node) MakeMirrored(ctx context.Context, in wire.Instance, a kind.MirroredDatabase, existing bool) error {
	mirrorName := first(a.MirrorName, a.Name)
	code := fmt.Sprintf("set sc=##class(SYS.Database).CreateDatabase(%s,,,,,,%s,%s)", quote(a.Dir), quote(mirrorName), quote(a.Mirror.Mirror))
	if existing {
		code = fmt.Sprintf("set sc=##class(SYS.Mirror).AddDatabase(%s,%s)", quote(a.Dir), quote(mirrorName))
	}
	if MirroredDatabase(in, a.Mirror.Mirror, mirrorName) == "" {
		if err := explainMirror(n.Execute(ctx, in, "mirror database "+a.Name, code)); err != nil {
			return err
		}
	}
	register := "kill new\n" + fmt.Sprintf("set new(\"Directory\")=%s\n", quote(a.Dir)) + createOrModify("Config.Databases", a.Name)
	if err := n.Execute(ctx, in, "register database "+a.Name, register); err != nil {
		return err
	}
	return n.Execute(ctx, in, "make namespace "+a.Name, createNamespace(a.Name))
}

// explainMirror adds what to do about the errors of mirroring that operators
// meet.
func explainMirror(err error) error {
	if err == nil {
		return nil
	}
	for number, advice := range map[string]string{
		"#2118": "the ISCAgent of this node does not run: systemctl start ISCAgent",
		"#2086": "look whether the ISCAgents run on both nodes and whether the firewalls let their port through",
		"#2088": "look whether the ISCAgents run on both nodes and whether the firewalls let their port through",
		"#2136": "the ISCAgent of this node is older than the instance: install the agent of the same kit or a newer one",
		"#2105": "the database must be created as a mirrored one, or restored from the primary's before it is activated",
		"#2174": "journal files of an earlier mirror of this name lie there: move them away",
		"#2207": "look at the mirror's members: `icm ps` shows them",
	} {
		if strings.Contains(err.Error(), number+":") {
			return &hint.Error{Err: err, Hint: advice}
		}
	}
	return err
}
