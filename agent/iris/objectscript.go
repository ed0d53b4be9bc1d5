package iris

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"icm/internal/wire"
)

// This file holds all ObjectScript that icm itself runs. Each piece leaves a
// status in sc, 1 when all went well, or writes a value. They use classes that
// every release since 2018 has.

// licenseUpgrade makes a running instance read its key again.
const licenseUpgrade = `set sc=##class(%SYSTEM.License).Upgrade()`

// osAuth lets users in whom the operating system vouches for. Bit 16 is that;
// the others are kept.
const osAuth = `do ##class(Security.System).Get("SYSTEM",.old)
set new("AutheEnabled")=old("AutheEnabled")+('(old("AutheEnabled")\16#2)*16)
set sc=##class(Security.System).Modify("SYSTEM",.new)
kill old,new
do ##class(Security.Services).Get("%Service_Terminal",.old)
set new("AutheEnabled")=old("AutheEnabled")+('(old("AutheEnabled")\16#2)*16),new("Enabled")=1
if +sc=1 set sc=##class(Security.Services).Modify("%Service_Terminal",.new)`

// enableECP lets application servers in, or no longer.
func enableECP(on bool) string {
	value := 0
	if on {
		value = 1
	}
	return fmt.Sprintf(`set new("Enabled")=%d
set sc=##class(Security.Services).Modify("%%Service_ECP",.new)`, value)
}

// maxServerConn is how many application servers an instance has room for.
func maxServerConn(clients int) string {
	return fmt.Sprintf(`set new("MaxServerConn")=%d
set sc=##class(Config.config).Modify(.new)`, clients)
}

// readProbe writes 0 when the namespace's default database can be read: the
// global is nobody's.
const readProbe = `write $data(^icmProbe)`

// ecpEnabled writes 1 when application servers are let in.
const ecpEnabled = `do ##class(Security.Services).Get("%Service_ECP",.old) write +old("Enabled")`

// createDatabase makes a database file and registers it; both only when
// missing.
func createDatabase(name, dir string) string {
	return fmt.Sprintf(`set sc=1 if '##class(%%File).Exists(%s) set sc=##class(SYS.Database).CreateDatabase(%s)
set new("Directory")=%s
if +sc=1,'##class(Config.Databases).Exists(%s) set sc=##class(Config.Databases).Create(%s,.new)
kill new`, quote(strings.TrimRight(dir, "/")+"/IRIS.DAT"), quote(dir), quote(dir), quote(name), quote(name))
}

// createRemoteDatabase registers a database of a data server; an existing
// entry is corrected.
func createRemoteDatabase(name, server, dir string) string {
	return "kill new\n" + fmt.Sprintf(`set new("Directory")=%s,new("Server")=%s`, quote(dir), quote(server)) + "\n" +
		createOrModify("Config.Databases", name)
}

// createNamespace registers a namespace over the database of the same name.
func createNamespace(name string) string { return createNamespaceOver(name, name) }

func createNamespaceOver(name, database string) string {
	return "kill new\n" + fmt.Sprintf(`set new("Globals")=%s,new("Routines")=%s`, quote(database), quote(database)) + "\n" +
		createOrModify("Config.Namespaces", name)
}

// createECPServer registers a data server; an existing entry is corrected.
func createECPServer(name, address string, port int, mirror string) string {
	return "kill new\n" + fmt.Sprintf(`set new("Address")=%s,new("Port")=%d,new("MirrorConnection")=%s`, quote(address), port, mirror) + "\n" +
		createOrModify("Config.ECPServers", name)
}

// createOrModify writes new into the configuration and leaves the status in sc.
func createOrModify(class, name string) string {
	return fmt.Sprintf(`set there=##class(%s).Exists(%s)
if 'there set sc=##class(%s).Create(%s,.new)
if there set sc=##class(%s).Modify(%s,.new)`, class, quote(name), class, quote(name), class, quote(name))
}

// dropRemote takes a namespace off a remote database. Where a local database of
// the namespace's name exists, the namespace goes back to it.
func dropRemote(namespace, database, server string) string {
	return fmt.Sprintf(`kill new set sc=1
set local=##class(Config.Databases).Exists(%[1]s)
set new("Globals")=%[1]s,new("Routines")=%[1]s
if local set sc=##class(Config.Namespaces).Modify(%[1]s,.new)
if 'local,##class(Config.Namespaces).Exists(%[1]s) set sc=##class(Config.Namespaces).Delete(%[1]s)
if +sc=1,##class(Config.Databases).Exists(%[2]s) set sc=##class(Config.Databases).Delete(%[2]s)
if +sc=1,##class(Config.ECPServers).Exists(%[3]s) set sc=##class(Config.ECPServers).Delete(%[3]s)`,
		quote(namespace), quote(database), quote(server))
}

// quote makes an ObjectScript string.
func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// Execute runs code in %SYS as the instance's owner and proves by a line of its
// own that the status in sc is good.
func (n *Node) Execute(ctx context.Context, in wire.Instance, what, code string) error {
	return n.executeAs(ctx, in, what, code, wire.SessionRequest{})
}

// report writes the status in a form that no other output has.
const report = `write !,"icm-"_"status:"_$select(+$get(sc)=1:"ok",1:$system.Status.GetErrorText($get(sc))),!`

func (n *Node) executeAs(ctx context.Context, in wire.Instance, what, code string, req wire.SessionRequest) error {
	req.Namespace, req.Code = "%SYS", code+"\n"+report
	reply, err := n.objectScript(ctx, in, req)
	if err != nil {
		return fmt.Errorf("cannot %s: %w", what, err)
	}
	if _, said, ok := strings.Cut(reply.Out, "icm-status:"); ok && !reply.Failed {
		said, _, _ = strings.Cut(said, "\n")
		if strings.TrimSpace(said) == "ok" {
			return nil
		}
		return fmt.Errorf("cannot %s: %s says: %s", what, in.Name, strings.TrimSpace(said))
	}
	return fmt.Errorf("cannot %s: %s says: %s", what, in.Name, lastLines(reply.Out, 3))
}

// Value runs code in %SYS that writes one value.
func (n *Node) Value(ctx context.Context, in wire.Instance, what, code string) (string, error) {
	reply, err := n.objectScript(ctx, in, wire.SessionRequest{Namespace: "%SYS", Code: code})
	if err != nil {
		return "", fmt.Errorf("cannot %s: %w", what, err)
	}
	if reply.Failed {
		return "", fmt.Errorf("cannot %s: %s says: %s", what, in.Name, lastLines(reply.Out, 3))
	}
	return strings.TrimSpace(reply.Out), nil
}

// OSAuthWorks reports whether the owner is let in without a password.
func (n *Node) OSAuthWorks(ctx context.Context, in wire.Instance) (bool, error) {
	_, err := n.objectScript(ctx, in, wire.SessionRequest{Namespace: "%SYS"})
	if errors.Is(err, ErrLogin) {
		return false, nil
	}
	return err == nil, err
}
