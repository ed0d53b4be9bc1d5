package iris

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"icm/agent/host"
	"icm/internal/cpf"
	"icm/internal/kind"
	"icm/internal/secret"
	"icm/internal/wire"
)

// BuildMerge makes the merge file of a configuration: its settings, and, when
// asked for, the password hash and what lets the owner in without a password.
func BuildMerge(want []Setting, hash secret.Secret, osAuth bool) ([]byte, error) {
	var m cpf.Merge
	for _, s := range want {
		if err := m.Set(s.Section, s.Key, s.Value); err != nil {
			return nil, err
		}
	}
	if !hash.Empty() {
		if err := m.Set("Startup", "PasswordHash", hash.Reveal()); err != nil {
			return nil, fmt.Errorf("cannot set the passwords: the hash has more than one line")
		}
	}
	if osAuth {
		// 16 is the operating system, 32 a password.
		if err := m.Action("ModifyService", map[string]string{"Name": "%Service_Terminal", "Enabled": "1", "AutheEnabled": "48"}); err != nil {
			return nil, err
		}
	}
	if m.Empty() {
		return nil, nil
	}
	return m.Bytes(), nil
}

// EnableOSAuth lets the owner in without a password, by signing on once with
// one. The password goes to the session's standard input.
func (n *Node) EnableOSAuth(ctx context.Context, in wire.Instance, user string, password secret.Secret) error {
	return n.executeAs(ctx, in, "turn operating system authentication on", osAuth,
		wire.SessionRequest{User: user, Password: password.Reveal()})
}

// MakeDatabase makes a local database and a namespace over it. Both may be
// there already.
func (n *Node) MakeDatabase(ctx context.Context, in wire.Instance, name, dir string, merge bool) error {
	if merge {
		var m cpf.Merge
		err := m.Action("CreateDatabase", map[string]string{"Name": name, "Directory": dir})
		if err == nil {
			err = m.Action("CreateNamespace", map[string]string{"Name": name, "Globals": name, "Routines": name})
		}
		if err != nil {
			return fmt.Errorf("cannot make namespace %s: %w", name, err)
		}
		if _, err := n.Merge(ctx, in, m.Bytes()); err != nil {
			return fmt.Errorf("cannot make namespace %s: %w", name, err)
		}
		// A merge's own word proves nothing, and it does not always make the
		// file; what is missing is made the other way.
		if len(Missing(in, name, dir)) == 0 {
			return nil
		}
	}
	if err := n.Execute(ctx, in, "make database "+name, createDatabase(name, dir)); err != nil {
		return err
	}
	return n.Execute(ctx, in, "make namespace "+name, createNamespace(name))
}

// Missing lists what a namespace of its own database lacks: registrations in
// iris.cpf and the database file.
func Missing(in wire.Instance, name, dir string) []wire.Diff {
	var out []wire.Diff
	f, err := ReadCPF(in)
	if err != nil {
		f = cpf.Parse(nil)
	}
	have, _ := f.Get("Databases", name)
	first, _, _ := strings.Cut(have, ",")
	if !cpf.Equal(trimDir(first), trimDir(dir)) {
		out = append(out, wire.Diff{What: "database " + name, Before: orMissing(have), After: dir})
	}
	if v, _ := f.Get("Namespaces", name); !strings.EqualFold(firstOf(v), name) {
		out = append(out, wire.Diff{What: "namespace " + name, Before: orMissing(v), After: "over database " + name})
	}
	if !exists(filepath.Join(dir, "IRIS.DAT")) {
		out = append(out, wire.Diff{What: filepath.Join(dir, "IRIS.DAT"), Before: "not there", After: "a database"})
	}
	return out
}

func firstOf(list string) string {
	v, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(v)
}

func orMissing(v string) string {
	if v == "" {
		return "not there"
	}
	return v
}

// RemoteDatabase is the name under which an application server knows the
// database of a data server. It differs from the namespace's, because
// predefined namespaces such as USER have a local database of their own name.
func RemoteDatabase(namespace string) string { return "ECP-" + namespace }

