package cli

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"icm/controller/deploy"
	"icm/internal/kitname"
)

var installCommand = command{
	name:    "install",
	summary: "install IRIS from a kit",
	help: `Fetches, checks and unpacks the kit of KitURL on every node, installs and configures the instance, starts it under systemd, and waits until it is ready. Data servers come before the application servers that use them.
It can be run again at any time: what is done is left alone, what is missing is made.`,
	setup: operation(deploy.VerbInstall, nil),
}

var uninstallCommand = command{
	name:    "uninstall",
	summary: "stop and uninstall the instances",
	help:    "Removes instances, their units, kits and the accounts that icm made. Data volumes are left as they are, unless -removeData names the node.",
	setup: operation(deploy.VerbUninstall, func(fs *flag.FlagSet, job *jobOptions) {
		fs.Var(&job.removeData, "removeData", "delete the data on the volumes of this `machine` too; may be repeated. There is no way back")
	}),
}

var upgradeCommand = command{
	name:    "upgrade",
	summary: "replace the version of the instances, one node after the other",
	help: `Brings the kit of KitURL to all nodes first, then stops, upgrades, starts and checks one node after the other, application and web servers before data servers. In a mirror asyncs and the backup go first; then the primary hands over and is upgraded last. A node on which this fails gets its old version back, and nothing further is touched.
Give the new kit in the files, or with -kitURL; arbiters and web servers have their kits in their own entries. icm plan upgrade names the procedure, and where there is no way back.`,
	setup: operation(deploy.VerbUpgrade, func(fs *flag.FlagSet, job *jobOptions) { job.upgradeOptions(fs) }),
}

var startCommand = command{
	name: "start", summary: "start the instances",
	help:  "Starts instances that are down, data servers first, and waits until they are ready.",
	setup: operation(deploy.VerbStart, nil),
}

var stopCommand = command{
	name: "stop", summary: "stop the instances cleanly",
	help:  "Stops instances that run, application servers first.",
	setup: operation(deploy.VerbStop, nil),
}

// jobOptions are what only some operations take.
type jobOptions struct {
	removeData listFlag
	plan       string
	skip       bool
	upgrade    deploy.UpgradeOptions
}

func (o *jobOptions) upgradeOptions(fs *flag.FlagSet) {
	u := &o.upgrade
	fs.StringVar(&u.Batch, "batch", "", "upgrade so many application and web servers at a time: a `number`, or a percentage such as 25%; else one")
	fs.StringVar(&u.Canary, "canary", "", "application or web server, a whole `name`, that is upgraded before all others")
	fs.BoolVar(&u.Changes, "changes", false, "the application is recompiled or changed on the new version: stop where that is to be done, until icm resume")
	fs.BoolVar(&u.Downtime, "downtime", false, "stop everything, upgrade everything at once, start everything")
	fs.BoolVar(&u.FailBack, "failBack", false, "make each mirror's first primary the primary again, with a second failover")
	fs.BoolVar(&u.Pause, "pause", false, "stop before every stage, until icm resume")
}

func (o *jobOptions) skipOption(fs *flag.FlagSet) {
	fs.BoolVar(&o.skip, "skipUnreachable", false, "leave out nodes that do not answer: they owe the operation, and the next one settles it")
}

