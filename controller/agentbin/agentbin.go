package agentbin

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"icm/internal/hint"
)

//go:embed files
var embedded embed.FS

// ErrNone means that this icm carries no agents at all.
var ErrNone = errors.New("this icm was built without agents")

// ErrArch means that this icm carries agents, but none for that architecture.
var ErrArch = errors.New("no agent for this architecture")

// maxAgent bounds what a BUILD file may claim, in bytes uncompressed.
const maxAgent = 64 << 20

// Source is a set of agents of one build, one per architecture.
type Source struct {
	build  string
	agents map[string]Agent
}

// Agent is one compressed agent.
type Agent struct {
	Arch   string // GOARCH
	Build  string
	SHA256 string // of the uncompressed program, hex
	Size   int64  // of the uncompressed program, bytes
	gz     func() ([]byte, error)
}

// Open returns the gzip stream of the agent and its length in bytes.
func (a Agent) Open() (io.Reader, int64, error) {
	gz, err := a.gz()
	if err != nil {
		return nil, 0, fmt.Errorf("cannot read the agent for %s: %w", a.Arch, err)
	}
	return bytes.NewReader(gz), int64(len(gz)), nil
}

// Embedded returns the agents inside this icm. Its error is ErrNone when there
// are none.
func Embedded() (*Source, error) {
	sub, err := fs.Sub(embedded, "files")
	if err != nil {
		return nil, err
	}
	return FromFS(sub)
}

// FromDir returns the agents in a directory laid out like files/.
func FromDir(dir string) (*Source, error) { return FromFS(os.DirFS(dir)) }

// FromFS returns the agents in a file system laid out like files/.
func FromFS(fsys fs.FS) (*Source, error) {
	text, err := fs.ReadFile(fsys, "BUILD")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, hint.New(ErrNone, "run make build")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of agents: %w", err)
	}
	s, err := parseBuild(string(text))
	if err != nil {
		return nil, fmt.Errorf("cannot read the list of agents: %w", err)
	}
	for arch, a := range s.agents {
		a.gz = func() ([]byte, error) { return fs.ReadFile(fsys, FileName(arch)) }
		s.agents[arch] = a
	}
	return s, nil
}

// New makes a source from uncompressed programs, keyed by architecture. Tests
// and `icm` running beside a fresh agent use it.
func New(build string, programs map[string][]byte) (*Source, error) {
	if !buildPattern.MatchString(build) {
		return nil, fmt.Errorf("%q cannot name a build", build)
	}
	s := &Source{build: build, agents: map[string]Agent{}}
	for arch, program := range programs {
		var gz bytes.Buffer
		w := gzip.NewWriter(&gz)
		if _, err := w.Write(program); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(program)
		s.agents[arch] = Agent{
			Arch: arch, Build: build, SHA256: hex.EncodeToString(sum[:]), Size: int64(len(program)),
			gz: func() ([]byte, error) { return gz.Bytes(), nil },
		}
	}
	return s, nil
}

// FileName is what the agent for an architecture is called in files/.
func FileName(arch string) string { return "icm-agent-linux-" + arch + ".gz" }

// Build names the build all agents of the source are of.
func (s *Source) Build() string { return s.build }

// For returns the agent for a GOARCH.
func (s *Source) For(arch string) (Agent, error) {
	a, ok := s.agents[arch]
	if !ok {
		return Agent{}, hint.New(fmt.Errorf("%w: %s (there is one for %s)", ErrArch, arch, strings.Join(s.arches(), ", ")),
			"nodes must be "+strings.Join(s.arches(), " or "))
	}
	return a, nil
}

func (s *Source) arches() []string {
	var out []string
	for arch := range s.agents {
		out = append(out, arch)
	}
	slices.Sort(out)
	return out
}

var (
	// A build becomes the name of a directory on every node.
	buildPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+~-]{0,99}$`)
	sumPattern   = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

func parseBuild(text string) (*Source, error) {
	s := &Source{agents: map[string]Agent{}}
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 0:
		case len(f) == 2 && f[0] == "build" && s.build == "" && buildPattern.MatchString(f[1]):
			s.build = f[1]
		case len(f) == 3 && sumPattern.MatchString(f[1]):
			size, err := strconv.ParseInt(f[2], 10, 64)
			if err != nil || size <= 0 || size > maxAgent {
				return nil, fmt.Errorf("the size of the agent for %s is %q", f[0], f[2])
			}
			s.agents[f[0]] = Agent{Arch: f[0], SHA256: f[1], Size: size}
		default:
			return nil, fmt.Errorf("cannot understand %q", lines.Text())
		}
	}
	if s.build == "" || len(s.agents) == 0 {
		return nil, errors.New("it names no build or no agent")
	}
	for arch, a := range s.agents {
		a.Build = s.build
		s.agents[arch] = a
	}
	return s, lines.Err()
}
