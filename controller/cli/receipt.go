package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"icm/controller/deploy"
	"icm/controller/kitsource"
	"icm/controller/receipt"
	"icm/internal/atomicfile"
	"icm/internal/hint"
)

var receiptCommand = command{
	name: "receipt", args: "[ID]",
	summary: "write or verify a signed record of what was installed where",
	help: `Writes two files for people who were not there: -o FILE says who installed what on which nodes, from which bundle, with which plan and result, and FILE.minisig is its signature. ID is as icm operations lists it, or as much of it as is unique; without one, the newest operation is meant. No node is asked, and nothing secret is in it.
-verify FILE checks a receipt with -pubkey, or with the keys that icm bundle pin pinned, and shows it. That needs neither the deployment nor a network: any machine will do. minisign -V verifies it too.
icm bundle keygen makes the keys.`,
	setup: func(fs *flag.FlagSet) runFunc {
		var o receiptOptions
		o.register(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			switch {
			case o.verify != "" && (o.out != "" || len(args) > 0):
				return &usageError{"icm receipt -verify FILE takes nothing to write", "icm help receipt"}
			case o.verify != "":
				return o.check(env)
			case o.out == "" || o.key == "":
				return &usageError{"icm receipt needs -o FILE and -key FILE, or -verify FILE", "icm bundle keygen -key site.key makes a key"}
			}
			return o.work(ctx, env, "receipt", func(ctx context.Context, job *deploy.Job, con *console) error {
				return o.issue(ctx, env, job, con, first(args))
			})
		}
	},
}

type receiptOptions struct {
	common
	signingOptions
	out, verify, pubkey string
}

func (o *receiptOptions) register(fs *flag.FlagSet) {
	o.common.register(fs)
	o.place(fs)
	o.signingOptions.register(fs, "private key `file` to sign with")
	fs.StringVar(&o.out, "o", "", "`file` for the receipt")
	fs.StringVar(&o.verify, "verify", "", "verify the receipt in this `file`, whose signature lies beside it")
	fs.StringVar(&o.pubkey, "pubkey", "", "the public `key` to verify with, a file or the key itself, instead of those pinned")
	o.forcing(fs, "write over a receipt that exists")
}

// issue writes a receipt and its signature.
func (o *receiptOptions) issue(ctx context.Context, env *Env, job *deploy.Job, con *console, id string) error {
	out := absolute(env, o.out)
	if _, err := os.Lstat(out); err == nil && !o.force {
		return hint.New(fmt.Errorf("%s exists already", o.out), "-force writes over it")
	}
	r, err := job.Receipt(id)
	if err != nil {
		return err
	}
	key, err := o.private(ctx, env)
	if err != nil {
		return err
	}
	r.Icm = env.Build
	text, signature, err := r.Sign(key, job.World.Now())
	if err == nil {
		err = errors.Join(atomicfile.Write(out, text, 0o644), atomicfile.Write(out+receipt.Suffix, signature, 0o644))
	}
	if err != nil {
		return fmt.Errorf("cannot write the receipt: %w", err)
	}
	con.line("%s and %s: operation %s, %s: %s, signed with key %s", o.out, o.out+receipt.Suffix, r.Operation, strings.Join(r.Command, " "), r.Result, key.ID())
	return o.json.write(env, r)
}

// check verifies a receipt and shows it.
func (o *receiptOptions) check(env *Env) error {
	keys, err := o.keysOr(env, o.pubkey)
	if err != nil {
		return err
	}
	path := absolute(env, o.verify)
	text, err := readBounded(path, receipt.MaxSize)
	if err != nil {
		return fmt.Errorf("cannot read the receipt: %w", err)
	}
	signature, err := readBounded(path+receipt.Suffix, receipt.MaxSize)
	if err != nil {
		return hint.New(fmt.Errorf("cannot read the receipt's signature: %w", err), "it lies beside the receipt: carry both")
	}
	r, key, err := receipt.Verify(text, signature, keys)
	if err != nil {
		return fmt.Errorf("%s: %w", o.verify, err)
	}
	if !o.json.quiet() {
		fmt.Fprintf(env.Out, "%s is genuine: signed with key %s, issued %s\n", o.verify, key.ID(), r.Issued)
		showReceipt(env, r)
	}
	return o.json.write(env, r)
}

func readBounded(path string, limit int64) ([]byte, error) {
	st, err := os.Stat(path)
	if err == nil && st.Size() > limit {
		err = fmt.Errorf("%s has %d bytes: that is too much", path, st.Size())
	}
	if err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func showReceipt(env *Env, r *receipt.Receipt) {
	fmt.Fprintf(env.Out, "deployment %s, operation %s: %s: %s\n", r.Deployment, r.Operation, strings.Join(r.Command, " "), r.Result)
	for _, run := range r.By {
		fmt.Fprintf(env.Out, "by %s@%s since %s\n", run.User, run.Host, run.Since)
	}
	fmt.Fprintf(env.Out, "ended %s\nplan %s\n", r.Ended, r.Plan)
	if r.Error != "" {
		fmt.Fprintf(env.Out, "error: %s\n", r.Error)
	}
	if r.UndoneBy != "" {
		fmt.Fprintf(env.Out, "undone by operation %s\n", r.UndoneBy)
	}
	for _, k := range r.Kits {
		fmt.Fprintf(env.Out, "kit %s, sha256 %s, from %s\n", k.Name, either(k.SHA256, "not known"), k.From)
		if k.Bundle != (kitsource.Bundle{}) {
			fmt.Fprintf(env.Out, "  of bundle %s issued %s, digest %s, signed with key %s\n", k.Bundle.Name, k.Bundle.Issued, k.Bundle.Digest, k.Bundle.Key)
		}
	}
	var rows [][]string
	for _, n := range r.Nodes {
		rows = append(rows, []string{n.Machine, n.Result, n.Instance, n.Version})
	}
	table(env.Out, []string{"Machine", "Result", "Instance", "Version"}, rows)
}
