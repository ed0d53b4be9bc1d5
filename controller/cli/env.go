package cli

import (
	"context"
	"io"
	"os"

	"golang.org/x/term"

	"icm/controller/deploy"
)

// Env is the world as a command sees it. Tests pass their own.
type Env struct {
	In       io.Reader
	Out, Err io.Writer
	Dir      string // deployment directory, absolute
	Getenv   func(string) string
	// Terminal says whether Out is one; then progress is drawn.
	Terminal bool
	// Size is the terminal's, in columns and rows; nil, or 0, is unknown.
	Size func() (columns, rows int)
	// World makes what operations work with. It is called once per command.
	World func(report deploy.Reporter) deploy.World
	Build string
	// Argv is the command line, for the record.
	Argv []string
	// Prompt asks a question on the terminal; with hide the answer is not
	// shown. It fails when there is no terminal, and ends with ctx.
	Prompt func(ctx context.Context, question string, hide bool) (string, error)
}

// NewEnv is the environment of the real program.
func NewEnv(build string, world func(deploy.Reporter) deploy.World) (*Env, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	return &Env{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Dir: dir, Getenv: os.Getenv,
		Terminal: term.IsTerminal(int(os.Stdout.Fd())),
		Size:     sizeOf(os.Stdout),
		World:    world, Build: build, Prompt: promptTerminal,
	}, nil
}

func sizeOf(f *os.File) func() (columns, rows int) {
	return func() (columns, rows int) {
		columns, rows, err := term.GetSize(int(f.Fd()))
		if err != nil {
			return 0, 0
		}
		return columns, rows
	}
}
