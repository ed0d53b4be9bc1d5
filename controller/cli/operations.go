package cli

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"icm/controller/deploy"
)

var operationsCommand = command{
	name:    "operations",
	summary: "list what was done to the deployment",
	help:    "Lists every operation that changed something, oldest first: who began it and when, the command line without secrets, and how it ended. The record is in the state directory; one that was altered is named.",
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		o.register(fs)
		return func(ctx context.Context, env *Env, _ []string) error {
			return o.work(ctx, env, "operations", func(_ context.Context, job *deploy.Job, con *console) error {
				rows, err := job.Operations()
				cells := make([][]string, len(rows))
				for i, r := range rows {
					cells[i] = []string{r.ID, r.Began.Local().Format("2006-01-02 15:04:05"), r.Who, r.State, strings.Join(r.Command, " ")}
				}
				con.table([]string{"Operation", "Began", "By", "State", "Command"}, cells)
				if err != nil {
					return err
				}
				return o.json.write(env, rows)
			})
		}
	},
}

var tasksCommand = command{
	name: "tasks", args: "[ID]",
	summary: "show every task of an operation, with its log",
	help:    "Asks the nodes of an operation what became of each task. ID is as icm operations lists it, or as much of it as is unique; without one, the newest operation is meant.",
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		var logs bool
		o.register(fs)
		fs.BoolVar(&logs, "log", false, "show the log of every task too")
		return func(ctx context.Context, env *Env, args []string) error {
			return o.work(ctx, env, "tasks", func(ctx context.Context, job *deploy.Job, con *console) error {
				rec, tasks, err := job.Tasks(ctx, first(args))
				if err != nil {
					return err
				}
				con.line("Operation %s: icm %s: %s", rec.Meta.ID, strings.Join(rec.Meta.Argv, " "), rec.State)
				for _, nt := range tasks {
					printNodeTasks(con, nt, logs)
				}
				return o.json.write(env, tasks)
			})
		}
	},
}

func printNodeTasks(con *console, nt deploy.NodeTasks, logs bool) {
	con.line("%s, %s: %s", nt.Node, nt.Stage, either(nt.Note, nt.Status))
	for _, t := range nt.Tasks {
		con.line("  %-8s %-14s %s", either(t.Status, "-"), t.Kind, t.Summary)
		if t.Error != "" {
			con.line("           %s", t.Error)
		}
		if logs {
			for _, line := range t.Log {
				con.line("             %s", line)
			}
		}
	}
}

func either(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

func first(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

var holdCommand = command{
	name: "hold", args: "[ID]",
	summary: "let a running operation stop at the next safe point",
	help:    "Asks the icm that runs the operation, on this machine, to stop between two stages. What the nodes are doing is finished first. icm resume goes on.",
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		o.register(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			return o.work(ctx, env, "hold", func(_ context.Context, job *deploy.Job, con *console) error {
				id, err := job.Hold(first(args))
				if err != nil {
					return err
				}
				con.line("Operation %s stops before its next stage.", id)
				return o.json.write(env, nil)
			})
		}
	},
}

var resumeCommand = command{
	name: "resume", args: "[ID]",
	summary: "go on with an operation that was held or interrupted",
	help:    "Runs the rest of the recorded plan. What the nodes have done meanwhile is found done. An operation that has ended is not resumed: its command is run again instead.",
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		o.register(fs)
		o.operationOptions(fs)
		return func(ctx context.Context, env *Env, args []string) error {
			return o.work(ctx, env, "resume", func(ctx context.Context, job *deploy.Job, con *console) error {
				id, err := job.Resume(ctx, first(args))
				if err != nil {
					return err
				}
				con.line("Operation %s is done.", id)
				return o.json.write(env, nil)
			})
		}
	},
}

var undoCommand = command{
	name: "undo", args: "[ID]",
	summary: "take an operation back, as far as that is possible",
	help:    "Undoes the tasks of the operation in reverse, stage by stage, and says which could not be undone. Only the newest operation of a node can be undone.",
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		o.register(fs)
		o.forcing(fs, "do not ask")
		return func(ctx context.Context, env *Env, args []string) error {
			return o.work(ctx, env, "undo", func(ctx context.Context, job *deploy.Job, con *console) error {
				id, rows, err := job.Undo(ctx, first(args))
				for _, r := range rows {
					printUndone(con, r)
				}
				if err != nil {
					return err
				}
				con.line("Operation %s is undone as far as it can be.", id)
				return o.json.write(env, rows)
			})
		}
	},
}

func printUndone(con *console, r deploy.UndoRow) {
	for _, s := range r.Undone {
		con.line("%s: undone: %s", r.Node, s)
	}
	for _, s := range r.Not {
		con.line("%s: not undone: %s", r.Node, s)
	}
}

var unlockCommand = command{
	name:    "unlock",
	summary: "say who holds the lock, or take it away",
	help:    "Shows who holds the lock of the deployment. With -force it is taken away, which is recorded: the old holder is refused by every node from the next operation on.",
	setup: func(fs *flag.FlagSet) runFunc {
		var o common
		o.register(fs)
		o.forcing(fs, "take the lock away")
		return func(ctx context.Context, env *Env, _ []string) error {
			return o.work(ctx, env, "unlock", func(_ context.Context, job *deploy.Job, con *console) error {
				if o.force {
					old, err := job.Unlock()
					if err != nil {
						return err
					}
					if old != nil {
						con.line("The lock was taken away. It was %s", old)
						return nil
					}
				}
				holder, err := job.LockHolder()
				if err != nil {
					return err
				}
				if holder == nil {
					con.line("Nobody holds the lock.")
					return nil
				}
				return &usageError{fmt.Sprintf("the lock is %s", holder), "icm unlock -force takes it away"}
			})
		}
	},
}