// wantedPlan is the digest of the plan that -plan names: itself, or that in a
// file that icm plan -json=FILE wrote.
func (o *jobOptions) wantedPlan(env *Env) (string, error) {
	if o.plan == "" || digestPattern.MatchString(o.plan) {
		return o.plan, nil
	}
	path := o.plan
	if !filepath.IsAbs(path) {
		path = filepath.Join(env.Dir, path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", &usageError{fmt.Sprintf("-plan %s is neither a digest nor a file that can be read", o.plan), "icm plan install shows the digest; icm plan install -json=plan.json writes a file"}
	}
	var saved planJSON
	if err := json.Unmarshal(data, &saved); err != nil || saved.Plan == nil {
		return "", &usageError{fmt.Sprintf("%s is no saved plan", o.plan), "icm plan install -json=plan.json writes one"}
	}
	if got := saved.Plan.Digest(); got != saved.Digest {
		return "", &usageError{fmt.Sprintf("%s was altered: its plan is %s, not %s", o.plan, got, saved.Digest), "make a new one with icm plan"}
	}
	return saved.Digest, nil
}

var digestPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// operation is the setup of a verb that changes instances.
func operation(verb deploy.Verb, more func(*flag.FlagSet, *jobOptions)) func(*flag.FlagSet) runFunc {
	return func(fs *flag.FlagSet) runFunc {
		var o common
		var extra jobOptions
		o.register(fs)
		o.selectors(fs)
		o.operationOptions(fs)
		extra.skipOption(fs)
		fs.StringVar(&extra.plan, "plan", "", "run only this plan: its `digest`, or a file that icm plan -json=FILE wrote; refused when something has changed since")
		if more != nil {
			more(fs, &extra)
		}
		return func(ctx context.Context, env *Env, _ []string) error {
			want, err := extra.wantedPlan(env)
			if err != nil {
				return err
			}
			return o.work(ctx, env, string(verb), func(ctx context.Context, job *deploy.Job, con *console) error {
				job.RemoveData, job.WantPlan, job.SkipUnreachable, job.Upgrade = extra.removeData, want, extra.skip, extra.upgrade
				res, err := job.Operate(ctx, verb)
				if res == nil {
					return err
				}
				if res.Nothing {
					con.line("Nothing to do: %s", res.Why)
				}
				for _, url := range res.Portals {
					con.line("Management Portal available at: %s", url)
				}
				if err != nil {
					return err
				}
				return o.json.write(env, nil)
			})
		}
	}
}

// operationOptions are the fields that operations take on the command line,
// and -force.
func (o *common) operationOptions(fs *flag.FlagSet) {
	o.forcing(fs, "do not ask")
	o.password.register(fs)
	o.fieldOption(fs, "namespace", "Namespace", "`namespace` to create, and the default for session and sql")
	o.kitOptions(fs)
}

// kitOptions say where the kit comes from.
func (o *common) kitOptions(fs *flag.FlagSet) {
	o.fieldOption(fs, "kitURL", "KitURL", "`URL` of the kit")
	fs.Func("kit", "a kit on this machine, as a `file`: icm brings it to the nodes itself", func(file string) error {
		return o.fields.set("KitURL", kitname.Local+file)
	})
	fs.StringVar(&o.bundle, "bundle", "", "take the kit from this bundle `file`: icm brings it to the nodes itself")
	o.storeOptions.register(fs)
}

var planCommand = command{
	name: "plan", args: "VERB",
	summary: "show what a command would do, and do nothing",
	help:    "VERB is provision, install, upgrade, uninstall, start or stop. Shows stages, nodes and tasks, what each would change, and after which there is no way back. The plan is what the command itself would run.",
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var extra jobOptions
		o.register(fs)
		o.selectors(fs)
		o.operationOptions(fs)
		o.consenting(fs)
		extra.skipOption(fs)
		extra.upgradeOptions(fs)
		fs.Var(&extra.removeData, "removeData", "for uninstall: delete the data of this `machine` too")
		graph := fs.Bool("graph", false, "draw which nodes form what, as a Mermaid flowchart, from the files alone; needs no VERB")
		return func(ctx context.Context, env *Env, args []string) error {
			if *graph && len(args) == 0 {
				return o.work(ctx, env, "plan", printGraph)
			}
			if len(args) != 1 || *graph {
				return &usageError{"icm plan needs one verb, or -graph and none", "icm plan install"}
			}
			verb, ok := deploy.ParseVerb(args[0])
			if !ok {
				return &usageError{fmt.Sprintf("there is no plan for %q", args[0]), "verbs: provision, install, upgrade, uninstall, start, stop"}
			}
			return o.work(ctx, env, "plan", func(ctx context.Context, job *deploy.Job, con *console) error {
				job.RemoveData, job.SkipUnreachable, job.Upgrade = extra.removeData, extra.skip, extra.upgrade
				plan, skipped := job.Plan(ctx, verb)
				if plan == nil {
					return skipped
				}
				if !o.json.quiet() {
					printPlan(con, plan)
				}
				return answered(o.json.write(env, planJSON{Digest: plan.Digest(), Plan: plan}), skipped)
			})
		}
	},
}

// printGraph draws the deployment.
func printGraph(_ context.Context, job *deploy.Job, con *console) error {
	text, err := job.Graph()
	if err != nil {
		return err
	}
	con.line("%s", strings.TrimSuffix(text, "\n"))
	return nil
}

type planJSON struct {
	Digest string `json:"digest"`
	*deploy.Plan
}
