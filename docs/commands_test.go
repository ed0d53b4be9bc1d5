package docs_test

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func itoa(n int) string { return strconv.Itoa(n) }

// icm is the real program, built for the test.
func icm(t *testing.T) func(args ...string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "icm")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./controller")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build icm: %v\n%s", err, out)
	}
	return func(args ...string) string {
		out, err := exec.CommandContext(t.Context(), bin, args...).Output()
		if err != nil {
			t.Fatalf("icm %v: %v", args, err)
		}
		return string(out)
	}
}

var (
	helpCommand = regexp.MustCompile(`(?m)^  ([a-z]+) +\S`)
	helpOption  = regexp.MustCompile(`(?m)^  -([A-Za-z]+)`)
	// placeholder stands for any command: "icm COMMAND -option".
	placeholder = regexp.MustCompile(`^[A-Z]+$`)
)

// sudoers is the second word of a line of sudoers for an account called icm.
const sudoers = "ALL=(ALL)"

func TestEveryCommandAndOptionInTheDocsExists(t *testing.T) {
	run := icm(t)
	options := map[string][]string{}
	for _, m := range helpCommand.FindAllStringSubmatch(run("help"), -1) {
		options[m[1]] = []string{"help"}
		for _, o := range helpOption.FindAllStringSubmatch(run("help", m[1]), -1) {
			options[m[1]] = append(options[m[1]], o[1])
		}
	}
	count := 0
	for _, p := range pages(t) {
		for _, line := range p.commandLines() {
			for _, words := range commands(line) {
				if len(words) > 1 && words[0].text == "icm" {
					count++
					checkCommand(t, p.path, words[1:], options)
				}
			}
		}
	}
	if count < 80 {
		t.Errorf("found only %d commands", count)
	}
}

func checkCommand(t *testing.T, where string, words []word, options map[string][]string) {
	t.Helper()
	name := words[0].text
	known, ok := options[name]
	switch {
	case name == sudoers || placeholder.MatchString(name) || slices.Contains([]string{"-help", "-version"}, name):
		return
	case !ok:
		t.Errorf("%s: there is no command icm %s", where, name)
		return
	}
	for _, w := range words[1:] {
		option, _, _ := strings.Cut(strings.TrimLeft(w.text, "-"), "=")
		if !w.quoted && strings.HasPrefix(w.text, "-") && option != "" && !slices.Contains(known, option) {
			t.Errorf("%s: icm %s has no option -%s", where, name, option)
		}
	}
}

func TestOptionsOfAnotherCommandAreNotTakenForOnesOfIcm(t *testing.T) {
	got := commands(`FOO=1 sudo icm ssh -command 'ls -l | icm nothing' -role DM [-force] | tail -50 && icm ps`)
	if len(got) != 3 || got[0][1].text != "ssh" || got[0][3].text != "ls -l | icm nothing" || got[1][0].text != "tail" || got[2][1].text != "ps" {
		t.Errorf("got %v", got)
	}
}

// word is a word of a command line.
type word struct {
	text   string
	quoted bool
}

// commands takes a shell's command line apart: simple commands of words,
// without assignments and sudo before them, and without comments.
func commands(line string) [][]word {
	var out [][]word
	var cur []word
	end := func() {
		for len(cur) > 0 && (cur[0].text == "sudo" || strings.Contains(cur[0].text, "=") && !cur[0].quoted) {
			cur = cur[1:]
		}
		if len(cur) > 0 {
			out = append(out, cur)
		}
		cur = nil
	}
	for _, w := range shellWords(line) {
		if !w.quoted && strings.HasPrefix(w.text, "#") {
			break
		}
		if !w.quoted && slices.Contains([]string{"|", "||", "&&", ";", "&"}, w.text) {
			end()
			continue
		}
		if !w.quoted {
			w.text = strings.Trim(w.text, "[];,")
		}
		cur = append(cur, w)
	}
	end()
	return out
}

var wordPattern = regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`)

func shellWords(line string) []word {
	var out []word
	for _, m := range wordPattern.FindAllStringSubmatch(line, -1) {
		if m[3] != "" {
			out = append(out, word{text: m[3]})
		} else {
			out = append(out, word{text: m[1] + m[2], quoted: true})
		}
	}
	return out
}

func TestEveryMakeTargetInTheDocsExists(t *testing.T) {
	targets := map[string]bool{}
	makefile := readPage(t, "Makefile").text
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+):`).FindAllStringSubmatch(makefile, -1) {
		targets[m[1]] = true
	}
	count := 0
	for _, p := range pages(t) {
		for _, line := range p.commandLines() {
			for _, words := range commands(line) {
				if words[0].text != "make" {
					continue
				}
				for _, w := range words[1:] {
					count++
					if !targets[w.text] {
						t.Errorf("%s: there is no make %s", p.path, w.text)
					}
				}
			}
		}
	}
	if count < 10 {
		t.Errorf("found only %d targets", count)
	}
}
