package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// completionCommand is a function because it refers to the table it stands in.
func completionCommand() command {
	return command{
		name: "completion", args: "SHELL",
		summary: "print a completion script for bash, zsh or fish",
		help: `bash: icm completion bash > /etc/bash_completion.d/icm
zsh:  icm completion zsh > "${fpath[1]}/_icm"
fish: icm completion fish > ~/.config/fish/completions/icm.fish`,
		setup: func(*flag.FlagSet) runFunc {
			return func(_ context.Context, env *Env, args []string) error {
				shells := map[string]func(io.Writer){"bash": completeBash, "zsh": completeZsh, "fish": completeFish}
				if len(args) != 1 || shells[args[0]] == nil {
					return &usageError{"icm completion needs the name of a shell", "icm completion bash, zsh or fish"}
				}
				shells[args[0]](env.Out)
				return nil
			}
		},
	}
}

// fileOptions are completed with file names.
const fileOptions = "-definitions|-defaults|-instances|-stateDir|-localPath|-localFile|-iscPasswordFile|-key|-kit|-bundle|-base|-o|-pubkey|-store|-bin|-to|-verify"

func optionNames(c command) []string {
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	c.setup(fs)
	var out []string
	fs.VisitAll(func(f *flag.Flag) { out = append(out, "-"+f.Name) })
	return out
}

func commandNames() []string {
	var out []string
	for _, c := range commands() {
		out = append(out, c.name)
	}
	return out
}

// operandWords are what may follow a command that takes an operand.
func operandWords(c command) string {
	switch c.name {
	case "plan":
		return "provision install upgrade uninstall start stop"
	case "bundle":
		return strings.Join(slices.Sorted(maps.Keys(bundleVerbs)), " ")
	case "completion":
		return "bash zsh fish"
	case "help":
		return strings.Join(commandNames(), " ")
	default:
		return ""
	}
}

func completeBash(w io.Writer) {
	fmt.Fprintf(w, `# bash completion for icm
_icm() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  case $prev in
    %s) COMPREPLY=($(compgen -f -- "$cur")); return ;;
  esac
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "%s" -- "$cur")); return
  fi
  case ${COMP_WORDS[1]} in
`, fileOptions, strings.Join(commandNames(), " "))
	for _, c := range commands() {
		words := strings.TrimSpace(strings.Join(optionNames(c), " ") + " " + operandWords(c))
		fmt.Fprintf(w, "    %s) COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")) ;;\n", c.name, words)
	}
	fmt.Fprint(w, "  esac\n}\ncomplete -o filenames -F _icm icm\n")
}

func completeZsh(w io.Writer) {
	fmt.Fprint(w, "#compdef icm\n_icm() {\n  local -a words_\n  if (( CURRENT == 2 )); then\n    words_=(\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "      '%s:%s'\n", c.name, strings.ReplaceAll(c.summary, "'", ""))
	}
	fmt.Fprintf(w, "    )\n    _describe command words_\n    return\n  fi\n  case $words[CURRENT-1] in\n    %s) _files; return ;;\n  esac\n  case $words[2] in\n", fileOptions)
	for _, c := range commands() {
		words := strings.TrimSpace(strings.Join(optionNames(c), " ") + " " + operandWords(c))
		fmt.Fprintf(w, "    %s) compadd -- %s ;;\n", c.name, words)
	}
	fmt.Fprint(w, "  esac\n}\n_icm \"$@\"\n")
}

func completeFish(w io.Writer) {
	fmt.Fprint(w, "complete -c icm -f\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "complete -c icm -n __fish_use_subcommand -a %s -d '%s'\n", c.name, strings.ReplaceAll(c.summary, "'", ""))
		for _, o := range optionNames(c) {
			file := ""
			if strings.Contains("|"+fileOptions+"|", "|"+o+"|") {
				file = " -F"
			}
			fmt.Fprintf(w, "complete -c icm -n '__fish_seen_subcommand_from %s' -o %s%s\n", c.name, o[1:], file)
		}
		if words := operandWords(c); words != "" {
			fmt.Fprintf(w, "complete -c icm -n '__fish_seen_subcommand_from %s' -a '%s'\n", c.name, words)
		}
	}
}
