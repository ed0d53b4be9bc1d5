package tasks

import (
	"fmt"
	"os"
	"path/filepath"

	"icm/agent/iris"
	"icm/agent/webgateway"
	"icm/internal/atomicfile"
	"icm/internal/cpf"
	"icm/internal/hint"
)

// gatewayDefault is where kits put the Web Gateway.
const gatewayDefault = "/opt/webgateway"

// gatewayDir is the directory of a gateway, which must not be one that others
// need: gateway.remove deletes it.
func gatewayDir(dir string) (string, error) {
	dir = first(dir, gatewayDefault)
	if !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || filepath.Dir(dir) == "/" {
		return "", fmt.Errorf("cannot use %s as the Web Gateway's directory: it must be a path of at least two names, such as %s", dir, gatewayDefault)
	}
	return dir, nil
}

// gatewayModule is the gateway's Apache module, "" when it is not there. Its
// name has the interface's version in it.
func (d Deps) gatewayModule(dir string) string {
	found, _ := filepath.Glob(d.path(filepath.Join(dir, "bin", "CSPa*.so"))) // the pattern is a good one
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// gatewayIs is the gateway as it is now: its record, or one made for a gateway
// that came otherwise; there is false when there is none at all.
func (d Deps) gatewayIs(dir string) (rec webgateway.Record, there bool, err error) {
	rec, known, err := webgateway.ReadRecord(d.Home)
	if err != nil {
		return rec, false, err
	}
	there = d.gatewayModule(dir) != ""
	if known && rec.Dir != dir {
		return rec, there, &hint.Error{
			Err:  fmt.Errorf("the Web Gateway of this node is in %s, not in %s", rec.Dir, dir),
			Hint: "uninstall it first: icm uninstall -role WS",
		}
	}
	if !known {
		rec = webgateway.Record{Dir: dir, Brought: !there}
	}
	return rec, there, nil
}

// apache finds the node's web server.
func (d Deps) apache() (webgateway.Apache, error) {
	web, ok := webgateway.FindApache(d.Root)
	if !ok {
		return web, hint.New(fmt.Errorf("there is no Apache on this node, and the Web Gateway lives in one"), webgateway.NoApache)
	}
	return web, nil
}

// readINI reads a gateway's CSP.ini.
func (d Deps) readINI(dir string) (path string, f *cpf.File, text string, err error) {
	path = webgateway.INIPath(d.path(dir))
	text, _, err = readFile(path)
	return path, cpf.Parse([]byte(text)), text, err
}

// writeINI writes CSP.ini, which only the web server may read: it holds
// passwords. A link is followed, for newer gateways have one.
func writeINI(path, text string, web webgateway.Apache) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if err := atomicfile.Write(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("cannot write %s: %v", path, err)
	}
	return iris.Own(path, web.User, "", 0o600)
}

// editApache changes the configuration of Apache, and reports whether that was
// needed.
func (d Deps) editApache(web webgateway.Apache, edit func(text string) (string, error)) (bool, error) {
	path := d.path(web.Conf)
	text, there, err := readFile(path)
	if err != nil || !there {
		return false, err
	}
	next, err := edit(text)
	if err != nil || next == text {
		return false, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("cannot look at %s: %v", web.Conf, err)
	}
	return true, writeFile(path, next, st.Mode().Perm())
}
