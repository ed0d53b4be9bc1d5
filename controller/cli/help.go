package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/agnivade/levenshtein"
)

// helpCommand is a function because it refers to the table it stands in.
func helpCommand() command {
	return command{
		name: "help", args: "[COMMAND]",
		summary: "explain a command",
		help:    "Shows the commands, or one command with its options and exit statuses.",
		setup: func(*flag.FlagSet) runFunc {
			return func(_ context.Context, env *Env, args []string) error {
				if len(args) == 0 {
					overview(env.Out, env.Build)
					return nil
				}
				c, ok := find(args[0])
				if !ok {
					return &usageError{fmt.Sprintf("there is no command %q", args[0]), nearest(args[0])}
				}
				c.usage(env.Out)
				return nil
			}
		},
	}
}

func overview(w io.Writer, build string) {
	fmt.Fprintf(w, "icm deploys InterSystems IRIS on machines. Version %s.\n\nUsage: icm COMMAND [OPTIONS]\n\n", build)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-12s %s\n", c.name, c.summary)
	}
	fmt.Fprintf(w, "\nicm help COMMAND tells more. Options are written -name or --name.\n")
}

// usage prints everything about a command: what it does, options, statuses.
func (c command) usage(w io.Writer) {
	fs := flag.NewFlagSet("icm "+c.name, flag.ContinueOnError)
	c.setup(fs)
	operands := ""
	if c.args != "" {
		operands = " " + c.args
	}
	fmt.Fprintf(w, "Usage: icm %s%s [OPTIONS]\n\n%s\n", c.name, operands, wrap(c.help, 78))
	first := true
	fs.VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprintf(w, "\nOptions:\n")
			first = false
		}
		arg, text := flag.UnquoteUsage(f)
		name := "-" + f.Name
		if arg != "" && !isSwitch(f) {
			name += " " + arg
		}
		fmt.Fprintf(w, "  %-24s %s\n", name, strings.ReplaceAll(wrap(text, 52), "\n", "\n"+strings.Repeat(" ", 27)))
	})
	fmt.Fprintf(w, "\n%s", exitHelp)
}

func isSwitch(f *flag.Flag) bool {
	b, ok := f.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// wrap breaks text at spaces; line breaks in it are kept.
func wrap(text string, width int) string {
	var out []string
	for _, line := range strings.Split(text, "\n") {
		cur := ""
		for _, word := range strings.Fields(line) {
			if cur != "" && len(cur)+1+len(word) > width {
				out = append(out, cur)
				cur = ""
			}
			if cur != "" {
				cur += " "
			}
			cur += word
		}
		out = append(out, cur)
	}
	return strings.Join(out, "\n")
}

func editDistance(a, b string) int { return levenshtein.ComputeDistance(a, b) }
