package cli

import (
	"context"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"icm/controller/keygen"
)

var keygenCommand = command{
	name: "keygen", args: "ssh|tls",
	summary: "make an SSH key pair, or the keys of TLSKeyDir",
	help: `ssh makes a key pair for SSHPrivateKey and SSHPublicKey, the public key in OpenSSH's and in the SSH2 format.
tls makes the files of TLSKeyDir: an authority, certificates for clients and servers, and the stores for JDBC. Name with -host what the nodes are called.
Files that exist are never overwritten. The keys give full access to the deployment: guard them. A site with an authority of its own takes its certificates.`,
	setup: func(fs *flag.FlagSet) runFunc {
		var hosts listFlag
		dir := fs.String("dir", "", "`directory` for the files; without it ssh or tls in the working directory")
		name := fs.String("name", "secure", "for ssh: `name` of the private key's file")
		algorithm := fs.String("type", keygen.Algorithms[0], "for ssh: `algorithm`, one of "+strings.Join(keygen.Algorithms, ", "))
		label := fs.String("label", "icm", "`text` in the certificates' subject, or the public key's comment")
		days := fs.Int("days", 825, "for tls: `days` until the certificates end")
		keepCA := fs.Bool("keepCA", false, "for tls: keep the authority's private key, to make more certificates later")
		fs.Var(&hosts, "host", "for tls: a `name` or address that the servers' certificate is good for; may be repeated")
		return func(_ context.Context, env *Env, args []string) error {
			if len(args) != 1 || args[0] != "ssh" && args[0] != "tls" {
				return &usageError{"icm keygen makes ssh or tls keys", "icm keygen ssh"}
			}
			if *days < 1 || *days > 36500 || *name == "" || filepath.Base(*name) != *name {
				return &usageError{"-days takes 1 to 36500, and -name the name of a file", "icm help keygen"}
			}
			into := inDir(env.Dir, *dir, args[0])
			var names []string
			var err error
			if args[0] == "ssh" {
				names, err = keygen.SSH(into, *name, *algorithm, *label)
			} else {
				names, err = keygen.TLS(into, keygen.TLSOptions{Name: *label, Hosts: hosts, Days: *days, KeepCA: *keepCA, Now: time.Now()})
			}
			if err != nil {
				return err
			}
			for _, n := range names {
				fmt.Fprintln(env.Out, filepath.Join(into, n))
			}
			return nil
		}
	},
}

// inDir is the directory that an option names, or another below the working
// directory.
func inDir(working, given, otherwise string) string {
	if given == "" {
		given = otherwise
	}
	if filepath.IsAbs(given) {
		return given
	}
	return filepath.Join(working, given)
}