// MissingRemote lists what an application server lacks of a connection.
func MissingRemote(in wire.Instance, c kind.ECPClient) []wire.Diff {
	var out []wire.Diff
	f, err := ReadCPF(in)
	if err != nil {
		f = cpf.Parse(nil)
	}
	check := func(what, section, key, want string) {
		have, _ := f.Get(section, key)
		if !hasPrefixFields(have, want) {
			out = append(out, wire.Diff{What: what, Before: orMissing(have), After: want})
		}
	}
	db := RemoteDatabase(c.Namespace)
	check("data server "+c.Server, "ECPServers", c.Server, c.Address+","+strconv.Itoa(c.Port)+","+mirrorFlag(c))
	check("remote database "+db, "Databases", db, c.RemoteDir+","+c.Server)
	check("namespace "+c.Namespace, "Namespaces", c.Namespace, db)
	return out
}

// hasPrefixFields reports whether a list begins with the wanted elements.
func hasPrefixFields(have, want string) bool {
	h, w := strings.Split(have, ","), strings.Split(want, ",")
	return len(h) >= len(w) && cpf.Equal(strings.Join(h[:len(w)], ","), want)
}

func mirrorFlag(c kind.ECPClient) string {
	if c.Mirror {
		return "1"
	}
	return "0"
}

// ConnectRemote makes an application server of an instance: the data server's
// address, its database and a namespace over it. The same statements serve
// every release; each of them corrects what is there.
func (n *Node) ConnectRemote(ctx context.Context, in wire.Instance, c kind.ECPClient) error {
	db := RemoteDatabase(c.Namespace)
	for _, step := range []struct{ what, code string }{
		{"register data server " + c.Server, createECPServer(c.Server, c.Address, c.Port, mirrorFlag(c))},
		{"register remote database " + db, createRemoteDatabase(db, c.Server, c.RemoteDir)},
		{"make namespace " + c.Namespace, createNamespaceOver(c.Namespace, db)},
	} {
		if err := n.Execute(ctx, in, step.what, step.code); err != nil {
			return err
		}
	}
	return nil
}

// DisconnectRemote takes ConnectRemote back, as far as it had come. A namespace
// that has a local database of its own name goes back to it.
func (n *Node) DisconnectRemote(ctx context.Context, in wire.Instance, c kind.ECPClient) error {
	return n.Execute(ctx, in, "take namespace "+c.Namespace+" off "+c.Server,
		dropRemote(c.Namespace, RemoteDatabase(c.Namespace), c.Server))
}

// ReadRemote proves that a namespace's data can be read.
func (n *Node) ReadRemote(ctx context.Context, in wire.Instance, namespace string) error {
	reply, err := n.objectScript(ctx, in, wire.SessionRequest{Namespace: namespace, Code: readProbe})
	if err == nil && (reply.Failed || strings.TrimSpace(reply.Out) != "0") {
		err = fmt.Errorf("%s says: %s", in.Name, lastLines(reply.Out, 3))
	}
	if err != nil {
		return fmt.Errorf("cannot read through namespace %s: %w", namespace, err)
	}
	return nil
}

// ECPServed reports whether application servers are let in.
func (n *Node) ECPServed(ctx context.Context, in wire.Instance) (bool, error) {
	v, err := n.Value(ctx, in, "ask whether ECP is served", ecpEnabled)
	return v == "1", err
}

// ServeECP lets application servers in, or no longer.
func (n *Node) ServeECP(ctx context.Context, in wire.Instance, on bool) error {
	return n.Execute(ctx, in, "change %Service_ECP", enableECP(on))
}

// AllowClients raises the number of application servers the instance has room
// for; it counts from the next start.
func (n *Node) AllowClients(ctx context.Context, in wire.Instance, clients int) error {
	return n.Execute(ctx, in, "allow for more application servers", maxServerConn(clients))
}

// Unregister takes an instance off the list of instances. It must be down.
func (n *Node) Unregister(ctx context.Context, in wire.Instance) error {
	out, err := n.run(ctx, host.Command{Path: n.Program(), Args: []string{"delete", in.Name, StopQuiet}})
	if _, findErr := n.Find(ctx, in.Name); findErr == nil {
		if err == nil {
			err = fmt.Errorf("iris qlist lists it still; iris delete said %q", lastLine(out.Stdout+"\n"+out.Stderr))
		}
		return fmt.Errorf("cannot unregister %s: %w", in.Name, err)
	}
	return nil
}
